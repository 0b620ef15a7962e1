"""Lines -> columns: CSV with quotes, and plain separators of any length.

Lines without a quote, nearly all, are split in columns at once. Lines with one go through Python's `csv`, record by
record, so that one stray quote costs one line and not the rest of the file.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.language import message
from kuajie.data.sources.base import Batch, Request, no_rejects, rejects
from kuajie.data.sources.lines import NOT_TEXT, Lines, read_lines

WRONG_COUNT = message("the number of fields is not that of the header")
OPEN_QUOTE = message("a quote is not closed, or text follows it")
LONGEST_RECORD = 1_000  # lines


@dataclass(frozen=True)
class Layout:
    """How a line becomes fields: the separator, the number of fields, and whether fields may be quoted (RFC 4180)."""

    delimiter: str
    width: int
    quotes: bool = False


@dataclass(frozen=True)
class Split:
    """Lines that were split.

    Attributes:
        frame: columns "0", "1", ... and `row`.
        rejected: bad lines.
        waiting: lines at the end that may belong to a record that goes on in the next block.
    """

    frame: pl.DataFrame
    rejected: pl.DataFrame
    waiting: int = 0


def read_delimited(
    request: Request, delimiter: str, names: Sequence[str] | None, quotes: bool = False
) -> Iterator[Batch]:
    """Batches of a file of separated values.

    Args:
        request: what to read.
        delimiter: between fields, one or more characters.
        names: of the columns; None: the first line has them.
        quotes: whether fields may be quoted.
    """
    left = pl.Series("text", [], pl.String)
    chosen: dict[str, int] = {}
    last = 1
    for lines in read_lines(request.path, request.name, request.source.encoding):
        text, first = pl.concat([left, lines.text]), lines.first - len(left)
        if names is None:
            names = header(request.name, text[0], delimiter, quotes)
            text, first = text[1:], first + 1
        if not chosen:
            chosen = {name: list(names).index(theirs) for name, theirs in request.choose(names).items()}
        layout = Layout(delimiter, len(names), quotes)
        parts = split(Lines(text, first, lines.fraction), layout)
        left, last = text[len(text) - parts.waiting :], first + len(text) - parts.waiting
        yield _batch(parts, chosen, lines.fraction)
    if len(left) and names is not None:
        yield _batch(split(Lines(left, last, 1.0), Layout(delimiter, len(names), quotes), final=True), chosen, 1.0)


def _batch(parts: Split, chosen: dict[str, int], fraction: float) -> Batch:
    ours = [pl.col(str(position)).alias(name) for name, position in chosen.items()]
    return Batch(parts.frame.select(*ours, pl.col(c.ROW)), parts.rejected, fraction)


def header(name: str, line: str | None, delimiter: str, quotes: bool) -> list[str]:
    """The names of the columns.

    Raises:
        DataError: the line is no header.
    """
    if line is None:
        raise DataError(
            "{source}, line 1: the header is not UTF-8. Set the source's encoding, for example gb18030.", source=name
        )
    line = line.removesuffix("\r")
    if "\r" in line:
        raise DataError(
            "{source}, line 1: lines end in carriage returns alone. Save the file with line feeds.", source=name
        )
    if quotes and '"' in line:
        record = _record(_Taking([line], 0), delimiter)
        if record is None:
            raise DataError("{source}, line 1: a quote in the header is not closed. Correct the header.", source=name)
        return record
    return line.split(delimiter)


def split(lines: Lines, layout: Layout, final: bool = False) -> Split:
    """The fields of lines; `final` says that no further line will come."""
    numbers = np.arange(lines.first, lines.first + len(lines.text), dtype=np.int64)
    numbered = pl.DataFrame({c.ROW: numbers, "text": lines.text})
    rejected = [no_rejects()]
    if lines.text.null_count():
        broken = numbered.filter(pl.col("text").is_null())[c.ROW].to_list()
        rejected.append(rejects(broken, NOT_TEXT, [""] * len(broken)))
    quoted = lines.text.str.contains('"', literal=True).fill_null(value=False)
    if not layout.quotes or not quoted.any():
        plain = _plain(numbered, layout)
        return Split(plain.frame, pl.concat([*rejected, plain.rejected]))
    records = _Records(lines.text.to_list(), lines.first, layout)
    records.parse(quoted.arg_true().to_list(), final)
    plain = _plain(numbered.filter(~pl.Series(records.consumed)), layout)
    frame = pl.concat([plain.frame, records.frame()]).sort(c.ROW)
    return Split(frame, pl.concat([*rejected, plain.rejected, *records.rejected()]), records.waiting)


def _plain(numbered: pl.DataFrame, layout: Layout) -> Split:
    rows = numbered.with_columns(pl.col("text").str.strip_suffix("\r")).filter(pl.col("text").str.len_bytes() > 0)
    fields = layout.width - 1
    wrong = rows["text"].str.count_matches(layout.delimiter, literal=True) != fields
    rejected = no_rejects()
    if wrong.any():
        lost = rows.filter(wrong)
        rejected = rejects(lost[c.ROW].to_list(), WRONG_COUNT, lost["text"].to_list())
        rows = rows.filter(~wrong)
    parts = rows["text"].str.split_exact(layout.delimiter, fields).struct.unnest() if fields else rows.select("text")
    parts.columns = [str(position) for position in range(layout.width)]
    return Split(parts.with_columns(rows[c.ROW]), rejected)


@dataclass
class _Records:
    """Records that have quotes, among the lines of a block."""

    lines: list[str | None]
    first: int
    layout: Layout
    waiting: int = 0
    good: dict[int, list[str]] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.consumed = np.zeros(len(self.lines), bool)

    def parse(self, starts: list[int], final: bool) -> None:
        """Parse the records that start in these lines, unless an earlier record has taken the line."""
        done = 0
        for start in starts:
            if start < done:
                continue
            taking = _Taking(self.lines, start)
            record = _record(taking, self.layout.delimiter)
            unfinished = record is None and taking.at_end and taking.stop - start < LONGEST_RECORD
            if unfinished and not final:
                self.waiting = len(self.lines) - start
                self.consumed[start:] = True
                return
            done = start + 1 if record is None else taking.stop
            self.consumed[start:done] = True
            if record is None:
                self.bad[start] = OPEN_QUOTE
            elif len(record) != self.layout.width:
                self.bad[start] = WRONG_COUNT
            else:
                self.good[start] = record

    def frame(self) -> pl.DataFrame:
        """The good records: columns "0", "1", ... and `row`."""
        schema = {str(position): pl.String() for position in range(self.layout.width)}
        rows = pl.Series(c.ROW, [self.first + start for start in self.good], pl.Int64)
        return pl.DataFrame(list(self.good.values()), schema, orient="row").with_columns(rows)

    def rejected(self) -> Iterator[pl.DataFrame]:
        """The bad records."""
        for reason in (OPEN_QUOTE, WRONG_COUNT):
            starts = [start for start, why in self.bad.items() if why == reason]
            yield rejects([self.first + start for start in starts], reason, [self.lines[s] or "" for s in starts])


class _Taking:
    """Lines from one on, as they are taken; not more than `LONGEST_RECORD`, and none that is not text."""

    def __init__(self, lines: Sequence[str | None], start: int) -> None:
        self.lines = lines
        self.stop = start
        self.limit = start + LONGEST_RECORD
        self.at_end = False

    def __iter__(self) -> "_Taking":
        return self

    def __next__(self) -> str:
        if self.stop >= len(self.lines):
            self.at_end = True
            raise StopIteration
        line = self.lines[self.stop]
        if line is None or self.stop >= self.limit:
            raise StopIteration
        self.stop += 1
        return f"{line}\n"


def _record(lines: _Taking, delimiter: str) -> list[str] | None:
    """The next record, or None where it is malformed or the lines end inside a quote."""
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True), None)
    except csv.Error:
        return None
