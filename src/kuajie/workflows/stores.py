"""What the service needs of the operational store, as Protocols; `storage/sql` implements them.

    EventStore      behaviour as it happens: idempotent, durable, in one order
    CatalogueStore  items, people, links, triples, editor's lists
    ShownStore      ranked lists, exposures, signals
    AccessStore     organisations and their keys
    WebhookStore    addresses that are told what happens, and what is on its way to them
    Exporter        everything since the beginning, for the next snapshot
    Store           all of them

Every write returns when it is durable, and raises `StoreError` when it may not be; then it is safe to send it again.
`sequence` numbers order all changes of events, items, people, links, triples and consents: who has read up to a number
misses nothing that becomes visible later. Times are UTC, to the microsecond.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

import polars as pl

from kuajie.core.records import (
    Account,
    ApiKey,
    BadEvent,
    Consent,
    Delivery,
    EditorList,
    Event,
    Exposure,
    Item,
    Kind,
    Link,
    Organisation,
    QuarantinedEvent,
    RankedList,
    Signal,
    StoredEvent,
    Traits,
    Triple,
    Verdict,
    Webhook,
)

T = TypeVar("T")

MOST_EVENTS = 500
"""Of one person, as many as a history needs."""


class EventStore(Protocol):
    """The log of behaviour. Rows are checked before they come here (`workflows.receive`)."""

    def submit(self, rows: Sequence[Event | BadEvent], at: datetime) -> Future[list[Verdict]]:
        """Queue rows to be stored together; the future is done when they are durable.

        An event is a duplicate if its (domain, event_id) was ever stored, or if its exposure was answered by the same
        kind before. Bad events go to the quarantine and are `rejected`.

        Args:
            rows: good and bad; the verdicts are in their order.
            at: when they were received.

        Raises:
            BusyError: the queue is full; nothing was taken. Everything else is raised by the future.
        """

    def append(self, rows: Sequence[Event | BadEvent], at: datetime) -> list[Verdict]:
        """`submit`, and wait.

        Raises:
            BusyError: the queue is full; nothing was taken.
            StoreError: the database failed; nothing is acknowledged.
        """

    def newest(self) -> int:
        """The largest sequence number of all changes; 0 where there is none."""

    def after(self, sequence: int, most: int = 1_000) -> list[StoredEvent]:
        """Events with a larger sequence number, in order."""

    def quarantined(self, after: int = 0, most: int = 1_000, domain: str | None = None) -> list[QuarantinedEvent]:
        """Bad events with a larger number, in order; of one domain, or of all."""

    def release(self, numbers: Sequence[int], rows: Sequence[Event], at: datetime) -> list[Verdict]:
        """Store what was quarantined and has been put right, and take it out of the quarantine, as one."""


@dataclass(frozen=True)
class Change(Generic[T]):
    """An item or a link as it stands since a change."""

    sequence: int
    value: T


class CatalogueStore(Protocol):
    """What the sides know; a second `put` of the same key replaces the first."""

    def put_items(self, items: Sequence[Item]) -> None:
        """Insert or replace."""

    def items(self, domain: str, ids: Sequence[str]) -> dict[str, Item]:
        """Those that there are."""

    def items_after(self, sequence: int, most: int = 1_000) -> list[Change[Item]]:
        """Items that changed after a sequence number, in order of their last change."""

    def put_people(self, people: Sequence[Traits]) -> None:
        """Insert or replace what accounts have declared."""

    def people(self, accounts: Sequence[Account]) -> dict[Account, Traits]:
        """Those that there are."""

    def put_links(self, links: Sequence[Link]) -> None:
        """Insert or replace; a link from a to b is the same as one from b to a."""

    def links_of(self, accounts: Sequence[Account]) -> list[Link]:
        """Links with one of the accounts at either end, also expired ones."""

    def links_after(self, sequence: int, most: int = 1_000) -> list[Change[Link]]:
        """Links that changed after a sequence number, in order of their last change."""

    def put_triples(self, triples: Sequence[Triple]) -> None:
        """Insert those that there are not."""

    def put_editor_list(self, chosen: EditorList) -> None:
        """Insert or replace; an empty list removes it."""

    def editor_list(self, target: str, placement: str = "") -> EditorList | None:
        """The list of the placement, else the one of every placement, else None."""

    def editor_lists(self) -> list[EditorList]:
        """All of them, by target and placement; they are few."""

    def put_consents(self, consents: Sequence[Consent]) -> list[bool]:
        """Insert or replace; of two the one that was changed later stays.

        Returns:
            Of each whether it counted when its turn came; False: a later one was known.
        """

    def consents_after(self, sequence: int, most: int = 1_000) -> list[Change[Consent]]:
        """Consents that changed after a sequence number, in order of their last change."""


@dataclass(frozen=True)
class Told:
    """A list with what was told of it.

    Attributes:
        ranked: the list.
        seen: ids of its target's items that were exposed.
        answered: of those, the ones that were answered.
    """

    ranked: RankedList
    seen: frozenset[str]
    answered: frozenset[str]


class ShownStore(Protocol):
    """What people were shown."""

    def save_lists(self, lists: Sequence[RankedList]) -> None:
        """Store lists; one with a known id is left as it is."""

    def submit_lists(self, lists: Sequence[RankedList]) -> Future[None]:
        """Queue lists; the answer to the person does not wait.

        Raises:
            BusyError: the queue is full; nothing was taken.
        """

    def ranked_list(self, list_id: str) -> RankedList | None:
        """A stored list."""

    def save_exposures(self, exposures: Sequence[Exposure]) -> list[Verdict]:
        """Store exposures, each (domain, exposure_id) once."""

    def exposures_of(self, list_id: str) -> list[Exposure]:
        """The exposures of a list, by position."""

    def told(
        self, tag: str, after: tuple[datetime, str], until: datetime, kinds: Sequence[Kind], most: int = 500
    ) -> list[Told]:
        """Lists by when they were made, then by id, with what was told of them.

        Args:
            tag: that they carry.
            after: moment and id of a list; those that come after it.
            until: those that were made before.
            kinds: of events that count as answers.
            most: of the first.
        """

    def prune(self, before: datetime, most: int) -> int:
        """Remove the oldest lists of before a time, at most so many, with exposures and signals; returns how many."""

    def submit_signals(self, signals: Sequence[Signal]) -> Future[None]:
        """Queue signals, each id once.

        Raises:
            BusyError: the queue is full; nothing was taken.
        """

    def signals_of(self, list_id: str) -> list[Signal]:
        """The signals of a list, oldest first."""


class AccessStore(Protocol):
    """Who may do what. Secrets never come here, only their hashes (`workflows.keys`)."""

    def put_organisation(self, organisation: Organisation) -> None:
        """Insert or replace, with its domains.

        Raises:
            UsageError: one of the domains belongs to another organisation.
        """

    def organisations(self) -> list[Organisation]:
        """All, by id."""

    def add_key(self, key: ApiKey) -> None:
        """Store a new key.

        Raises:
            UsageError: the id exists, or the organisation does not.
        """

    def key(self, key_id: str) -> ApiKey | None:
        """A key, also one that expired or was revoked."""

    def keys(self, organisation_id: str) -> list[ApiKey]:
        """The keys of an organisation, oldest first."""

    def revoke_key(self, key_id: str, at: datetime) -> None:
        """From now on it opens nothing; the first revocation stays.

        Raises:
            UsageError: there is no such key.
        """

    def rotate_key(self, key_id: str, successor: ApiKey, expires_at: datetime) -> None:
        """Store the successor and let the old key expire (never later than it would have), as one.

        Raises:
            UsageError: there is no such key, or the successor's id exists.
        """


MOST_WAITING = 20_000
"""Deliveries that may wait for one address."""


class WebhookStore(Protocol):
    """Addresses of organisations, and a queue that outlives the process."""

    def add_webhook(self, webhook: Webhook) -> None:
        """Store a new one."""

    def change_webhook(self, webhook: Webhook) -> None:
        """Replace one, but for what was lost; nothing happens where there is none any more."""

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove one, with everything that is on its way to it."""

    def webhook(self, webhook_id: str) -> Webhook | None:
        """One of them."""

    def webhooks(self, organisation_id: str | None = None) -> list[Webhook]:
        """Those of an organisation, or all, oldest first."""

    def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        """Queue deliveries; those with a known id are left as they are.

        What would be more than `MOST_WAITING` for one address is not queued, and counted in `Webhook.lost`.
        """

    def take(self, now: datetime, until: datetime, most: int = 32) -> list[Delivery]:
        """Waiting deliveries whose time has come, with one try more; until `until` nobody else gets them.

        Whoever takes them settles them; who dies leaves them to others.
        """

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Store what became of deliveries; those that are settled already stay as they are."""

    def deliveries(self, webhook_id: str, most: int = 100) -> list[Delivery]:
        """The newest deliveries to an address, newest first."""

    def prune(self, delivered: datetime, dead: datetime) -> None:
        """Forget what was delivered, or given up, before these times."""


ExportTable = Literal["events", "items", "people", "links", "triples"]


class Exporter(Protocol):
    """Everything since the beginning as frames with the names of `core.columns`, in batches of bounded size.

    events    domain, user, item, kind, occurred_at, value, event_id, exposure_id
    items     domain, item, title, title_en, category, brand, price, attributes (JSON)
    people    domain, user
    links     domain_a, user_a, domain_b, user_b, confidence, evidence, expires_at
    triples   domain, head, relation, tail
    """

    def frames(self, table: ExportTable, until: int) -> Iterator[pl.DataFrame]:
        """All rows of a table up to a sequence number, in order of it; none where there is no row."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what, a message.
        ok: whether it is as it should be.
        detail: what was found, in words for people.
    """

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class About:
    """What is stored of some accounts.

    Attributes:
        links: with one of them at either end, also expired ones, in the order of their last change.
        consents: of those that have said something.
        events: the newest of each by their time, oldest first; accounts without any are left out.
    """

    links: list[Link]
    consents: dict[Account, Consent]
    events: dict[Account, list[Event]]


class Store(Protocol):
    """The operational store."""

    def about(
        self,
        accounts: Sequence[Account],
        events_of: Sequence[Account],
        *,
        with_links: bool = True,
        most: int = MOST_EVENTS,
    ) -> About:
        """Links and consents of accounts, and the newest events of some of them, asked for at once.

        Args:
            accounts: whose links and consents.
            events_of: whose events.
            with_links: False: no links are asked for.
            most: events of each account.
        """

    @property
    def events(self) -> EventStore:
        """Behaviour."""

    @property
    def catalogue(self) -> CatalogueStore:
        """What the sides know."""

    @property
    def shown(self) -> ShownStore:
        """What people were shown."""

    @property
    def access(self) -> AccessStore:
        """Who may do what."""

    @property
    def webhooks(self) -> WebhookStore:
        """Who is told what happens."""

    @property
    def export(self) -> Exporter:
        """Everything, for the next snapshot."""

    @property
    def schema_version(self) -> str:
        """The migration that the database is at."""

    @property
    def queued_rows(self) -> int:
        """Rows that wait to be written."""

    def check(self) -> list[Finding]:
        """Whether it answers, is complete and current; never raises."""

    def close(self) -> None:
        """Finish what is queued, then let go of the database."""


class Cache(Protocol):
    """What processes share for a while and can lose: recent events, counters, lists.

    Everything in it can be made anew from the store, so a cache that does not answer is no error: reads find nothing.

    Attributes:
        shared: whether other processes see what this one puts there; then it is far away, and may take its time.
    """

    shared: ClassVar[bool]

    def remember(self, events: Sequence[Event]) -> None:
        """Add stored events to those of accounts that are known. Call it when they are durable."""

    def fill(self, recent: Mapping[Account, Sequence[Event]]) -> None:
        """Make accounts known by what the store just said of them, also those without any event.

        Accounts that were remembered a moment ago are left out, since the store may have been read before.
        """

    def recent(self, accounts: Sequence[Account]) -> dict[Account, list[Event]]:
        """The events of the accounts that are known, each once; who is missing must be asked of the store."""

    def count(self, name: str, seconds: int) -> int:
        """Count one more use of a name and return how many there were in the current window of so many seconds."""

    def put(self, name: str, value: bytes, seconds: int) -> None:
        """Keep a value for so long."""

    def get(self, name: str) -> bytes | None:
        """A value that is still kept."""

    def close(self) -> None:
        """Let go of it."""
