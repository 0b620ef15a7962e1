"""Columns from Python values (JSON, databases): exact text, and no whole number ever becomes a float."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import polars as pl

LARGEST = 2**63 - 1


def column(name: str, values: Sequence[object]) -> pl.Series:
    """A column of the narrowest type that holds all values exactly; text where they differ."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pl.Series(name, [None] * len(values), pl.String)
    if kinds == {str}:
        return _text(name, values)
    if kinds == {int} and all(value is None or -LARGEST <= value <= LARGEST for value in values):  # type: ignore[operator]
        return pl.Series(name, values, pl.Int64)
    if kinds == {float}:
        return pl.Series(name, values, pl.Float64)
    if kinds in ({datetime}, {date}):
        zoned = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
        if zoned == {False}:
            return pl.Series(name, values, pl.Datetime("us"))
        if zoned in ({True}, set()):
            return pl.Series(name, values, pl.Datetime("us", "UTC") if zoned else pl.Date())
    return _text(name, [None if value is None else as_text(value) for value in values])


def _text(name: str, values: Sequence[object]) -> pl.Series:
    try:
        return pl.Series(name, values, pl.String)
    except UnicodeEncodeError:  # half of a surrogate pair is no text
        return pl.Series(name, [value if _is_text(value) else None for value in values], pl.String)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def as_text(value: object) -> str | None:
    """The value as text: numbers in full, times in ISO 8601, lists and objects as JSON; None: these are no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return str(value)
