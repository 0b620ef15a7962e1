"""An operational store in memory, for tests: no database, the same answers (`testing.stores` holds it to them)."""

import math
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import UsageError
from kuajie.core.records import (
    Account,
    ApiKey,
    BadEvent,
    Consent,
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
)
from kuajie.testing.memory_webhooks import MemoryWebhooks
from kuajie.workflows.stores import MOST_EVENTS, About, Change, ExportTable, Finding, Told

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
COUNTED_ONCE = "this exposure was answered by the same kind before"


class Counter:
    """The sequence of all changes."""

    def __init__(self) -> None:
        self.value = 0

    def next(self) -> int:
        """One more."""
        self.value += 1
        return self.value


@dataclass
class MemoryEvents:
    """`workflows.stores.EventStore`."""

    counter: Counter
    lock: threading.RLock
    failure: Exception | None = None
    """Raised by every write while it is set: what a broken database would do."""
    stored: list[StoredEvent] = field(default_factory=list)
    bad: dict[int, QuarantinedEvent] = field(default_factory=dict)
    keys: set[tuple[str, ...]] = field(default_factory=set)
    last_bad: int = 0

    def submit(self, rows: Sequence[Event | BadEvent], at: datetime) -> Future[list[Verdict]]:
        """See `EventStore.submit`."""
        future: Future[list[Verdict]] = Future()
        try:
            future.set_result(self.append(rows, at))
        except Exception as error:
            future.set_exception(error)
        return future

    def append(self, rows: Sequence[Event | BadEvent], at: datetime) -> list[Verdict]:
        """See `EventStore.append`."""
        with self.lock:
            if self.failure is not None:
                raise self.failure
            return [self._quarantine(row, at) if isinstance(row, BadEvent) else self._store(row, at) for row in rows]

    def _quarantine(self, bad: BadEvent, at: datetime) -> Verdict:
        self.last_bad += 1
        self.bad[self.last_bad] = QuarantinedEvent(number=self.last_bad, received_at=at, bad=bad)
        return Verdict(id=bad.event_id, status="rejected", reason=bad.reason)

    def _store(self, event: Event, at: datetime) -> Verdict:
        if ("id", event.domain, event.event_id) in self.keys:
            return Verdict(id=event.event_id, status="duplicate")
        answer = ("answer", event.domain, event.exposure_id or "", event.kind)
        if event.exposure_id is not None and answer in self.keys:
            return Verdict(id=event.event_id, status="duplicate", reason=COUNTED_ONCE)
        self.keys.update([("id", event.domain, event.event_id), answer])
        self.stored.append(StoredEvent(sequence=self.counter.next(), received_at=at, event=event))
        return Verdict(id=event.event_id, status="accepted")

    def newest(self) -> int:
        """See `EventStore.newest`."""
        return self.counter.value

    def after(self, sequence: int, most: int = 1_000) -> list[StoredEvent]:
        """See `EventStore.after`."""
        return [each for each in self.stored if each.sequence > sequence][:most]

    def recent(self, accounts: Sequence[Account], most: int = MOST_EVENTS) -> dict[Account, list[Event]]:
        """What `Store.about` says of events."""
        found: dict[Account, list[Event]] = {}
        for account in dict.fromkeys(accounts):
            own = [s for s in self.stored if (s.event.domain, s.event.user) == (account.domain, account.user)]
            own.sort(key=lambda s: (s.event.occurred_at.timestamp() if s.event.occurred_at else -1e18, s.sequence))
            if own:
                found[account] = [each.event for each in own[-most:]]
        return found

    def quarantined(self, after: int = 0, most: int = 1_000, domain: str | None = None) -> list[QuarantinedEvent]:
        """See `EventStore.quarantined`."""
        return [each for each in self.bad.values() if each.number > after and domain in (None, each.bad.domain)][:most]

    def release(self, numbers: Sequence[int], rows: Sequence[Event], at: datetime) -> list[Verdict]:
        """See `EventStore.release`."""
        with self.lock:
            verdicts = self.append(rows, at)
            for number in numbers:
                self.bad.pop(number, None)
            return verdicts


class Latest(Generic[K, T]):
    """Values by key, in the order of their last change."""

    def __init__(self, counter: Counter, key: Callable[[T], K]) -> None:
        self.counter, self.key = counter, key
        self.changes: dict[K, Change[T]] = {}

    def put(self, values: Sequence[T]) -> None:
        """Insert or replace."""
        for value in values:
            self.changes.pop(self.key(value), None)
            self.changes[self.key(value)] = Change(self.counter.next(), value)

    def after(self, sequence: int, most: int) -> list[Change[T]]:
        """What changed since."""
        return [change for change in self.changes.values() if change.sequence > sequence][:most]

    def values(self, until: float = math.inf) -> list[T]:
        """All, or those whose last change is not later."""
        return [change.value for change in self.changes.values() if change.sequence <= until]

    def get(self, keys: Sequence[K]) -> dict[K, T]:
        """Those that there are."""
        return {key: self.changes[key].value for key in dict.fromkeys(keys) if key in self.changes}


def directed(link: Link) -> Link:
    """The link with its smaller end first."""
    if (link.a.domain, link.a.user) <= (link.b.domain, link.b.user):
        return link
    return msgspec.structs.replace(link, a=link.b, b=link.a)


class MemoryCatalogue:
    """`workflows.stores.CatalogueStore`."""

    def __init__(self, counter: Counter) -> None:
        self.all_items: Latest[tuple[str, str], Item] = Latest(counter, lambda item: (item.domain, item.item))
        self.all_links: Latest[tuple[Account, Account], Link] = Latest(counter, lambda link: (link.a, link.b))
        self.all_people: Latest[Account, Traits] = Latest(counter, attrgetter("account"))
        self.all_triples: Latest[Triple, Triple] = Latest(counter, lambda triple: triple)
        self.lists: dict[tuple[str, str], EditorList] = {}
        self.said: Latest[Account, Consent] = Latest(counter, attrgetter("account"))

    def put_items(self, items: Sequence[Item]) -> None:
        """See `CatalogueStore.put_items`."""
        self.all_items.put(items)

    def items(self, domain: str, ids: Sequence[str]) -> dict[str, Item]:
        """See `CatalogueStore.items`."""
        return {item.item: item for item in self.all_items.get([(domain, each) for each in ids]).values()}

    def items_after(self, sequence: int, most: int = 1_000) -> list[Change[Item]]:
        """See `CatalogueStore.items_after`."""
        return self.all_items.after(sequence, most)

    def put_people(self, people: Sequence[Traits]) -> None:
        """See `CatalogueStore.put_people`."""
        self.all_people.put(people)

    def people(self, accounts: Sequence[Account]) -> dict[Account, Traits]:
        """See `CatalogueStore.people`."""
        return self.all_people.get(accounts)

    def put_links(self, links: Sequence[Link]) -> None:
        """See `CatalogueStore.put_links`."""
        self.all_links.put([directed(link) for link in links])

    def links_of(self, accounts: Sequence[Account]) -> list[Link]:
        """See `CatalogueStore.links_of`."""
        asked = set(accounts)
        return [link for link in self.all_links.values() if {link.a, link.b} & asked]

    def links_after(self, sequence: int, most: int = 1_000) -> list[Change[Link]]:
        """See `CatalogueStore.links_after`."""
        return self.all_links.after(sequence, most)

    def put_triples(self, triples: Sequence[Triple]) -> None:
        """See `CatalogueStore.put_triples`."""
        known = self.all_triples.get(triples)
        self.all_triples.put([triple for triple in dict.fromkeys(triples) if triple not in known])

    def put_editor_list(self, chosen: EditorList) -> None:
        """See `CatalogueStore.put_editor_list`."""
        self.lists.pop((chosen.target, chosen.placement), None)
        if chosen.items:
            self.lists[chosen.target, chosen.placement] = chosen

    def editor_list(self, target: str, placement: str = "") -> EditorList | None:
        """See `CatalogueStore.editor_list`."""
        return self.lists.get((target, placement)) or self.lists.get((target, ""))

    def editor_lists(self) -> list[EditorList]:
        """See `CatalogueStore.editor_lists`."""
        return [self.lists[key] for key in sorted(self.lists)]

    def put_consents(self, consents: Sequence[Consent]) -> list[bool]:
        """See `CatalogueStore.put_consents`."""
        counted = []
        for consent in consents:
            known = self.consents([consent.account]).get(consent.account)
            counted.append(known is None or consent.changed_at >= known.changed_at)
            if counted[-1]:
                self.said.put([consent])
        return counted

    def consents(self, accounts: Sequence[Account]) -> dict[Account, Consent]:
        """What `Store.about` says of consents."""
        return self.said.get(accounts)

    def consents_after(self, sequence: int, most: int = 1_000) -> list[Change[Consent]]:
        """See `CatalogueStore.consents_after`."""
        return self.said.after(sequence, most)


class MemoryShown:
    """`workflows.stores.ShownStore`."""

    def __init__(self, events: MemoryEvents) -> None:
        self.events = events
        self.lists: dict[str, RankedList] = {}
        self.exposures: dict[tuple[str, str], Exposure] = {}
        self.signals: dict[str, Signal] = {}

    def save_lists(self, lists: Sequence[RankedList]) -> None:
        """See `ShownStore.save_lists`."""
        for each in lists:
            self.lists.setdefault(each.list_id, each)

    def submit_lists(self, lists: Sequence[RankedList]) -> Future[None]:
        """See `ShownStore.submit_lists`."""
        self.save_lists(lists)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def ranked_list(self, list_id: str) -> RankedList | None:
        """See `ShownStore.ranked_list`."""
        return self.lists.get(list_id)

    def save_exposures(self, exposures: Sequence[Exposure]) -> list[Verdict]:
        """See `ShownStore.save_exposures`."""
        verdicts = []
        for each in exposures:
            known = (each.domain, each.exposure_id) in self.exposures
            self.exposures.setdefault((each.domain, each.exposure_id), each)
            verdicts.append(Verdict(id=each.exposure_id, status="duplicate" if known else "accepted"))
        return verdicts

    def exposures_of(self, list_id: str) -> list[Exposure]:
        """See `ShownStore.exposures_of`."""
        own = [each for each in self.exposures.values() if each.list_id == list_id]
        return sorted(own, key=lambda each: (each.position, each.exposure_id))

    def told(
        self, tag: str, after: tuple[datetime, str], until: datetime, kinds: Sequence[Kind], most: int = 500
    ) -> list[Told]:
        """See `ShownStore.told`."""
        lists = sorted(self.lists.values(), key=attrgetter("created_at", "list_id"))
        asked = [each for each in lists if tag in each.tags and (each.created_at, each.list_id) > after]
        found = []
        for each in [each for each in asked if each.created_at < until][:most]:
            seen = [one for one in self.exposures_of(each.list_id) if one.domain == each.target]
            keys = {("answer", one.domain, one.exposure_id, kind): one.item for one in seen for kind in kinds}
            answered = frozenset(item for key, item in keys.items() if key in self.events.keys)
            found.append(Told(each, frozenset(one.item for one in seen), answered))
        return found

    def prune(self, before: datetime, most: int) -> int:
        """See `ShownStore.prune`."""
        old = sorted((each for each in self.lists.values() if each.created_at < before), key=attrgetter("created_at"))
        ids = {each.list_id for each in old[:most]}
        self.lists = {name: each for name, each in self.lists.items() if name not in ids}
        self.exposures = {key: each for key, each in self.exposures.items() if each.list_id not in ids}
        self.signals = {key: each for key, each in self.signals.items() if each.list_id not in ids}
        return len(ids)

    def submit_signals(self, signals: Sequence[Signal]) -> Future[None]:
        """See `ShownStore.submit_signals`."""
        for each in signals:
            self.signals.setdefault(each.signal_id, each)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def signals_of(self, list_id: str) -> list[Signal]:
        """See `ShownStore.signals_of`."""
        own = [each for each in self.signals.values() if each.list_id == list_id]
        return sorted(own, key=lambda each: (each.occurred_at, each.signal_id))


class MemoryAccess:
    """`workflows.stores.AccessStore`."""

    def __init__(self) -> None:
        self.companies: dict[str, Organisation] = {}
        self.all_keys: dict[str, ApiKey] = {}

    def put_organisation(self, organisation: Organisation) -> None:
        """See `AccessStore.put_organisation`."""
        for other in self.companies.values():
            taken = set(other.domains) & set(organisation.domains)
            if taken and other.organisation_id != organisation.organisation_id:
                raise UsageError("the domain '{domain}' belongs to another organisation", domain=min(taken))
        domains = tuple(sorted(organisation.domains))
        self.companies[organisation.organisation_id] = msgspec.structs.replace(organisation, domains=domains)

    def organisations(self) -> list[Organisation]:
        """See `AccessStore.organisations`."""
        return [self.companies[name] for name in sorted(self.companies)]

    def add_key(self, key: ApiKey) -> None:
        """See `AccessStore.add_key`."""
        if key.key_id in self.all_keys:
            raise UsageError("there is a key '{key}' already", key=key.key_id)
        if key.organisation_id not in self.companies:
            raise UsageError("there is no organisation '{organisation}'", organisation=key.organisation_id)
        self.all_keys[key.key_id] = key

    def key(self, key_id: str) -> ApiKey | None:
        """See `AccessStore.key`."""
        return self.all_keys.get(key_id)

    def keys(self, organisation_id: str) -> list[ApiKey]:
        """See `AccessStore.keys`."""
        own = [key for key in self.all_keys.values() if key.organisation_id == organisation_id]
        return sorted(own, key=lambda key: (key.created_at, key.key_id))

    def revoke_key(self, key_id: str, at: datetime) -> None:
        """See `AccessStore.revoke_key`."""
        key = self._key(key_id)
        self.all_keys[key_id] = msgspec.structs.replace(key, revoked_at=key.revoked_at or at)

    def rotate_key(self, key_id: str, successor: ApiKey, expires_at: datetime) -> None:
        """See `AccessStore.rotate_key`."""
        key = self._key(key_id)
        self.add_key(successor)
        earlier = min(expires_at, key.expires_at or expires_at)
        self.all_keys[key_id] = msgspec.structs.replace(key, expires_at=earlier)

    def _key(self, key_id: str) -> ApiKey:
        if key_id not in self.all_keys:
            raise UsageError("there is no key '{key}'", key=key_id)
        return self.all_keys[key_id]


@dataclass
class MemoryExport:
    """`workflows.stores.Exporter`."""

    log: MemoryEvents
    catalogue: MemoryCatalogue

    def frames(self, table: ExportTable, until: int) -> Iterator[pl.DataFrame]:
        """See `Exporter.frames`."""
        rows = getattr(self, f"_{table}")(until)
        if rows:
            yield pl.DataFrame(rows, infer_schema_length=None)

    def _events(self, until: int) -> list[dict[str, object]]:
        names = (c.DOMAIN, c.USER, c.ITEM, c.KIND, c.OCCURRED_AT, c.VALUE, c.EVENT_ID, c.EXPOSURE_ID)
        return [{name: getattr(s.event, name) for name in names} for s in self.log.stored if s.sequence <= until]

    def _items(self, until: int) -> list[dict[str, object]]:
        names = (c.DOMAIN, c.ITEM, c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND, c.PRICE)
        return [
            {name: getattr(item, name) for name in names}
            | {c.ATTRIBUTES: msgspec.json.encode(item.attributes).decode()}
            for item in self.catalogue.all_items.values(until)
        ]

    def _people(self, until: int) -> list[dict[str, object]]:
        everybody = self.catalogue.all_people.values(until)
        return [
            {
                c.DOMAIN: each.account.domain,
                c.USER: each.account.user,
                c.ATTRIBUTES: msgspec.json.encode(each.attributes).decode(),
            }
            for each in everybody
        ]

    def _links(self, until: int) -> list[dict[str, object]]:
        return [
            {
                c.DOMAIN_A: link.a.domain,
                c.USER_A: link.a.user,
                c.DOMAIN_B: link.b.domain,
                c.USER_B: link.b.user,
                c.CONFIDENCE: link.confidence,
                c.EVIDENCE: link.evidence,
                c.EXPIRES_AT: link.expires_at,
            }
            for link in self.catalogue.all_links.values(until)
        ]

    def _triples(self, until: int) -> list[dict[str, object]]:
        return [msgspec.structs.asdict(triple) for triple in self.catalogue.all_triples.values(until)]


class MemoryStore:
    """`workflows.stores.Store` in memory."""

    schema_version = "memory"
    queued_rows = 0

    def __init__(self) -> None:
        counter = Counter()
        self.events = MemoryEvents(counter, threading.RLock())
        self.catalogue = MemoryCatalogue(counter)
        self.shown = MemoryShown(self.events)
        self.access = MemoryAccess()
        self.webhooks = MemoryWebhooks()
        self.export = MemoryExport(self.events, self.catalogue)

    def about(
        self,
        accounts: Sequence[Account],
        events_of: Sequence[Account],
        *,
        with_links: bool = True,
        most: int = MOST_EVENTS,
    ) -> About:
        """See `Store.about`."""
        links = self.catalogue.links_of(accounts) if with_links else []
        return About(links, self.catalogue.consents(accounts), self.events.recent(events_of, most))

    @staticmethod
    def check() -> list[Finding]:
        """See `Store.check`."""
        return [Finding("memory", ok=True)]

    def close(self) -> None:
        """See `Store.close`."""
