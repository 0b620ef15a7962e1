"""The tail of the store: what any process stored since the last look."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from kuajie.core.records import Account, Event
from kuajie.workflows.live import SLOW_SECONDS, light
from kuajie.workflows.stores import Cache, Store


class Hearing(Protocol):
    """Who is told what is new: histories, or whichever serve at that moment (`workflows.deploy`)."""

    def learn(self, events: Iterable[Event]) -> None:
        """Events that are durable; each counts once, however often it is told."""

    def forget(self, accounts: Iterable[Account]) -> None:
        """A link or a consent of these has changed."""


@dataclass
class Tail:
    """Reads what any process stored since the last look.

    Attributes:
        store: whose tail it is.
        sequence: of the last event that was seen.
        links: of the last link that was seen.
        cache: hears of them too; None: processes share it, and whoever stored them has told it.
        monotonic: seconds.
        failed: whether the last look failed.
        began: when the look began that has not ended.
    """

    store: Store
    sequence: int
    links: int
    cache: Cache | None = None
    monotonic: Callable[[], float] = time.monotonic
    failed: bool = False
    began: float | None = None

    @classmethod
    def at_end(cls, store: Store, cache: Cache | None = None) -> "Tail":
        """From now on.

        Raises:
            StoreError: the store does not answer.
        """
        newest = store.events.newest()
        return cls(store, newest, newest, cache)

    @property
    def failing(self) -> bool:
        """Whether the store does not answer, or has not for a while."""
        began = self.began
        return self.failed or (began is not None and self.monotonic() - began > SLOW_SECONDS)

    def read(self, hearing: Hearing) -> int:
        """Tell the histories what is new; returns how many events that were.

        Raises:
            StoreError: the store does not answer; the next look goes on where this one stopped.
        """
        self.began = self.monotonic()
        try:
            count = self._read(hearing)
        except BaseException:
            self.failed = True
            raise
        finally:
            self.began = None
        self.failed = False
        return count

    def _read(self, hearing: Hearing) -> int:
        count = 0
        while rows := self.store.events.after(self.sequence):
            events = [light(row.event) for row in rows]
            if self.cache is not None:  # before histories hear of them, for one may be loaded meanwhile
                self.cache.remember(events)
            hearing.learn(events)
            self.sequence = rows[-1].sequence
            count += len(rows)
        while changes := self.store.catalogue.links_after(self.links):
            hearing.forget(end for change in changes for end in (change.value.a, change.value.b))
            self.links = changes[-1].sequence
        return count
