"""Settings to search, as they are written on the command line."""

import tomllib
from typing import Any

from kuajie.core.errors import UsageError
from kuajie.evaluation.tuning import Range


def parse_setting(text: str) -> tuple[str, Range | list[Any]]:
    """`k=50,100,200` (values), `shrinkage=0:50` or `regularization=0.1:100:log` (a range).

    Raises:
        UsageError: none of these.
    """
    key, _, values = (part.strip() for part in text.partition("="))
    if not (key and values):
        raise UsageError("a setting is written KEY=VALUE,VALUE or KEY=LOW:HIGH, got '{text}'", text=text)
    if ":" not in values:
        return key, [_value(value.strip()) for value in values.split(",")]
    low, high, *rest = (_value(part.strip()) for part in values.split(":"))
    if rest not in ([], ["log"]) or not (_is_number(low) and _is_number(high)):
        raise UsageError("a range is written LOW:HIGH or LOW:HIGH:log, with numbers, got '{values}'", values=values)
    return key, Range(low, high, log=bool(rest), whole=isinstance(low, int) and isinstance(high, int))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(text: str) -> Any:  # noqa: ANN401 # whatever TOML knows
    """A value as in TOML; a bare word is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
