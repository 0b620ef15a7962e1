"""Arrays in one safetensors file: streamed out without a copy, mapped into memory on reading.

The format (https://github.com/huggingface/safetensors, "Format"): 8 bytes little-endian header size, a JSON header
`{name: {dtype, shape, data_offsets}}`, then the arrays back to back. The package of that name reads these files, but
copies on both ways and reports a full disk as its own error.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from kuajie.core.errors import ArtifactError
from kuajie.core.recommender import Arrays

DTYPES = {
    "F64": "<f8", "I64": "<i8", "U64": "<u8", "F32": "<f4", "I32": "<i4", "U32": "<u4",
    "F16": "<f2", "I16": "<i2", "U16": "<u2", "I8": "|i1", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}
CHUNK = 1 << 19
"""Bytes hashed, or numbers checked, at a time. Of larger pieces the C library keeps what is given back to it."""


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One array's entry in the header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def write_tensors(path: Path, arrays: Arrays) -> str:
    """Write arrays and return the SHA-256 of the file.

    Raises:
        ArtifactError: an array is not of plain numbers.
        OSError: the disk refuses.
    """
    ready = {name: plain(name, array) for name, array in arrays.items()}
    ordered = dict(sorted(ready.items(), key=lambda entry: (-entry[1].itemsize, entry[0])))  # keeps all aligned
    header, start = {}, 0
    for name, array in ordered.items():
        header[name] = Tensor(NAMES[array.dtype], array.shape, (start, start + array.nbytes))
        start += array.nbytes
    encoded = msgspec.json.encode(header)
    encoded += b" " * (-len(encoded) % 8)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        blocks: list[bytes | memoryview] = [len(encoded).to_bytes(8, "little"), encoded]
        blocks += [array.reshape(-1).view(np.uint8).data for array in ordered.values()]
        for block in blocks:
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def plain(name: str, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The array contiguous, little-endian and flat in memory."""
    if array.dtype.kind not in "fiub":
        raise ArtifactError(
            "array '{name}' must hold plain numbers, got {type}; nothing was saved", name=name, type=array.dtype
        )
    dtype = array.dtype.newbyteorder("<")
    if dtype not in NAMES:
        raise ArtifactError(
            "array '{name}' has a type that cannot be stored, {type}; nothing was saved", name=name, type=array.dtype
        )
    return np.asarray(array, dtype=dtype, order="C")


def map_tensors(path: Path) -> Arrays:
    """The arrays of a file, read-only, paged in when used.

    Raises:
        ArtifactError: the file is not of the format or its parts lie outside it.
    """
    if path.stat().st_size < 8:
        raise ArtifactError("{path} is damaged: it is shorter than its own header", path=path)
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    size = int.from_bytes(raw[:8].tobytes(), "little")
    if size > len(raw) - 8:
        raise ArtifactError("{path} is damaged: its header is longer than the file", path=path)
    try:
        header = msgspec.json.decode(raw[8 : 8 + size].tobytes(), type=dict[str, Any])
        header.pop("__metadata__", None)
        entries = msgspec.convert(header, dict[str, Tensor])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtifactError("{path} is damaged: its header cannot be read ({error})", path=path, error=error) from None
    return {name: _view(raw[8 + size :], name, entry, path) for name, entry in entries.items()}


def _view(data: npt.NDArray[np.uint8], name: str, entry: Tensor, path: Path) -> npt.NDArray[np.generic]:
    start, stop = entry.data_offsets
    dtype = np.dtype(DTYPES.get(entry.dtype, "V"))
    fits = min(entry.shape, default=0) >= 0 and stop - start == int(np.prod(entry.shape, dtype=object)) * dtype.itemsize
    if dtype.kind == "V" or not 0 <= start <= stop <= len(data) or not fits:
        raise ArtifactError(
            "{path} is damaged: array '{name}' does not lie where its header says", path=path, name=name
        )
    return np.asarray(data[start:stop]).view(dtype).reshape(entry.shape)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def first_not_finite(arrays: Mapping[str, npt.NDArray[np.generic]]) -> str | None:
    """The name of an array with NaN or an infinite value, or None."""
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        flat = array.reshape(-1)
        for start in range(0, len(flat), CHUNK):
            if not np.isfinite(flat[start : start + CHUNK]).all():
                return name
    return None
