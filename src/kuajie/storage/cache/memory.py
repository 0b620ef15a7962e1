"""The cache of a single process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeVar

from kuajie.core.records import Account, Event
from kuajie.storage.cache.recent import FRESH_SECONDS, account_of, moment_of, newest
from kuajie.workflows.stores import MOST_EVENTS

MOST_ACCOUNTS = 20_000
MOST_NAMES = 100_000


class MemoryCache:
    """`workflows.stores.Cache`: the accounts and names that were used last, bounded in number."""

    shared: ClassVar[bool] = False

    def __init__(self, most_events: int = MOST_EVENTS, clock: Callable[[], float] = time.time) -> None:
        self._most_events, self._clock = most_events, clock
        self._lock = threading.Lock()
        self._recent: OrderedDict[Account, dict[str, Event]] = OrderedDict()
        self._remembered: OrderedDict[Account, float] = OrderedDict()
        self._counts: OrderedDict[tuple[str, int, int], int] = OrderedDict()
        self._values: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def remember(self, events: Sequence[Event]) -> None:
        """See `Cache.remember`."""
        with self._lock:
            for event in events:
                account = account_of(event)
                _put(self._remembered, account, self._clock(), MOST_ACCOUNTS)
                known = self._recent.get(account)
                if known is not None:
                    last = next(reversed(known.values()), None)
                    known.setdefault(event.event_id, event)
                    if last is not None and moment_of(event) < moment_of(last):
                        self._recent[account] = newest(known, self._most_events)
                    elif len(known) > self._most_events:
                        del known[next(iter(known))]

    def fill(self, recent: Mapping[Account, Sequence[Event]]) -> None:
        """See `Cache.fill`."""
        with self._lock:
            for account, events in recent.items():
                if self._clock() - self._remembered.get(account, 0.0) < FRESH_SECONDS:
                    continue
                own = newest({event.event_id: event for event in events}, self._most_events)
                _put(self._recent, account, own, MOST_ACCOUNTS)

    def recent(self, accounts: Sequence[Account]) -> dict[Account, list[Event]]:
        """See `Cache.recent`."""
        with self._lock:
            found = {account: self._recent[account] for account in accounts if account in self._recent}
            for account in found:
                self._recent.move_to_end(account)
            return {account: list(events.values()) for account, events in found.items()}

    def count(self, name: str, seconds: int) -> int:
        """See `Cache.count`."""
        with self._lock:
            window = (name, seconds, int(self._clock() // seconds))
            counted = self._counts.get(window, 0) + 1
            _put(self._counts, window, counted, MOST_NAMES)
            return counted

    def put(self, name: str, value: bytes, seconds: int) -> None:
        """See `Cache.put`."""
        with self._lock:
            _put(self._values, name, (self._clock() + seconds, value), MOST_NAMES)

    def get(self, name: str) -> bytes | None:
        """See `Cache.get`."""
        with self._lock:
            until, value = self._values.get(name, (0.0, b""))
            return value if self._clock() < until else None

    def close(self) -> None:
        """See `Cache.close`."""


K = TypeVar("K")
V = TypeVar("V")


def _put(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
