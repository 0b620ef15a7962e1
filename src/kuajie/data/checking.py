"""Columns of one batch -> unified columns, and the reasons against its rows."""

from dataclasses import dataclass

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.ids import CONTROL
from kuajie.core.texts import Text
from kuajie.data.sources.base import CONTENT, Batch
from kuajie.data.sources.objects import column as column_of

IDS = (c.USER, c.ITEM, c.EVENT_ID, c.EXPOSURE_ID, c.USER_A, c.USER_B, c.HEAD, c.RELATION, c.TAIL, "entity")
KEY = "key"  # never written into the quarantine
NO_VALUE = ("", "NULL", "null", "\\N")
LONGEST_CONTENT = 1_000  # characters of a bad row that the quarantine keeps


@dataclass(frozen=True)
class Unified:
    """A batch, divided.

    Attributes:
        good: unified rows.
        rejected: bad rows: row, reason, content.
        reasons: every reason that there could be, to be said in any language.
    """

    good: pl.DataFrame
    rejected: pl.DataFrame
    reasons: tuple[Text, ...] = ()


class Checking:
    """Collects columns of one batch and the reasons against its rows; the first reason of a row counts."""

    def __init__(self, frame: pl.DataFrame, name: str, max_id_bytes: int) -> None:
        self.frame = frame
        self.name = name
        self.max_id_bytes = max_id_bytes
        self.rules: list[tuple[pl.Expr, Text]] = []

    def add(self, wrong: pl.Expr, reason: Text) -> None:
        """A rule over the unified columns."""
        self.rules.append((wrong, reason))

    def add_flags(self, wrong: pl.Series, reason: Text) -> None:
        """A rule that has been worked out: true where it is broken."""
        if wrong.any():
            self.add(pl.lit(wrong), reason)

    def raw(self, column: str) -> pl.Series:
        """The raw column; nulls where the source has none."""
        if column in self.frame.columns:
            return self.frame[column]
        return pl.Series(column, [None], pl.String).new_from_index(0, len(self.frame))

    def text(self, column: str) -> pl.Series:
        """Any column as text; empty is null."""
        values = self._as_text(self.raw(column))
        return values.set(values.str.len_bytes() == 0, None) if len(values) else values

    def id(self, column: str, optional: bool = False) -> pl.Series:
        """An id as exact text."""
        raw = self.raw(column)
        if raw.dtype.is_float():
            whole = raw.is_finite() & (raw == raw.round(0)) & (raw.abs() < 2.0**53)
            self.add_flags(
                raw.is_not_null() & ~whole,
                Text("{column} is a fraction or too large to be exact; store it as text", column=column),
            )
            raw = raw.zip_with(whole.fill_null(value=False), pl.Series([None], dtype=raw.dtype)).cast(pl.Int64)
        values = self._as_text(raw)
        length = values.str.len_bytes()
        if optional:
            values = values.set(length == 0, None) if len(values) else values
        else:
            blank = values.is_null() | (values.str.strip_chars().str.len_bytes() == 0)
            self.add_flags(blank, Text("{column} is missing or no text", column=column))
        self.add_flags(
            length > self.max_id_bytes,
            Text("{column} is longer than {most} bytes", column=column, most=self.max_id_bytes),
        )
        self.add_flags(values.str.contains(CONTROL), Text("{column} has a control character", column=column))
        return values

    def number(self, column: str, scale: float = 1.0, lenient: bool = False) -> pl.Series:
        """A finite float; `lenient`: what is no number becomes null, silently."""
        raw = self.raw(column)
        if raw.dtype == pl.String:
            given = raw.is_not_null() & ~raw.str.strip_chars().is_in(NO_VALUE)
            values = raw.str.strip_chars().cast(pl.Float64, strict=False)
        elif raw.dtype.is_numeric() or raw.dtype == pl.Boolean:
            given, values = raw.is_not_null(), raw.cast(pl.Float64)
        else:
            raise DataError(
                "{source}: '{column}' is of type {type}, it must be a number. Correct 'columns'.",
                source=self.name,
                column=column,
                type=raw.dtype,
            )
        if lenient:
            return values.zip_with(values.is_finite().fill_null(value=False), pl.Series([None], dtype=pl.Float64))
        self.add_flags(given & values.is_null(), Text("{column} is not a number", column=column))
        self.add_flags(values.is_nan() | values.is_infinite(), Text("{column} is not finite", column=column))
        return values if scale == 1.0 else values * scale

    def _as_text(self, raw: pl.Series) -> pl.Series:
        kind = raw.dtype
        if kind == pl.String:
            return raw
        if kind == pl.Null or kind.is_integer() or kind in (pl.Categorical, pl.Enum):
            return raw.cast(pl.String)
        if kind.is_decimal():
            return raw.cast(pl.String).str.replace(r"\.0+$", "")
        if kind == pl.Binary:
            return column_of(raw.name, raw.to_list())
        if kind.is_nested():
            return pl.Series(raw.name, [None if value is None else str(value) for value in raw], pl.String)
        if raw.name in IDS:
            raise DataError(
                "{source}: '{column}' is of type {kind}, it must be text or whole numbers. Correct 'columns'.",
                source=self.name,
                column=raw.name,
                kind=kind,
            )
        return raw.cast(pl.String)

    def divide(self, frame: pl.DataFrame, batch: Batch) -> Unified:
        """Good rows and bad ones."""
        reason = pl.lit(None, pl.String)
        for wrong, why in reversed(self.rules):
            reason = pl.when(wrong.fill_null(value=False)).then(pl.lit(str(why))).otherwise(reason)
        reasons = frame.select(reason.alias(c.REASON)).to_series()
        if len(reasons) != len(frame):  # no rule depends on the rows
            reasons = reasons.new_from_index(0, len(frame))
        bad = reasons.is_not_null()
        if not bad.any():
            return Unified(frame, _shorten(batch.rejected))
        raw = self.frame.filter(bad).with_columns(pl.col(pl.Binary).bin.encode("hex"))
        raw = raw.with_columns(self._as_text(column) for column in raw if column.dtype.is_nested())
        content = raw.select(
            pl.struct(pl.exclude(c.ROW, KEY).cast(pl.String, strict=False)).struct.json_encode()
        ).to_series()
        rejected = pl.DataFrame([raw[c.ROW], reasons.filter(bad), content.alias(CONTENT)])
        everything = _shorten(pl.concat([batch.rejected, rejected]))
        return Unified(frame.filter(~bad), everything, tuple(why for _, why in self.rules))


def _shorten(rejected: pl.DataFrame) -> pl.DataFrame:
    return rejected.with_columns(pl.col(CONTENT).str.head(LONGEST_CONTENT))
