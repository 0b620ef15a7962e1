"""What travels: requests and responses as structs. Unknown fields are refused."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from kuajie.core.records import Consent, Event, Item, Link, RankedItem, Traits, Triple, Verdict
from kuajie.core.texts import Translate, say

MOST_ROWS = 500
MOST_ITEMS = 100
Language = Literal["zh", "en"]
Rows = msgspec.Meta(min_length=1, max_length=MOST_ROWS)


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all that travels."""


class EventBatch(Wire, frozen=True):
    """Several events; a single one may be sent as it is."""

    events: Annotated[list[Event], Rows]


class Verdicts(Wire, frozen=True):
    """One verdict for each row, in their order; `accepted` and `duplicate` rows are durable."""

    verdicts: list[Verdict]
    accepted: int
    duplicate: int
    rejected: int

    @classmethod
    def of(cls, verdicts: list[Verdict], translate: Translate = str) -> "Verdicts":
        """Count them, and say their reasons in a language."""
        counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
        for verdict in verdicts:
            counts[verdict.status] += 1
        return cls(verdicts=[_said(each, translate) if each.reason else each for each in verdicts], **counts)


def _said(verdict: Verdict, translate: Translate) -> Verdict:
    reason = str(say(verdict.reason, translate))
    return msgspec.structs.replace(verdict, reason=reason)


class RecommendRequest(Wire, frozen=True):
    """Who is recommended items of which domain.

    `personalised: false` leaves the history out; `exclude` names items of the target.
    """

    domain: str
    user: str
    target: str
    k: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 10
    exclude: Annotated[list[str], msgspec.Meta(max_length=MOST_ROWS)] = []
    explain: bool = True
    personalised: bool = True
    placement: Annotated[str, msgspec.Meta(max_length=128)] = ""
    language: Language | None = None


class RecommendResponse(Wire, frozen=True):
    """A ranked list.

    `fallback` is empty where the list fits the person, "popular" where it shows what everybody likes; `degraded` says
    that something did not work.
    """

    list_id: str
    target: str
    model_version: str
    personalised: bool
    degraded: bool
    fallback: str
    placement: str
    items: tuple[RankedItem, ...]


class SimilarResponse(Wire, frozen=True):
    """Items that go with one item."""

    domain: str
    item: str
    target: str
    model_version: str
    fallback: str
    items: tuple[RankedItem, ...]


class ExposureRow(Wire, frozen=True):
    """The item at a position (the first is 0) of a list was seen."""

    exposure_id: str
    list_id: str
    position: int
    occurred_at: datetime | None = None
    placement: str = ""


class ExposureBatch(Wire, frozen=True):
    """What was seen."""

    exposures: Annotated[list[ExposureRow], Rows]


class FeedbackRow(Wire, frozen=True):
    """An item of a list was answered; it counts once for its exposure and kind."""

    event_id: str
    list_id: str
    exposure_id: str
    item: str
    kind: Literal["click", "purchase", "dismiss", "rate"]
    occurred_at: datetime | None = None
    value: float | None = None


class FeedbackBatch(Wire, frozen=True):
    """How it was answered."""

    feedback: Annotated[list[FeedbackRow], Rows]


class SegmentFields(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every call of Segment's HTTP Tracking API may say; fields that are not named here are not read.

    `context.domain` (or `integrations.kuajie.domain`) says whose domain it is, where an organisation has several.
    """

    message_id: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None


class SegmentTrack(SegmentFields, frozen=True, rename="camel"):
    """Somebody did something."""

    event: str
    properties: dict[str, Any] | None = None


class SegmentPage(SegmentFields, frozen=True, rename="camel"):
    """Somebody saw a page, or a screen of an app."""

    name: str | None = None
    properties: dict[str, Any] | None = None


class SegmentIdentify(SegmentFields, frozen=True, rename="camel"):
    """Who somebody is."""

    traits: dict[str, Any] | None = None


class SegmentBatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Several calls, each with its `type`; what the batch says of all of them, a call may say otherwise."""

    batch: Annotated[list[dict[str, Any]], Rows]
    sent_at: str | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None


class ItemBatch(Wire, frozen=True):
    """Items, new or changed."""

    items: Annotated[list[Item], Rows]


class PeopleBatch(Wire, frozen=True):
    """What accounts have declared."""

    people: Annotated[list[Traits], Rows]


class LinkBatch(Wire, frozen=True):
    """Accounts that are one person."""

    links: Annotated[list[Link], Rows]


class TripleBatch(Wire, frozen=True):
    """Edges of a knowledge graph."""

    triples: Annotated[list[Triple], Rows]


class ConsentBatch(Wire, frozen=True):
    """Who wants to be recommended what fits them, and who does not."""

    consents: Annotated[list[Consent], Rows]


class WebhookRequest(Wire, frozen=True):
    """An address to be told what happens; without `kinds` everything."""

    url: Annotated[str, msgspec.Meta(max_length=2_048)]
    kinds: Annotated[list[str], msgspec.Meta(max_length=50)] = []
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


class Removed(Wire, frozen=True):
    """What is not there any more."""

    removed: str


class UsedItem(Wire, frozen=True):
    """An item of a history."""

    domain: str
    item: str
    title: str


class Elsewhere(Wire, frozen=True):
    """There is a history in a domain of somebody else; what is in it is not said."""

    domain: str
    title: str


class Profile(Wire, frozen=True):
    """What is known of a person, as far as it belongs to the caller."""

    domain: str
    user: str
    accounts: list[str]
    attributes: dict[str, str]
    personalised: bool
    recent: list[UsedItem]
    elsewhere: list[Elsewhere]
    degraded: bool


class Alive(Wire, frozen=True):
    """The process answers."""

    status: str


class Ready(Wire, frozen=True):
    """What the process answers with. `refused` names a model version that must not serve, and why."""

    ready: bool
    model_version: str
    snapshot_id: str
    store: Literal["good", "down"]
    refused: str = ""


class Failure(Wire, frozen=True):
    """Every error: what is wrong, and what to do."""

    error: str
    do: str
