"""Webhooks: where organisations are told what happens."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from kuajie.service.wire.base import Wire


class WebhookRequest(Wire, frozen=True):
    """An address to be told what happens; without `kinds` everything."""

    url: Annotated[str, msgspec.Meta(max_length=2_048)]
    kinds: Annotated[list[str], msgspec.Meta(max_length=50)] = msgspec.field(default_factory=list)
    description: Annotated[str, msgspec.Meta(max_length=200)] = ""


class WebhookShown(Wire, frozen=True):
    """An address. A failing one is tried on; a disabled one is told nothing. `lost` notices were too many to wait."""

    webhook_id: str
    url: str
    kinds: tuple[str, ...]
    description: str
    created_at: datetime
    state: Literal["working", "failing", "disabled"]
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_because: str
    lost: int


class WebhookMade(Wire, frozen=True):
    """A new address, with the secret that its notices are signed with; it is not shown again."""

    webhook: WebhookShown
    secret: str


class WebhookList(Wire, frozen=True):
    """The addresses of the caller."""

    webhooks: list[WebhookShown]


class DeliveryShown(Wire, frozen=True):
    """A notice on its way: when it is tried next, or when it was settled; status and problem of the last try."""

    delivery_id: str
    kind: str
    created_at: datetime
    state: Literal["waiting", "delivered", "dead"]
    tries: int
    next_at: datetime | None
    settled_at: datetime | None
    status: int | None
    problem: str


class DeliveryList(Wire, frozen=True):
    """The newest deliveries, newest first."""

    deliveries: list[DeliveryShown]
