"""What is known of a person."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from kuajie.service.wire.base import Wire


class UsedItem(Wire, frozen=True):
    """An item of a history."""

    domain: str
    item: str
    title: str


class Elsewhere(Wire, frozen=True):
    """There is a history in a domain of somebody else; what is in it is not said."""

    domain: str
    title: str


class TasteShare(Wire, frozen=True):
    """What part of the history in the caller's domains is of a category or brand, by the strength of its events."""

    domain: str
    name: str
    share: float


class ProfileField(Wire, frozen=True):
    """One thing that is known of a person: where it comes from, how sure it is (0..1), until when it holds.

    `value` is null where it is unknown, and `note` says why.
    """

    name: str
    value: str | float | None
    source: Literal["declared", "behaviour", "purchase", "text", "segment model"]
    sureness: float
    last_seen: datetime | None
    expires_at: datetime | None
    details: dict[str, Any]
    note: str


class Profile(Wire, frozen=True):
    """What is known of a person, as far as it belongs to the caller."""

    domain: str
    user: str
    accounts: list[str]
    attributes: dict[str, str]
    personalised: bool
    categories: list[TasteShare]
    brands: list[TasteShare]
    recent: list[UsedItem]
    elsewhere: list[Elsewhere]
    degraded: bool
    fields: list[ProfileField] = msgspec.field(default_factory=list)
