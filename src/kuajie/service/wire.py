"""What travels: requests and responses as structs. Unknown fields are refused."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from kuajie.core.records import Consent, EditorList, Event, Item, Link, RankedItem, Reason, Traits, Triple, Verdict
from kuajie.core.texts import Translate, say

MOST_ROWS = 500
MOST_ITEMS = 100
MOST_LISTS = 20
"""Editor's lists of one request."""
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


class ItemRef(Wire, frozen=True):
    """An item, by its name."""

    domain: str
    item: str


class Context(Wire, frozen=True):
    """The page that asks: the item it shows counts as just viewed, for this list alone; tags are kept with the list."""

    item: ItemRef | None = None
    tags: Annotated[list[Annotated[str, msgspec.Meta(max_length=128)]], msgspec.Meta(max_length=16)] = []


class RecommendRequest(Wire, frozen=True):
    """Who is recommended items of which domain.

    Without a `user` the list fits the page alone. `personalised: false` leaves the history out; `exclude` names items
    of the target; `query` leaves only what fits its words.
    """

    domain: str
    target: str
    user: str = ""
    k: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 10
    exclude: Annotated[list[str], msgspec.Meta(max_length=MOST_ROWS)] = []
    explain: bool = True
    personalised: bool = True
    placement: Annotated[str, msgspec.Meta(max_length=128)] = ""
    query: str = ""
    context: Context = Context()
    language: Language | None = None


class RecommendResponse(Wire, frozen=True):
    """A ranked list.

    `list_id` is signed: exposures and feedback name it as it is. `fallback` is empty where the list fits the person or
    the page, "cached" where it is an earlier one, "popular" where it shows what everybody likes, "editor" where an
    editor chose; `degraded` says that something did not work.
    """

    list_id: str
    target: str
    model_version: str
    personalised: bool
    degraded: bool
    fallback: str
    placement: str
    items: tuple[RankedItem, ...]


class SearchRequest(Wire, frozen=True):
    """What is looked for, in words; who asks, if somebody does: a `domain`, and a `user` of it or the page alone.

    `targets` names the domains to look in, none: all; `personalised: false` leaves the history out.
    """

    query: str
    domain: str = ""
    user: str = ""
    targets: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    k: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 10
    explain: bool = True
    personalised: bool = True
    placement: Annotated[str, msgspec.Meta(max_length=128)] = ""
    language: Language | None = None


class Matched(Wire, frozen=True):
    """A field of an item that words of the query are in.

    `field` is "title", "category", "brand", "item" or "attributes." and a name; `ranges` are first character and
    last + 1 in `text`, counted in code points.
    """

    field: str
    text: str
    ranges: list[tuple[int, int]]


class FoundItem(Wire, frozen=True):
    """An item that was found. `score` orders the list; `text_score` is what the words alone say."""

    domain: str
    item: str
    title: str
    score: float
    text_score: float
    matched: list[Matched]
    reasons: tuple[Reason, ...]


class CategoryCount(Wire, frozen=True):
    """How many of the found items are in a category."""

    category: str
    count: int


class DomainCount(Wire, frozen=True):
    """How many items of a domain were found, and its largest categories among them."""

    domain: str
    title: str
    count: int
    categories: list[CategoryCount]


class KnowledgeHit(Wire, frozen=True):
    """Something of the knowledge graph that is no item: a brand, a topic. `domains` counts the triples that name it."""

    name: str
    relations: tuple[str, ...]
    domains: dict[str, int]
    triples: tuple[Triple, ...]
    score: float


class SearchResponse(Wire, frozen=True):
    """What was found, best first; `domains` counts everything, `items` are the first.

    `list_id` is empty where nobody asked: nothing can answer such a list.
    """

    list_id: str
    model_version: str
    personalised: bool
    degraded: bool
    placement: str
    items: list[FoundItem]
    domains: list[DomainCount]
    knowledge: list[KnowledgeHit]


class SimilarResponse(Wire, frozen=True):
    """Items that go with one item."""

    domain: str
    item: str
    target: str
    model_version: str
    fallback: str
    items: tuple[RankedItem, ...]


class ExposureRow(Wire, frozen=True):
    """The item at a position (the first is 0) of a list was seen.

    Named, the exposure stands even where the list got lost before it was stored; of what a search found in several
    domains `domain` is named too.
    """

    exposure_id: str
    list_id: str
    position: int
    item: str = ""
    domain: str = ""
    occurred_at: datetime | None = None
    placement: str = ""


class ExposureBatch(Wire, frozen=True):
    """What was seen."""

    exposures: Annotated[list[ExposureRow], Rows]


class FeedbackRow(Wire, frozen=True):
    """An item of a list was answered; it counts once for its exposure and kind.

    `domain` is the item's, needed only where a list holds two items of one id.
    `dismiss` is "not interested", in the item alone or, by `scope`, in its brand or category.
    """

    event_id: str
    list_id: str
    exposure_id: str
    item: str
    kind: Literal["click", "purchase", "dismiss", "rate"]
    domain: str = ""
    occurred_at: datetime | None = None
    value: float | None = None
    scope: Literal["item", "brand", "category"] = "item"


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


class EditorListBatch(Wire, frozen=True):
    """Editor's lists, new or changed; an empty placement stands for every other, an empty list removes."""

    lists: Annotated[list[EditorList], msgspec.Meta(min_length=1, max_length=MOST_LISTS)]


class EditorListsReply(Wire, frozen=True):
    """Editor's lists of a domain."""

    lists: list[EditorList]


class WhyResponse(Wire, frozen=True):
    """Why an item is in a list.

    `reasons` are those that the list carries. `paths` is everything in the history that speaks for the item as it
    stands now, with its share, the strongest first; empty where another model serves by now, or no history was used.
    """

    list_id: str
    domain: str
    item: str
    title: str
    position: int
    fallback: str
    model_version: str
    propensity: float | None
    reasons: tuple[Reason, ...]
    paths: tuple[Reason, ...]


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
    fields: list[ProfileField] = []


class KeyRequest(Wire, frozen=True):
    """A key that is wanted.

    An organisation that is new is made, with its domains. `scopes` left out: everything that its kind may, without what
    operators may (`operations`, `admin`). Publishable keys stand in web pages and need their `origins`.
    """

    organisation: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    domains: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    kind: Literal["secret", "publishable"] = "secret"
    origins: Annotated[list[str], msgspec.Meta(max_length=100)] = []
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


class Alive(Wire, frozen=True):
    """The process answers."""

    status: str


class Ready(Wire, frozen=True):
    """What the process answers with.

    Operators alone are told the rest: `refused` names a model version that must not serve, and why; `loop` what became
    of the last round of the loop.
    """

    ready: bool
    model_version: str
    store: Literal["good", "down"]
    snapshot_id: str = ""
    refused: str = ""
    loop: str = ""


class Failure(Wire, frozen=True):
    """Every error: what is wrong, what to do, and how the operators find it in their log."""

    error: str
    do: str
    request_id: str = ""
