"""Times and small JSON values, as the tables keep them."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
T = TypeVar("T")


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly; a time without a zone is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The time, in UTC."""
    return EPOCH + timedelta(microseconds=micros)


def to_optional(moment: datetime | None) -> int | None:
    """The same of a time that may be missing."""
    return None if moment is None else to_micros(moment)


def from_optional(micros: int | None) -> datetime | None:
    """The same of a time that may be missing."""
    return None if micros is None else from_micros(micros)


def to_json(value: object) -> str:
    """Any value of our records as JSON."""
    return msgspec.json.encode(value).decode()


def from_json(text: str, kind: type[T]) -> T:
    """A value as it was."""
    return msgspec.json.decode(text, type=kind)
