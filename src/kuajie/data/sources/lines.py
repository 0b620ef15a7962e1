"""Lines of a text file in blocks, each line with its number. Everything that is text is read through here.

A block is cut after its last line break, so memory is bounded by the block and the longest line, not by the file.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa

from kuajie.core.errors import ConfigError, DataError
from kuajie.core.files import refusal
from kuajie.core.language import message

BLOCK_BYTES = 32 * 2**20
LONGEST_LINE = 64 * 2**20
NOT_TEXT = message("the line is not valid text in the file's encoding")
_BAD = b"\xff"  # occurs nowhere in UTF-8


@dataclass(frozen=True)
class Lines:
    """Some lines.

    Attributes:
        text: String, without the line feed (a carriage return stays); null where it is not valid text.
        first: number of the first of them, 1-based.
        fraction: how much of the file has been read.
    """

    text: pl.Series
    first: int
    fraction: float


def read_lines(path: Path, name: str, encoding: str = "utf-8", block_bytes: int = BLOCK_BYTES) -> Iterator[Lines]:
    """All lines of a file, in order; a byte order mark is left out.

    Raises:
        DataError: no such file, an empty file, a damaged gzip file, another encoding, an endless line.
    """
    size = max(1, _size(path, name))
    first, rest, empty = 1, b"", True
    with _reading(path, name), path.open("rb") as raw:
        for block in _utf8(_blocks(raw, path.suffix == ".gz", block_bytes), name, encoding):
            empty = empty and not block
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                if len(rest) > LONGEST_LINE:
                    raise DataError(
                        "{source}, line {first}: the line is longer than {most} MB. Is this a text file?",
                        source=name,
                        first=first,
                        most=LONGEST_LINE >> 20,
                    )
                continue
            text = _split(rest + block[:cut])
            yield Lines(text, first, min(1.0, raw.tell() / size))
            first, rest = first + len(text), block[cut:]
    if empty:
        raise DataError(
            "{source}: the file is empty. Write it anew, or take the source out of the configuration.", source=name
        )
    if rest:
        yield Lines(_split(rest + b"\n"), first, 1.0)


def _size(path: Path, name: str) -> int:
    if path.is_dir():
        raise DataError("{source}: this is a folder, not a file. Name the file in 'path'.", source=name)
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise DataError(
            "{source}: there is no such file ({path}). Put it there, or correct 'path'.", source=name, path=path
        ) from None
    except OSError as error:
        raise DataError(
            "{source}: the file cannot be read: {reason}. Check the path.", source=name, reason=refusal(error)
        ) from None


@contextmanager
def _reading(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError("{source}: the gzip file is damaged or cut off. Copy it again.", source=name) from None
    except PermissionError:
        raise DataError(
            "{source}: no permission to read {path}. Change the file's rights.", source=name, path=path
        ) from None


def _blocks(raw: IO[bytes], gzipped: bool, block_bytes: int) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=raw) if gzipped else nullcontext(raw) as stream:
        while block := stream.read(block_bytes):
            yield block


def _utf8(blocks: Iterator[bytes], name: str, encoding: str) -> Iterator[bytes]:
    """The same bytes as UTF-8; what the encoding does not allow becomes a byte that UTF-8 does not allow."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError(
            "{source}: there is no encoding '{encoding}'. Use a Python codec such as gb18030.",
            source=name,
            encoding=encoding,
        ) from None
    start = True
    for block in blocks:
        if codec in {"utf-8", "utf-8-sig", "ascii"}:
            if start and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError(
                    '{source}: the file is UTF-16, not UTF-8. Set encoding = "utf-16" for this source.', source=name
                )
            yield block.removeprefix(codecs.BOM_UTF8) if start else block
        else:
            yield decoder.decode(block).encode("utf-8", "replace").replace("\ufffd".encode(), _BAD)
        start = False


def _split(block: bytes) -> pl.Series:
    """Lines of a block that ends in a line feed."""
    breaks = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    offsets = np.zeros(len(breaks) + 1, np.int64)
    offsets[1:] = breaks + 1
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    lines = pl.Series("text", pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(breaks), buffers))
    try:
        text = lines.cast(pl.String)
    except pl.exceptions.ComputeError:
        text = pl.Series("text", [_decode(line) for line in lines], pl.String)
    return text.str.strip_suffix("\n")


def _decode(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None
