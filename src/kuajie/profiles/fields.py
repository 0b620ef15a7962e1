"""Fields of a profile: each says where it came from, how sure it is, and until when.

    sureness = n / (n + evidence) x 2 ** (-age / half life)

n observations against the prior of everybody: the credibility of Bühlmann (1967, "Experience rating and credibility",
ASTIN Bulletin 4). The second factor is the age of the newest observation; where no time is known it is 1. What was
declared has `declared_sureness` instead of the credibility.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from kuajie.core.records import Record
from kuajie.core.texts import Text
from kuajie.profiles.config import ProfilesConfig

Source = Literal["declared", "behaviour", "purchase", "text", "segment model"]
DAY = 86_400.0


class Field(Record, frozen=True):
    """One thing that is known of a person, or is not.

    Attributes:
        name: of the field; several fields may have one name, such as `interest`.
        value: None where it is unknown.
        source: where it comes from.
        sureness: 0..1; 0 where it is unknown.
        last_seen: the newest observation behind it, where times are known.
        expires_at: from then on it says nothing; None: it does not expire by itself.
        details: numbers behind the value.
        note: why it is unknown.
    """

    name: str
    value: str | float | None
    source: Source
    sureness: float
    last_seen: datetime | None = None
    expires_at: datetime | None = None
    details: dict[str, Any] = {}  # noqa: RUF012 - msgspec copies it
    note: str = ""


def unknown(name: str, source: Source, note: str) -> Field:
    """A field that says nothing, and why."""
    return Field(name=name, value=None, source=source, sureness=0.0, note=note)


def known(
    name: str,
    value: str | float,
    source: Source,
    base: float,
    seen: float,
    at: float,
    days: float,
    config: ProfilesConfig,
    details: dict[str, Any] | None = None,
) -> Field:
    """A field with its sureness and expiry; unknown where it has expired.

    Args:
        name: see `Field`.
        value: see `Field`.
        source: see `Field`.
        base: sureness without age, such as `credibility`.
        seen: unix seconds of the newest observation, NaN where no time is known.
        at: unix seconds, now.
        days: how long it holds.
        config: the half-life.
        details: see `Field`.
    """
    if np.isnan(seen):
        return Field(name=name, value=value, source=source, sureness=round(base, 4), details=details or {})
    expires = seen + days * DAY
    if at >= expires:
        when = moment(expires)
        field = unknown(name, source, Text("expired on {day}", day=str(when.date())))
        return Field(**{**_values(field), "last_seen": moment(seen), "expires_at": when})
    return Field(
        name=name,
        value=value,
        source=source,
        sureness=round(base * freshness(at - seen, config), 4),
        last_seen=moment(seen),
        expires_at=moment(expires),
        details=details or {},
    )


def credibility(n: float, config: ProfilesConfig) -> float:
    """Bühlmann's n / (n + k)."""
    return float(n / (n + config.evidence))


def freshness(age: float, config: ProfilesConfig) -> float:
    """1 for what is new, halved with every half-life."""
    return float(np.exp2(-max(0.0, age) / (DAY * config.half_life_days)))


def moment(seconds: float) -> datetime:
    """A time as a record holds it."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def _values(field: Field) -> dict[str, Any]:
    return {name: getattr(field, name) for name in field.__struct_fields__}
