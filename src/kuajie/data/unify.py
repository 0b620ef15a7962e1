"""Raw columns -> the unified schema: exact ids, times in UTC, finite numbers, known kinds; and why a row is bad.

Every row comes out once: in `good`, or in `rejected` with its number, one reason and what it held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.records import Kind
from kuajie.data.config import CleaningConfig, SourceConfig
from kuajie.data.sources.base import CONTENT, Batch
from kuajie.data.times import UTC, to_times

KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_TYPE = pl.Enum(KINDS)
NO_VALUE = ("", "NULL", "null", "\\N")
LARGEST_VALUE = 1e12
LONGEST_CONTENT = 1_000  # characters of a bad row that the quarantine keeps
REASON = c.REASON


@dataclass(frozen=True)
class Unified:
    """A batch, divided into good rows and bad ones (row, reason, content)."""

    good: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class Rules:
    """What is possible, and when it is.

    Attributes:
        cleaning: the stated rules.
        now: what the future is counted from.
    """

    cleaning: CleaningConfig
    now: datetime


def unify_events(batch: Batch, source: SourceConfig, kind: Kind, rules: Rules, name: str) -> Unified:
    """Events: user, item, kind, occurred_at, value, event_id, exposure_id, row.

    Args:
        batch: raw.
        source: how it was configured.
        kind: of rows that name none.
        rules: what is possible.
        name: of the source, for errors.
    """
    check = _Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    frame = pl.DataFrame(
        [
            check.id(c.USER),
            check.id(c.ITEM),
            _kinds(check, source, kind),
            _times(check, c.OCCURRED_AT, source),
            check.number(c.VALUE, source.value_scale),
            check.id(c.EVENT_ID, optional=True),
            check.id(c.EXPOSURE_ID, optional=True),
            batch.frame[c.ROW],
        ]
    )
    when, latest = pl.col(c.OCCURRED_AT), rules.now + timedelta(hours=rules.cleaning.future_hours)
    check.add(when < rules.cleaning.earliest, f"occurred_at is before {rules.cleaning.earliest.date()}")
    check.add(when > latest, "occurred_at is in the future")
    check.add(pl.col(c.VALUE) < 0, "value is negative")
    check.add(pl.col(c.VALUE) > LARGEST_VALUE, f"value is larger than {LARGEST_VALUE:g}")
    for each, most in rules.cleaning.max_value.items():
        check.add((pl.col(c.KIND) == each) & (pl.col(c.VALUE) > most), f"value of a {each} is larger than {most:g}")
    return check.divide(frame, batch)


def unify_items(batch: Batch, rules: Rules, name: str) -> Unified:
    """Items: item, title, title_en, category, brand, price, attributes (JSON object), row."""
    check = _Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    known = (c.ITEM, c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND, c.PRICE, c.ATTRIBUTES, c.ROW)
    extra = [column for column in batch.frame.columns if column not in known]
    texts = [check.text(column).fill_null("") for column in (c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND)]
    price = check.number(c.PRICE, lenient=True)
    attributes = check.text(c.ATTRIBUTES).fill_null("")
    if extra:
        attributes = pl.DataFrame([check.text(column) for column in extra]).select(
            pl.struct(extra).struct.json_encode().alias(c.ATTRIBUTES)
        )[c.ATTRIBUTES]
    frame = pl.DataFrame([check.id(c.ITEM), *texts, price, attributes, batch.frame[c.ROW]])
    check.add(pl.col(c.PRICE) < 0, "price is negative")
    return check.divide(frame, batch)


def unify_users(batch: Batch, rules: Rules, name: str) -> Unified:
    """Accounts: user, key (text or null), row."""
    check = _Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    frame = pl.DataFrame([check.id(c.USER), check.text("key"), batch.frame[c.ROW]])
    return check.divide(frame, batch)


def unify_links(
    batch: Batch,
    source: SourceConfig,
    between: tuple[str | None, str | None],
    domains: Sequence[str],
    rules: Rules,
    name: str,
) -> Unified:
    """Links: domain_a, user_a, domain_b, user_b, confidence, evidence, expires_at, row."""
    check = _Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    sides = []
    for column, fixed in zip((c.DOMAIN_A, c.DOMAIN_B), between, strict=True):
        if column not in batch.frame.columns and fixed is None:
            raise DataError(f"{name}: neither a column '{column}' nor the key {column} says the domain. Add one.")
        side = check.text(column).fill_null(fixed or "")
        check.add_flags(~side.is_in(list(domains)), f"{column} is not one of {', '.join(domains)}")
        sides.append(side)
    frame = pl.DataFrame(
        [
            sides[0],
            check.id(c.USER_A),
            sides[1],
            check.id(c.USER_B),
            check.number(c.CONFIDENCE).fill_null(1.0),
            check.text(c.EVIDENCE).fill_null(""),
            _times(check, c.EXPIRES_AT, source),
            batch.frame[c.ROW],
        ]
    )
    check.add((pl.col(c.CONFIDENCE) < 0) | (pl.col(c.CONFIDENCE) > 1), "confidence is not between 0 and 1")
    same = (pl.col(c.DOMAIN_A) == pl.col(c.DOMAIN_B)) & (pl.col(c.USER_A) == pl.col(c.USER_B))
    check.add(same, "the link joins an account with itself")
    return check.divide(frame, batch)


def unify_texts(batch: Batch, names: Sequence[str], rules: Rules, name: str) -> Unified:
    """Rows of ids alone: triples of a knowledge graph, items and their entities."""
    check = _Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    return check.divide(pl.DataFrame([*(check.id(column) for column in names), batch.frame[c.ROW]]), batch)


class _Checking:
    """Collects columns of one batch and the reasons against its rows; the first reason of a row counts."""

    def __init__(self, frame: pl.DataFrame, name: str, max_id_bytes: int) -> None:
        self.frame = frame
        self.name = name
        self.max_id_bytes = max_id_bytes
        self.flags: list[pl.Series] = []
        self.rules: list[tuple[pl.Expr, str]] = []

    def add(self, wrong: pl.Expr, reason: str) -> None:
        """A rule over the unified columns."""
        self.rules.append((wrong, reason))

    def add_flags(self, wrong: pl.Series, reason: str) -> None:
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
                raw.is_not_null() & ~whole, f"{column} is a fraction or too large to be exact; store it as text"
            )
            raw = raw.zip_with(whole.fill_null(value=False), pl.Series([None], dtype=raw.dtype)).cast(pl.Int64)
        values = self._as_text(raw)
        length = values.str.len_bytes()
        if optional:
            values = values.set(length == 0, None) if len(values) else values
        else:
            blank = values.is_null() | (values.str.strip_chars().str.len_bytes() == 0)
            self.add_flags(blank, f"{column} is missing")
        self.add_flags(length > self.max_id_bytes, f"{column} is longer than {self.max_id_bytes} bytes")
        self.add_flags(values.str.contains("\x00", literal=True), f"{column} has a NUL character")
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
            raise DataError(f"{self.name}: '{column}' is of type {raw.dtype}, it must be a number. Correct 'columns'.")
        if lenient:
            return values.zip_with(values.is_finite().fill_null(value=False), pl.Series([None], dtype=pl.Float64))
        self.add_flags(given & values.is_null(), f"{column} is not a number")
        self.add_flags(values.is_nan() | values.is_infinite(), f"{column} is not finite")
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
            try:
                return raw.cast(pl.String)
            except pl.exceptions.ComputeError:
                decoded = [None if value is None else value.decode("utf-8", "replace") for value in raw]
                return pl.Series(raw.name, decoded, pl.String)
        if kind.is_nested():
            return pl.Series(raw.name, [None if value is None else str(value) for value in raw], pl.String)
        if raw.name in self._ids():
            raise DataError(
                f"{self.name}: '{raw.name}' is of type {kind}, it must be text or whole numbers. Correct 'columns'."
            )
        return raw.cast(pl.String)

    @staticmethod
    def _ids() -> tuple[str, ...]:
        return (c.USER, c.ITEM, c.EVENT_ID, c.EXPOSURE_ID, c.USER_A, c.USER_B, c.HEAD, c.RELATION, c.TAIL, "entity")

    def divide(self, frame: pl.DataFrame, batch: Batch) -> Unified:
        """Good rows and bad ones."""
        reason = pl.lit(None, pl.String)
        for wrong, why in reversed(self.rules):
            reason = pl.when(wrong.fill_null(value=False)).then(pl.lit(why)).otherwise(reason)
        reasons = frame.select(reason.alias(REASON)).to_series()
        if len(reasons) != len(frame):  # no rule depends on the rows
            reasons = reasons.new_from_index(0, len(frame))
        bad = reasons.is_not_null()
        if not bad.any():
            return Unified(frame, _shorten(batch.rejected))
        raw = self.frame.filter(bad)
        content = raw.select(
            pl.struct(pl.exclude(c.ROW).cast(pl.String, strict=False)).struct.json_encode()
        ).to_series()
        rejected = pl.DataFrame([raw[c.ROW], reasons.filter(bad), content.alias(CONTENT)])
        return Unified(frame.filter(~bad), _shorten(pl.concat([batch.rejected, rejected])))


def _shorten(rejected: pl.DataFrame) -> pl.DataFrame:
    return rejected.with_columns(pl.col(CONTENT).str.head(LONGEST_CONTENT))


def _times(check: _Checking, column: str, source: SourceConfig) -> pl.Series:
    raw = check.raw(column)
    times = to_times(raw, source).alias(column)
    given = raw.is_not_null()
    if raw.dtype == pl.String:
        given &= ~raw.str.strip_chars().is_in(NO_VALUE)
    elif raw.dtype.is_float():
        given &= raw.is_not_nan()
    check.add_flags(given & times.is_null(), f"{column} is not a time")
    return times.cast(UTC)


def _kinds(check: _Checking, source: SourceConfig, default: Kind) -> pl.Series:
    words: dict[str, Kind] = {kind: kind for kind in KINDS}
    words.update(source.kinds)
    raw = check.text(c.KIND)
    kinds = _translate(raw, words)
    if (kinds.is_null() & raw.is_not_null()).any():  # only now the slower way: capitals and spaces
        kinds = kinds.zip_with(kinds.is_not_null(), _translate(raw.str.strip_chars().str.to_lowercase(), words))
    check.add_flags(kinds.is_null() & raw.is_not_null(), "kind is not a known word; map it in kinds")
    return kinds.zip_with(raw.is_not_null(), pl.Series([default], dtype=KIND_TYPE)).alias(c.KIND)


def _translate(raw: pl.Series, words: dict[str, Kind]) -> pl.Series:
    return raw.replace_strict(list(words), list(words.values()), default=None, return_dtype=KIND_TYPE)
