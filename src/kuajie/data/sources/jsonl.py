"""JSON lines: one object a line. A dot in a column's name reaches inside: `account.id`."""

from collections.abc import Iterator, Mapping

import msgspec
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.language import message
from kuajie.data.sources.base import REQUIRED, Batch, FormatSpec, Request, no_rejects, rejects
from kuajie.data.sources.lines import NOT_TEXT, Lines, read_lines
from kuajie.data.sources.objects import column

NOT_OBJECT = message("the line is not a JSON object")
BLOCK_BYTES = 8 * 2**20  # objects take some ten times their text

Row = dict[str, object]


def read_jsonl(request: Request) -> Iterator[Batch]:
    """Batches of a JSON lines file.

    Raises:
        DataError: no line of the first block has a field that is needed.
    """
    chosen: dict[str, str] = {}
    for lines in read_lines(request.path, request.name, request.source.encoding, BLOCK_BYTES):
        numbers, rows, rejected = parse(lines)
        if rows and not chosen:
            chosen = _choose(request, rows)
        if not chosen:
            yield Batch(pl.DataFrame(schema=_nothing(request)), rejected, lines.fraction)
            continue
        columns = [column(name, [_reach(row, theirs) for row in rows]) for name, theirs in chosen.items()]
        yield Batch(pl.DataFrame([*columns, pl.Series(c.ROW, numbers, pl.Int64)]), rejected, lines.fraction)


def parse(lines: Lines) -> tuple[list[int], list[Row], pl.DataFrame]:
    """Numbers and objects of the good lines, and the bad lines."""
    decode = msgspec.json.Decoder(Row).decode
    numbers: list[int] = []
    rows: list[Row] = []
    bad: tuple[list[int], list[str]] = ([], [])
    garbled: list[int] = []
    for number, line in enumerate(lines.text.to_list(), lines.first):
        if line is None:
            garbled.append(number)
        elif line.strip():
            try:
                rows.append(decode(line))
                numbers.append(number)
            except (msgspec.DecodeError, RecursionError):
                bad[0].append(number)
                bad[1].append(line)
    found = [rejects(garbled, NOT_TEXT, [""] * len(garbled)), rejects(bad[0], NOT_OBJECT, bad[1])]
    return numbers, rows, pl.concat([no_rejects(), *found])


def _choose(request: Request, rows: list[Row]) -> dict[str, str]:
    available = sorted(set().union(*rows))
    chosen = request.choose(available, optional=True)
    for name in (*request.source.columns, *REQUIRED[request.table]):
        theirs = chosen.get(name, request.defaults.get(name, name))
        if all(_reach(row, theirs) is None for row in rows):
            raise DataError(
                "{source}: none of the first {count} lines has a field '{theirs}' for '{column}'; the fields "
                "are: {known}. Name the right one in columns.",
                source=request.name,
                count=len(rows),
                theirs=theirs,
                column=name,
                known=", ".join(available[:30]),
            )
    return chosen


def _nothing(request: Request) -> Mapping[str, pl.DataType]:
    return {**dict.fromkeys(REQUIRED[request.table], pl.String()), c.ROW: pl.Int64()}


def _reach(row: Row, name: str) -> object:
    if name in row or "." not in name:
        return row.get(name)
    value: object = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


JSONL = FormatSpec(read_jsonl)
