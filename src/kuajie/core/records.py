"""The records along the way of one behaviour event (read top to bottom).

event -> history -> snapshot -> model version -> ranked list -> exposure -> feedback -> effect report

Every record carries the key of the record before it, so nothing is looked up backwards.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

Kind = Literal[
    "view", "play", "read", "listen", "search", "collect", "cart", "purchase", "rate", "share", "register",
    "click", "dismiss",
]  # fmt: skip


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Base of all records: immutable, compared by value.

    They hold plain values and each other, so none is ever part of a cycle, and the garbage collector passes them over.
    """


class Account(Record, frozen=True):
    """One user of one domain, as that domain names them."""

    domain: str
    user: str


class Item(Record, frozen=True):
    """One thing that can be recommended."""

    domain: str
    item: str
    title: str = ""
    title_en: str = ""
    category: str = ""
    brand: str = ""
    price: float | None = None
    attributes: dict[str, str] = {}


class Event(Record, frozen=True):
    """Somebody did something with an item. Feedback is an event with an `exposure_id`, counted once for each kind.

    `properties` is any JSON object that the sender wants to keep.
    """

    event_id: str
    domain: str
    user: str
    item: str
    kind: Kind
    occurred_at: datetime | None = None
    value: float | None = None
    exposure_id: str | None = None
    properties: dict[str, Any] = {}


class StoredEvent(Record, frozen=True):
    """An event in the operational store; a later commit has a larger sequence number."""

    sequence: int
    received_at: datetime
    event: Event


class BadEvent(Record, frozen=True):
    """What arrived as an event and is none; `raw` is what was sent, as far as it is text."""

    reason: str
    raw: str
    domain: str = ""
    event_id: str = ""


class QuarantinedEvent(Record, frozen=True):
    """A bad event in the quarantine of the operational store."""

    number: int
    received_at: datetime
    bad: BadEvent


class Verdict(Record, frozen=True):
    """What became of one row that was sent; `accepted` and `duplicate` are durable."""

    id: str
    status: Literal["accepted", "duplicate", "rejected"]
    reason: str = ""


class Traits(Record, frozen=True):
    """What an account has declared about itself, or its domain about it."""

    account: Account
    attributes: dict[str, str] = {}


class Consent(Record, frozen=True):
    """Whether somebody wants to be recommended what fits them. Who has said nothing does."""

    account: Account
    personalised: bool
    changed_at: datetime


class Triple(Record, frozen=True):
    """One edge of a domain's knowledge graph."""

    domain: str
    head: str
    relation: str
    tail: str


class Link(Record, frozen=True):
    """Two accounts are believed to be one person."""

    a: Account
    b: Account
    confidence: float = 1.0
    evidence: str = ""
    expires_at: datetime | None = None


class Snapshot(Record, frozen=True):
    """Frozen, cleaned training data."""

    snapshot_id: str
    as_of: datetime
    domains: tuple[str, ...]
    people: int
    linked_people: int
    events: int
    items: dict[str, int]


class ModelVersion(Record, frozen=True):
    """A fitted model: arrays and a JSON manifest in one folder.

    Attributes:
        chosen_at: when its members and their settings were chosen on validation data.
        based_on: the version that they were taken from, where they were not chosen anew.
    """

    model_version: str
    snapshot_id: str
    kind: str
    created_at: datetime
    contains_histories: bool = False
    metrics: dict[str, dict[str, float]] = {}
    chosen_at: datetime | None = None
    based_on: str = ""


ReasonKind = Literal["history", "path", "words", "profile", "popular", "new", "editor"]


class Reason(Record, frozen=True, omit_defaults=True):
    """What carried a recommended item. `share` is its part of the score (0..1).

    `kind` says what the share came from: something in the history, as such, or because it is connected with the item,
    by a path of the knowledge graph or by words that both share; who the person is (`profile`); what everybody likes
    (`popular`); that the item is new; an editor's choice. `item` is empty unless something in the history carried the
    share. `via` is the connection: the names on the path, relations and things in turn, or the shared words.
    """

    domain: str
    item: str
    title: str
    share: float
    exact: bool
    text: str
    kind: ReasonKind = "history"
    via: tuple[str, ...] = ()


class RankedItem(Record, frozen=True):
    """One place of a ranked list. `propensity`: how probable the item was at this place; None where nobody knows."""

    domain: str
    item: str
    title: str
    score: float
    reasons: tuple[Reason, ...] = ()
    propensity: float | None = None


class RankedList(Record, frozen=True):
    """What one person is shown.

    `tags` are `rerank:STEP` for each step of re-ranking that it went through, then whatever the asking page wanted to
    be kept with it.
    """

    list_id: str
    account: Account
    target: str
    model_version: str
    created_at: datetime
    items: tuple[RankedItem, ...]
    fallback: str = ""
    placement: str = ""
    tags: tuple[str, ...] = ()


class EditorList(Record, frozen=True):
    """Items of a target domain that an editor chose, the last fallback; an empty placement stands for every other."""

    target: str
    placement: str
    items: tuple[str, ...]


class Exposure(Record, frozen=True):
    """A ranked item was seen. Domain and item let it stand where its list was never stored."""

    exposure_id: str
    list_id: str
    placement: str
    position: int
    occurred_at: datetime
    domain: str = ""
    item: str = ""


class Signal(Record, frozen=True):
    """Something that was done with a ranked item and says nothing about taste, such as asking why it is there.

    It is counted, and never becomes part of a history.
    """

    signal_id: str
    list_id: str
    domain: str
    item: str
    kind: Literal["why"]
    occurred_at: datetime


class Feedback(Record, frozen=True):
    """A seen item was answered."""

    exposure_id: str
    kind: Literal["click", "purchase", "dismiss", "rate"]
    occurred_at: datetime
    value: float | None = None


class EffectReport(Record, frozen=True):
    """The measured effect of one arm against its control."""

    campaign_id: str
    arm: str
    model_version: str
    metric: str
    effect: float
    low: float
    high: float
    p_value: float


class Organisation(Record, frozen=True):
    """A company that uses the service, and the domains that are its own."""

    organisation_id: str
    name: str
    created_at: datetime
    domains: tuple[str, ...] = ()


class ApiKey(Record, frozen=True):
    """A credential of an organisation. Its secret is shown once, when it is made; only a hash is kept.

    Attributes:
        kind: `publishable` keys stand in web pages and are bound to `origins`; `secret` keys stay on servers.
        scopes: what it may do; the names belong to the service.
        secret_hash: SHA-256 of the secret, in hex.
    """

    key_id: str
    organisation_id: str
    kind: Literal["secret", "publishable"]
    secret_hash: str
    created_at: datetime
    name: str = ""
    role: str = ""
    scopes: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class Webhook(Record, frozen=True):
    """An address of an organisation that is told what happens.

    Attributes:
        kinds: of notices that it wants.
        key_check: tells whether a process derives the same signing secret as the one that registered it.
        lost: notices that were not queued because too many were waiting.
        failing_since: the first failure after the last success.
        disabled_at: from then on it is told nothing.
    """

    webhook_id: str
    organisation_id: str
    url: str
    kinds: tuple[str, ...]
    created_at: datetime
    key_check: str = ""
    description: str = ""
    lost: int = 0
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_because: str = ""


class Delivery(Record, frozen=True):
    """One notice on its way to one address; `body` is what is sent, byte by byte.

    Attributes:
        next_at: when it is tried; while it is being tried, when another process may.
        settled_at: when it was delivered or given up.
        status, problem: of the last try.
    """

    delivery_id: str
    webhook_id: str
    kind: str
    created_at: datetime
    body: str
    next_at: datetime
    state: Literal["waiting", "delivered", "dead"] = "waiting"
    tries: int = 0
    settled_at: datetime | None = None
    status: int | None = None
    problem: str = ""
