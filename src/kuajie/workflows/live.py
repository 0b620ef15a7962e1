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

from kuajie.core.errors import StoreError, UsageError
from kuajie.core.histories import Histories
from kuajie.core.records import Account, Event, Link
from kuajie.data.config import CleaningConfig, IdentityConfig
from kuajie.data.dataset import JointDataset
from kuajie.data.entries import Weighed, histories
from kuajie.data.live import joined, rows_of
from kuajie.data.strength import strength
from kuajie.workflows.listening import Listeners
from kuajie.workflows.stores import MOST_EVENTS, About, Cache, Store

MOST_PEOPLE = 20_000
KNOWN_SECONDS = 600.0
"""After so long the store is asked again. What happens meanwhile is learned from its sender or from the tail."""
BUILT_SECONDS = 30.0
"""So long a history that nothing was added to keeps its ages."""
SLOW_SECONDS = 1.0
"""A store that has not answered for so long is not waited for."""
MOST_ACCOUNTS = 64
"""Of one person; links that join more are not believed."""


@dataclass(eq=False)
class Person:
    """Who asks, as far as it is known now.

    Attributes:
        accounts: that are this person.
        people: rows of the snapshot.
        personalised: False where one of the accounts said no.
        degraded: the store did not answer, so that something may be missing.
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
    history: Histories | None = field(default=None, repr=False)
    built_at: float = 0.0
    version: int = 0
    dismissals: tuple[int, tuple[Event, ...]] = (-1, ())

    def add(self, event: Event) -> bool:
        """One more event, or one that is known; returns whether it is new."""
        if self.events.setdefault((event.domain, event.event_id), event) is not event:
            return False
        self.history = None
        self.version += 1
        while len(self.events) > MOST_EVENTS * len(self.accounts):
            self.events.popitem(last=False)
        return True


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
    ) -> None:
        self._dataset, self._store, self._cache = dataset, store, cache
        self._identity, self._near = identity, cleaning.near_duplicate_seconds
        self._most_people = most_people
        self._domains = tuple(dict.fromkeys([*dataset.space.domains, *domains]))
        self._lock = threading.Lock()
        self._people: OrderedDict[Account, Person] = OrderedDict()
        self._fresh: OrderedDict[Account, list[Event]] = OrderedDict()
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
        accounts = self._in_snapshot([account])
        with self._lock:
            known = self._people.get(account)
            if known is not None:
                return known
            fresh = [event for each in accounts for event in self._fresh.get(each, ())]
        return self._person(accounts, now, fresh, personalised=True, degraded=True)

    def _load(self, account: Account, now: datetime) -> Person:
        for _ in range(3):
            forgotten = self._forgotten
            person = self._asked(account, now)
            with self._lock:
                if forgotten == self._forgotten:  # else a link or a consent has changed meanwhile
                    break
        with self._lock:
            for each in person.accounts:
                for event in self._fresh.get(each, ()):
                    person.add(event)
                self._people[each] = person
                self._people.move_to_end(each)
            while len(self._people) > self._most_people * len(self._dataset.space.domains):
                self._drop(next(iter(self._people)))
        return person

    def _asked(self, account: Account, now: datetime) -> Person:
        """The person as the store knows them; only where links lead to further accounts it is asked twice."""
        own = self._alike(account)
        about, known = self._about(own, with_links=self._identity.method == "links")
        joining = [link for link in about.links if self._joins(link, now)]
        if not {end for link in joining for end in (link.a, link.b)}.issubset(own):
            own, joining = self._linked(own, now)
            about, known = self._about(own, with_links=False)
        events = [event for found in (known, about.events) for each in found.values() for event in each]
        willing = all(consent.personalised for consent in about.consents.values())
        person = self._person(self._with_answering(own), now, events, personalised=willing, degraded=False)
        ends = [link.expires_at.timestamp() for link in joining if link.expires_at is not None]
        return replace(person, until=min([person.until, *ends]))

    def _about(self, own: Sequence[Account], *, with_links: bool) -> tuple[About, dict[Account, list[Event]]]:
        """What the store knows of accounts, and the events of those that the cache knows."""
        accounts = self._with_answering(own)
        known = self._cache.recent(accounts)
        missing = [each for each in accounts if each not in known]
        about = self._store.about(accounts, missing, with_links=with_links)
        self._cache.fill({each: about.events.get(each, []) for each in missing})
        return about, known

    def learn(self, events: Iterable[Event]) -> None:
        """Events that are durable, from their sender or from the tail of the store; each counts once."""
        changed: list[Account] = []
        with self._lock:
            for event in events:
                account = Account(domain=event.domain, user=event.user)
                fresh = self._fresh.setdefault(account, [])
                fresh.append(event)
                del fresh[:-MOST_EVENTS]
                self._fresh.move_to_end(account)
                if len(self._fresh) > self._most_people:
                    self._fresh.popitem(last=False)
                person = self._people.get(account)
                if person is None or person.add(event):
                    changed.append(account)
        self.listeners.tell(changed)

    def forget(self, accounts: Iterable[Account]) -> None:
        """Ask the store anew for these: a link or a consent has changed."""
        changed = list(accounts)
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
        own = joined([self._dataset.events_of(person.people), rows_of(events, self._dataset.catalog)], self._near)
        parts = [Weighed(own.row, own.item, strength(own, moment, config), own.time)]
        if person.people:
            parts.append(self._dataset.lent_to(person.people, moment))
        built = histories(parts, 1, self._dataset.space.n_items, moment, self._dataset.order)
        with self._lock:
            if version == person.version:
                person.history, person.built_at = built, moment
        return built

    def _drop(self, account: Account) -> None:
        person = self._people.pop(account, None)
        if person is not None:
            for each in person.accounts:
                if self._people.get(each) is person:
                    del self._people[each]

    def _person(
        self, accounts: Sequence[Account], now: datetime, events: Sequence[Event], *, personalised: bool, degraded: bool
    ) -> Person:
        found = {person for each in accounts if (person := self._row(each)) is not None}
        stored = OrderedDict(((event.domain, event.event_id), event) for event in events)
        until = now.timestamp() + KNOWN_SECONDS
        return Person(tuple(accounts), tuple(sorted(found)), personalised, degraded, until, stored)

    def _alike(self, account: Account) -> list[Account]:
        """The accounts of the person by the snapshot, and those of equal ids where these say who is who."""
        own = self._in_snapshot([account])
        if self._identity.method == "shared":
            own = list(dict.fromkeys([*own, *self._in_domains(account.user)]))
        return own

    def _with_answering(self, own: Sequence[Account]) -> list[Account]:
        return [*own, *(each for known in own for each in self._answering(known))]

    def _in_domains(self, user: str) -> list[Account]:
        return [Account(domain=domain, user=user) for domain in self._domains]

    def _answering(self, account: Account) -> list[Account]:
        """Under which names answers to what the account was shown of other domains are kept."""
        if self._identity.method == "shared":
            return []
        others = (domain for domain in self._domains if domain != account.domain)
        return [Account(domain=domain, user=answering_user(account)) for domain in others]

    def _row(self, account: Account) -> int | None:
        try:
            return self._dataset.person_of(account)
        except UsageError:
            return None

    def _in_snapshot(self, accounts: Iterable[Account]) -> list[Account]:
        """The accounts, and those that the snapshot says are the same people."""
        found: dict[Account, None] = {}
        for account in accounts:
            found[account] = None
            person = self._row(account)
            if person is not None:
                found.update(dict.fromkeys(self._dataset.accounts_of(person)))
        return list(found)

    def _linked(self, start: list[Account], now: datetime) -> tuple[list[Account], list[Link]]:
        """Joined by one-to-one links of the store, as the import joins; what cannot be told for sure is not joined."""
        reached, links = start, list[Link]()
        while True:
            links = [link for link in self._store.catalogue.links_of(reached) if self._joins(link, now)]
            ends = self._in_snapshot(dict.fromkeys([*reached, *(end for link in links for end in (link.a, link.b))]))
            if len(ends) > MOST_ACCOUNTS:
                return start, links
            if len(ends) == len(reached):
                break
            reached = ends
        merged = merge(start, links, self._in_snapshot)
        return merged if len({each.domain for each in merged}) == len(merged) else start, links

    def _joins(self, link: Link, now: datetime) -> bool:
        valid = link.expires_at is None or now < link.expires_at
        return valid and link.confidence >= self._identity.min_confidence and link.a.domain != link.b.domain


def merge(
    start: Sequence[Account], links: Sequence[Link], snapshot: Callable[[Iterable[Account]], list[Account]]
) -> list[Account]:
    """The accounts that one-to-one links join to some: neither end has a second link into the other's domain."""
    ends = [(link.a, link.b.domain) for link in links] + [(link.b, link.a.domain) for link in links]
    single = {
        (link.a, link.b)
        for link in links
        if ends.count((link.a, link.b.domain)) == 1 and ends.count((link.b, link.a.domain)) == 1
    }
    found = list(start)
    for account in found:  # grows
        for a, b in single:
            if account in {a, b}:
                found += [each for each in snapshot([a, b]) if each not in found]
    return found


def nobody(now: datetime) -> Person:
    """Somebody who was not named: no history, and nothing that would be theirs."""
    return Person((), (), personalised=False, degraded=False, until=now.timestamp(), events=OrderedDict())


def answering_user(account: Account) -> str:
    """The user of another domain that an account's answers are kept under while it has no account there."""
    return f"{account.domain}:{account.user}"


@dataclass
class Tail:
    """Reads what any process stored since the last look.

    Attributes:
        store: whose tail it is.
        sequence: of the last event that was seen.
        links: of the last link that was seen.
        monotonic: seconds.
        failed: whether the last look failed.
        began: when the look began that has not ended.
    """

    store: Store
    sequence: int
    links: int
    monotonic: Callable[[], float] = time.monotonic
    failed: bool = False
    began: float | None = None

    @classmethod
    def at_end(cls, store: Store) -> "Tail":
        """From now on.

        Raises:
            StoreError: the store does not answer.
        """
        newest = store.events.newest()
        return cls(store, newest, newest)

    @property
    def failing(self) -> bool:
        """Whether the store does not answer, or has not for a while."""
        began = self.began
        return self.failed or (began is not None and self.monotonic() - began > SLOW_SECONDS)

    def read(self, live: LiveHistories) -> int:
        """Tell the histories what is new; returns how many events that were.

        Raises:
            StoreError: the store does not answer; the next look goes on where this one stopped.
        """
        self.began = self.monotonic()
        try:
            count = self._read(live)
        except BaseException:
            self.failed = True
            raise
        finally:
            self.began = None
        self.failed = False
        return count

    def _read(self, live: LiveHistories) -> int:
        count = 0
        while rows := self.store.events.after(self.sequence):
            live.learn(row.event for row in rows)
            self.sequence = rows[-1].sequence
            count += len(rows)
        while changes := self.store.catalogue.links_after(self.links):
            live.forget(end for change in changes for end in (change.value.a, change.value.b))
            self.links = changes[-1].sequence
        return count
