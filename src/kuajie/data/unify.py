"""Raw columns -> the unified schema: exact ids, times in UTC, finite numbers, known kinds; and why a row is bad.

Every row comes out once: in `good`, or in `rejected` with its number, one reason and what it held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError
from kuajie.core.records import Kind
from kuajie.core.texts import Text
from kuajie.data.checking import KEY, NO_VALUE, Checking, Unified
from kuajie.data.config import CleaningConfig, SourceConfig
from kuajie.data.kinds import KINDS, LARGEST_VALUE
from kuajie.data.sources.base import CONTENT, Batch
from kuajie.data.times import UTC, to_times
from kuajie.data.vectors import vector, vector_names

KIND_TYPE = pl.Enum(KINDS)


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
    check = Checking(batch.frame, name, rules.cleaning.max_id_bytes)
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
    check.add(
        when < rules.cleaning.earliest, Text("occurred_at is before {day}", day=str(rules.cleaning.earliest.date()))
    )
    check.add(when > latest, Text("occurred_at is in the future"))
    check.add(pl.col(c.VALUE) < 0, Text("value is negative"))
    check.add(pl.col(c.VALUE) > LARGEST_VALUE, Text("value is larger than {most:g}", most=LARGEST_VALUE))
    for each, most in rules.cleaning.max_value.items():
        reason = Text("value of a {kind} is larger than {most:g}", kind=each, most=most)
        check.add((pl.col(c.KIND) == each) & (pl.col(c.VALUE) > most), reason)
    return check.divide(frame, batch)


def unify_items(batch: Batch, rules: Rules, name: str, sizes: dict[str, int] | None = None) -> Unified:
    """Items: item, title, title_en, category, brand, price, attributes (JSON object), row, and vectors.

    Args:
        batch: raw.
        rules: what is possible.
        name: of the source, for errors.
        sizes: lengths of vectors so far, see `vectors.vector`.
    """
    check = Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    given = vector_names(batch.frame.columns)
    known = (*given, c.ITEM, c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND, c.PRICE, c.ATTRIBUTES, c.ROW)
    extra = [column for column in batch.frame.columns if column not in known]
    texts = [check.text(column).fill_null("") for column in (c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND)]
    price = check.number(c.PRICE, lenient=True)
    attributes = check.text(c.ATTRIBUTES).fill_null("")
    if extra:
        attributes = pl.DataFrame([check.text(column) for column in extra]).select(
            pl.struct(extra).struct.json_encode().alias(c.ATTRIBUTES)
        )[c.ATTRIBUTES]
    vectors = [vector(check, column, {} if sizes is None else sizes) for column in given]
    frame = pl.DataFrame([check.id(c.ITEM), *texts, price, attributes, batch.frame[c.ROW], *vectors])
    check.add(pl.col(c.PRICE) < 0, Text("price is negative"))
    return check.divide(frame, batch)


def unify_users(batch: Batch, rules: Rules, name: str) -> Unified:
    """Accounts: user, key (text or null), attributes (JSON object, empty where nothing is declared), row."""
    check = Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    frame = pl.DataFrame([check.id(c.USER), check.text(KEY), _declared(check), batch.frame[c.ROW]])
    hidden = Batch(batch.frame, batch.rejected.with_columns(pl.lit("").alias(CONTENT)))  # the lines hold keys
    return check.divide(frame, hidden)


def _declared(check: Checking) -> pl.Series:
    """Every column beside those that are known as one JSON object; what is empty is not in it."""
    extra = [column for column in check.frame.columns if column not in {c.USER, KEY, c.ATTRIBUTES, c.ROW}]
    if not extra:
        return check.text(c.ATTRIBUTES).fill_null("")
    told = pl.DataFrame([check.text(column) for column in extra])
    something = pl.any_horizontal(pl.all().fill_null("") != "")
    return told.select(
        pl.when(something).then(pl.struct(extra).struct.json_encode()).otherwise(pl.lit("")).alias(c.ATTRIBUTES)
    ).to_series()


def unify_links(
    batch: Batch,
    source: SourceConfig,
    between: tuple[str | None, str | None],
    domains: Sequence[str],
    rules: Rules,
    name: str,
) -> Unified:
    """Links: domain_a, user_a, domain_b, user_b, confidence, evidence, expires_at, row."""
    check = Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    sides = []
    for column, fixed in zip((c.DOMAIN_A, c.DOMAIN_B), between, strict=True):
        if column not in batch.frame.columns and fixed is None:
            raise DataError(
                "{source}: neither a column '{column}' nor the key {column} says the domain. Add one.",
                source=name,
                column=column,
            )
        side = check.text(column).fill_null(fixed or "")
        check.add_flags(
            ~side.is_in(list(domains)), Text("{column} is not one of {known}", column=column, known=", ".join(domains))
        )
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
    check.add((pl.col(c.CONFIDENCE) < 0) | (pl.col(c.CONFIDENCE) > 1), Text("confidence is not between 0 and 1"))
    same = (pl.col(c.DOMAIN_A) == pl.col(c.DOMAIN_B)) & (pl.col(c.USER_A) == pl.col(c.USER_B))
    check.add(same, Text("the link joins an account with itself"))
    return check.divide(frame, batch)


def unify_texts(batch: Batch, names: Sequence[str], rules: Rules, name: str) -> Unified:
    """Rows of ids alone: triples of a knowledge graph, items and their entities."""
    check = Checking(batch.frame, name, rules.cleaning.max_id_bytes)
    return check.divide(pl.DataFrame([*(check.id(column) for column in names), batch.frame[c.ROW]]), batch)


def _times(check: Checking, column: str, source: SourceConfig) -> pl.Series:
    raw = check.raw(column)
    times = to_times(raw, source).alias(column)
    given = raw.is_not_null()
    if raw.dtype == pl.String:
        given &= ~raw.str.strip_chars().is_in(NO_VALUE)
    elif raw.dtype.is_float():
        given &= raw.is_not_nan()
    check.add_flags(given & times.is_null(), Text("{column} is not a time", column=column))
    return times.cast(UTC)


def _kinds(check: Checking, source: SourceConfig, default: Kind) -> pl.Series:
    words: dict[str, Kind] = {kind: kind for kind in KINDS}
    words.update(source.kinds)
    raw = check.text(c.KIND)
    kinds = _translate(raw, words)
    if (kinds.is_null() & raw.is_not_null()).any():  # only now the slower way: capitals and spaces
        kinds = kinds.zip_with(kinds.is_not_null(), _translate(raw.str.strip_chars().str.to_lowercase(), words))
    check.add_flags(kinds.is_null() & raw.is_not_null(), Text("kind is not a known word; map it in kinds"))
    return kinds.zip_with(raw.is_not_null(), pl.Series([default], dtype=KIND_TYPE)).alias(c.KIND)


def _translate(raw: pl.Series, words: dict[str, Kind]) -> pl.Series:
    return raw.replace_strict(list(words), list(words.values()), default=None, return_dtype=KIND_TYPE)
