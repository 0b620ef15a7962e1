"""Live: what somebody did a second ago is in the history that is scored now.

    snapshot's events of the person  +  stored events of all their accounts  ->  one history (the rules of the import)

Histories of people who were asked for lately stay in memory. Events reach them from the answer to their sender and,
where another process stored them, from the tail of the store, each once. What the store holds and the snapshot does too
counts once (`data.live.joined`).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from kuajie.core.errors import StoreError
from kuajie.core.histories import Histories
from kuajie.core.records import Account, Event
from kuajie.data.config import CleaningConfig, IdentityConfig
from kuajie.data.dataset import JointDataset
from kuajie.data.entries import Weighed, histories
from kuajie.data.live import joined, rows_of
from kuajie.data.strength import Events, strength
from kuajie.workflows.accounts import Accounts
from kuajie.workflows.listening import Listeners
from kuajie.workflows.stores import MOST_EVENTS, About, Cache, Store

MOST_PEOPLE = 20_000
KNOWN_SECONDS = 600.0
"""After so long the store is asked again. What happens meanwhile is learned from its sender or from the tail."""
BUILT_SECONDS = 30.0
"""So long a history that nothing was added to keeps its ages."""
FRESH_SECONDS = 120.0
"""So long what just happened is kept apart from the people in memory."""
SLOW_SECONDS = 1.0
"""A store that has not answered for so long is not waited for."""
SCOPE = "scope"
"""The property of a dismissal that lists depend on (`workflows.dismissals`)."""


@dataclass(eq=False)
class Person:
    """Who asks, as far as it is known now.

    Attributes:
        accounts: that are this person.
        people: rows of the snapshot.
        personalised: False where one of the accounts said no.
        degraded: the store did not answer, so that something may be missing.
        lenders: rows of the snapshot whose history may be lent to this person: none of them said no.
        until: unix seconds; then the store is asked again, since a link may have expired.
        events: in the store, by domain and event id.
        dismissals: those that say no, as of a version.
    """

    accounts: tuple[Account, ...]
    people: tuple[int, ...]
    personalised: bool
    degraded: bool
    until: float
    events: OrderedDict[tuple[str, str], Event]
    lenders: tuple[int, ...] = ()
    history: Histories | None = field(default=None, repr=False)
    built_at: float = 0.0
    version: int = 0
    dismissals: tuple[int, tuple[Event, ...]] = (-1, ())

    def known(self) -> list[Event]:
        """The events, taken at once: other threads add to them."""
        return list(self.events.values())

    def add(self, event: Event) -> bool:
        """One more event, or one that is known; returns whether it is new."""
        if self.events.setdefault((event.domain, event.event_id), event) is not event:
            return False
        self.history = None
        self.version += 1
        while len(self.events) > MOST_EVENTS * len(self.accounts):
            self.events.popitem(last=False)
        return True


@dataclass(eq=False)
class Fresh:
    """What an account did a moment ago, by event id, and when the last of it was heard of."""

    at: float = 0.0
    events: dict[str, Event] = field(default_factory=dict)


class LiveHistories:
    """The histories of everybody who asks, over one snapshot.

    Args:
        dataset: the snapshot that the serving model was trained on.
        store: where events are.
        cache: what processes share.
        identity: which accounts are one person.
        cleaning: what is a duplicate.
        most_people: that stay in memory.
        domains: that people may be shown beside those of the snapshot.

    Attributes:
        listeners: are told whose history has changed.
    """

    def __init__(
        self,
        dataset: JointDataset,
        store: Store,
        cache: Cache,
        identity: IdentityConfig,
        cleaning: CleaningConfig,
        most_people: int = MOST_PEOPLE,
        domains: Iterable[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dataset, self._store, self._cache = dataset, store, cache
        self._accounts = Accounts(dataset, store, identity, tuple(dict.fromkeys([*dataset.space.domains, *domains])))
        self._near = cleaning.near_duplicate_seconds
        self._most_people, self._monotonic = most_people, monotonic
        self._lock = threading.Lock()
        self._people: OrderedDict[Account, Person] = OrderedDict()
        self._fresh: OrderedDict[Account, Fresh] = OrderedDict()
        self._forgotten = 0
        self.listeners = Listeners()

    @property
    def targets(self) -> tuple[str, ...]:
        """The domains of the snapshot."""
        return self._dataset.space.domains

    def ready(self, account: Account, now: datetime) -> Person | None:
        """The person behind an account if no store must be asked."""
        with self._lock:
            person = self._people.get(account)
            if person is None or now.timestamp() >= person.until:
                return None
            self._people.move_to_end(account)
            return person

    def load(self, account: Account, now: datetime) -> Person:
        """The person behind an account, asked of the store; where it does not answer, what is known without it."""
        try:
            return self._load(account, now)
        except StoreError:
            return self.without_store(account, now)

    def without_store(self, account: Account, now: datetime) -> Person:
        """The person behind an account, as far as it is known without asking the store."""
        accounts = self._accounts.in_snapshot([account])
        with self._lock:
            known = self._people.get(account)
            if known is not None:
                return known
            fresh = [event for each in accounts for event in self._fresh_of(each)]
        return self._person(accounts, now, fresh, personalised=True, degraded=True)

    def _load(self, account: Account, now: datetime) -> Person:
        for left in (2, 1, 0):
            forgotten = self._forgotten
            person = self._asked(account, now)
            with self._lock:
                unchanged = forgotten == self._forgotten  # else a link or a consent has changed meanwhile
                if unchanged or not left:
                    person.until = person.until if unchanged else now.timestamp()
                    self._keep(person)
                    break
        return person

    def _keep(self, person: Person) -> None:
        for each in person.accounts:
            for event in self._fresh_of(each):
                person.add(event)
            self._people[each] = person
            self._people.move_to_end(each)
        while len(self._people) > self._most_people * len(self._dataset.space.domains):
            self._drop(next(iter(self._people)))

    def _fresh_of(self, account: Account) -> list[Event]:
        fresh = self._fresh.get(account)
        return [] if fresh is None else list(fresh.events.values())

    def _asked(self, account: Account, now: datetime) -> Person:
        """The person as the store knows them; only where links lead to further accounts it is asked twice."""
        own = self._accounts.alike(account)
        about, known = self._about(own, with_links=self._accounts.identity.method == "links")
        joining = [link for link in about.links if self._accounts.joins(link, now)]
        if not {end for link in joining for end in (link.a, link.b)}.issubset(own):
            own, joining = self._accounts.linked(own, now)
            about, known = self._about(own, with_links=False)
        events = [event for found in (known, about.events) for each in found.values() for event in each]
        willing = all(consent.personalised for consent in about.consents.values())
        person = self._person(self._accounts.with_answering(own), now, events, personalised=willing, degraded=False)
        ends = [link.expires_at.timestamp() for link in joining if link.expires_at is not None]
        return replace(person, lenders=self._willing(person.people), until=min([person.until, *ends]))

    def _willing(self, people: Sequence[int]) -> tuple[int, ...]:
        """Who lends to some people, without those who said no."""
        accounts = {lender: self._dataset.accounts_of(lender) for lender in self._dataset.lenders_of(people)}
        if not accounts:
            return ()
        named = [self._accounts.with_answering(each) for each in accounts.values()]
        said = self._store.about([each for some in named for each in some], [], with_links=False).consents
        refused = {account for account, consent in said.items() if not consent.personalised}
        return tuple(lender for lender, own in zip(accounts, named, strict=True) if refused.isdisjoint(own))

    def _about(self, own: Sequence[Account], *, with_links: bool) -> tuple[About, dict[Account, list[Event]]]:
        """What the store knows of accounts, and the events of those that the cache knows."""
        accounts = self._accounts.with_answering(own)
        known = self._cache.recent(accounts)
        missing = [each for each in accounts if each not in known]
        about = self._store.about(accounts, missing, with_links=with_links)
        found = {each: [light(event) for event in about.events.get(each, [])] for each in missing}
        self._cache.fill(found)
        return replace(about, events=found), known

    def learn(self, events: Iterable[Event]) -> None:
        """Events that are durable, from their sender or from the tail of the store; each counts once."""
        changed: list[Account] = []
        with self._lock:
            for event in map(light, events):
                account = Account(domain=event.domain, user=event.user)
                self._note(account, event)
                person = self._people.get(account)
                if person is None or person.add(event):
                    changed.append(account)
        self.listeners.tell(changed)

    def fresh(self) -> list[Event]:
        """What was learned a moment ago, for histories that take the place of these."""
        with self._lock:
            return [event for each in self._fresh.values() for event in each.events.values()]

    def _note(self, account: Account, event: Event) -> None:
        """Keep an event for whoever is being loaded from a store that was read before it."""
        now = self._monotonic()
        fresh = self._fresh.setdefault(account, Fresh())
        fresh.at = now
        fresh.events.setdefault(event.event_id, event)
        if len(fresh.events) > MOST_EVENTS:
            del fresh.events[next(iter(fresh.events))]
        self._fresh.move_to_end(account)
        while now - next(iter(self._fresh.values())).at > FRESH_SECONDS or len(self._fresh) > self._most_people:
            self._fresh.popitem(last=False)

    def forget(self, accounts: Iterable[Account]) -> None:
        """Ask the store anew for these: a link or a consent has changed."""
        changed = list(accounts)
        changed += self._dataset.borrowers_of(changed)  # who said no lends nothing from now on
        with self._lock:
            self._forgotten += 1
            for account in changed:
                self._drop(account)
        self.listeners.tell(changed)

    def history(self, person: Person, now: datetime) -> Histories:
        """The one row that is scored."""
        moment = now.timestamp()
        with self._lock:
            if person.history is not None and moment - person.built_at < BUILT_SECONDS:
                return person.history
            events, version = list(person.events.values()), person.version
        config = self._dataset.strength
        own = self._joined(person, events)
        parts = [Weighed(own.row, own.item, strength(own, moment, config), own.time)]
        if person.lenders:
            parts.append(self._dataset.lent_to(person.people, person.lenders, moment))
        built = histories(parts, 1, self._dataset.space.n_items, moment, self._dataset.order)
        with self._lock:
            if version == person.version:
                person.history, person.built_at = built, moment
        return built

    def events(self, person: Person) -> Events:
        """Everything the person did, of the snapshot and since, as one history."""
        with self._lock:
            events = list(person.events.values())
        return self._joined(person, events)

    def _joined(self, person: Person, events: Sequence[Event]) -> Events:
        return joined([self._dataset.events_of(person.people), rows_of(events, self._dataset.catalog)], self._near)

    def _drop(self, account: Account) -> None:
        person = self._people.pop(account, None)
        if person is not None:
            for each in person.accounts:
                if self._people.get(each) is person:
                    del self._people[each]

    def _person(
        self, accounts: Sequence[Account], now: datetime, events: Sequence[Event], *, personalised: bool, degraded: bool
    ) -> Person:
        found = {person for each in accounts if (person := self._accounts.row(each)) is not None}
        stored = OrderedDict(((event.domain, event.event_id), event) for event in events)
        until = now.timestamp() + KNOWN_SECONDS
        return Person(tuple(accounts), tuple(sorted(found)), personalised, degraded, until, stored)


def light(event: Event) -> Event:
    """An event as it is kept in memory: of what the sender wanted to keep only what lists depend on."""
    if not event.properties:
        return event
    scope = event.properties.get(SCOPE)
    return msgspec.structs.replace(event, properties={} if scope is None else {SCOPE: scope})


def nobody(now: datetime) -> Person:
    """Somebody who was not named: no history, and nothing that would be theirs."""
    return Person((), (), personalised=False, degraded=False, until=now.timestamp(), events=OrderedDict())
