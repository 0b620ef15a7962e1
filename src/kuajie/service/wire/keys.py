"""Keys of organisations."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from kuajie.service.wire.base import Wire


class KeyRequest(Wire, frozen=True):
    """A key that is wanted.

    An organisation that is new is made, with its domains. `scopes` left out: everything that its kind may, without what
    operators may (`operations`, `admin`). Publishable keys stand in web pages and need their `origins`.
    """

    organisation: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    domains: Annotated[list[str], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=list)
    kind: Literal["secret", "publishable"] = "secret"
    origins: Annotated[list[str], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=list)
    scopes: Annotated[list[str], msgspec.Meta(max_length=20)] | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""


class RotateRequest(Wire, frozen=True):
    """For how many hours the old key goes on."""

    hours: Annotated[int, msgspec.Meta(ge=0, le=8_760)] = 24


class KeyShown(Wire, frozen=True):
    """A key without its secret."""

    key_id: str
    organisation: str
    kind: Literal["secret", "publishable"]
    name: str
    scopes: list[str]
    origins: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyMade(KeyShown, frozen=True):
    """A new key; `key` is shown this once."""

    key: str


class KeyList(Wire, frozen=True):
    """All keys."""

    keys: list[KeyShown]
