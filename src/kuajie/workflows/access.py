"""Access: who calls, and what they may do. The organisation comes from the credential alone.

Keys are kept in memory for some seconds, so that a revoked one closes within that time and a database that is down
does not lock everybody out.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from kuajie.core.errors import StoreError
from kuajie.core.records import ApiKey, Organisation
from kuajie.workflows.keys import key_id_of, opened
from kuajie.workflows.stores import AccessStore

Scope = Literal["events", "recommend", "catalogue", "people", "webhooks", "operations", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("events", "recommend", "catalogue", "people", "webhooks")
"""events: events, exposures, feedback; recommend: lists and similar items; catalogue: items, triples; people: people,
links, consents, profiles; webhooks: addresses that are told what happens."""
PUBLISHABLE_SCOPES: Final[tuple[Scope, ...]] = ("events", "recommend")
"""What a key in a web page may have at most."""
OPERATOR_SCOPES: Final[tuple[Scope, ...]] = ("operations", "admin")
"""operations: metrics of all organisations; admin: keys of all organisations. No key has them unless it was said."""
DEMO_SCOPES: Final[tuple[Scope, ...]] = (*SCOPES, "operations")
"""What this machine may without a key; never make keys, for whoever is let in for a try would stay."""
FRESH_SECONDS = 5.0
STALE_SECONDS = 900.0
"""So long a key is believed while the store does not answer."""
MOST_KEYS = 10_000
MOST_MISSES = 1_000
"""Ids that no key has; anybody can make them up, so they take no place of a key."""


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        organisation: empty in demo mode.
        domains: that it may write into and whose accounts it may ask for.
        scopes: what it may do.
        publishable: whether the key stands in a web page.
        key_id: of its credential; empty in demo mode.
        origins: of pages that may use a publishable key.
    """

    organisation: str
    domains: frozenset[str]
    scopes: frozenset[str]
    publishable: bool = False
    key_id: str = ""
    origins: frozenset[str] = frozenset()


@dataclass
class _Kept:
    key: ApiKey | None
    organisation: Organisation | None
    at: float


class Doorkeeper:
    """Turns tokens into callers.

    Args:
        store: where keys are.
        monotonic: seconds, for how long a key is kept.
    """

    def __init__(self, store: AccessStore, monotonic: Callable[[], float]) -> None:
        self._store, self._monotonic = store, monotonic
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._missed: OrderedDict[str, _Kept] = OrderedDict()
        self._own: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def admit(self, key: ApiKey) -> None:
        """Know a key that is in no store: the process's own."""
        nobody = Organisation(organisation_id=key.organisation_id, name="", created_at=key.created_at)
        self._own[key.key_id] = _Kept(key, nobody, 0.0)

    def forget(self) -> None:
        """Ask the store anew for every key: one has changed."""
        with self._lock:
            self._missed.clear()
            for kept in self._kept.values():
                kept.at = float("-inf")

    def has_met(self, token: str) -> bool:
        """Whether the token names a key that was found lately; whether it opens anything is another question."""
        with self._lock:
            return key_id_of(token) in self._kept

    def known(self, token: str, now: datetime, *, stale: bool = False) -> tuple[bool, Caller | None]:
        """Whether no store must be asked, and then the caller, or None where the token opens nothing.

        Args:
            token: as it was sent.
            now: the time.
            stale: the store does not answer, so older keys are believed.
        """
        key_id = key_id_of(token)
        with self._lock:
            kept = self._kept.get(key_id or "")
            if kept is not None:
                self._kept.move_to_end(key_id or "")
            else:
                kept = self._missed.get(key_id or "")
        if key_id is None:
            return True, self._caller(_Kept(None, None, 0.0), token, now)
        if key_id in self._own:
            return True, self._caller(self._own[key_id], token, now)
        believed = STALE_SECONDS if stale else FRESH_SECONDS
        if kept is None or self._monotonic() - kept.at > believed:
            return False, None
        return True, self._caller(kept, token, now)

    def ask(self, token: str, now: datetime) -> Caller | None:
        """The caller, asked of the store; None where the token opens nothing.

        Raises:
            StoreError: the store does not answer, and the key was not used lately.
        """
        key_id = key_id_of(token)
        if key_id is None:
            return None
        try:
            key = self._store.key(key_id)
            named = {each.organisation_id: each for each in self._store.organisations()} if key else {}
            kept = _Kept(key, named.get(key.organisation_id) if key else None, self._monotonic())
        except StoreError:
            with self._lock:
                old = self._kept.get(key_id)
            if old is None or self._monotonic() - old.at > STALE_SECONDS:
                raise
            return self._caller(old, token, now)
        self._keep(key_id, kept)
        return self._caller(kept, token, now)

    def _keep(self, key_id: str, kept: _Kept) -> None:
        """What is used goes last, and the first goes where there are too many."""
        found = kept.key is not None
        into, other = (self._kept, self._missed) if found else (self._missed, self._kept)
        with self._lock:
            other.pop(key_id, None)
            into[key_id] = kept
            into.move_to_end(key_id)
            while len(into) > (MOST_KEYS if found else MOST_MISSES):
                into.popitem(last=False)

    @staticmethod
    def _caller(kept: _Kept, token: str, now: datetime) -> Caller | None:
        key = opened(kept.key, token, now)
        if key is None or kept.organisation is None:
            return None
        scopes = frozenset(key.scopes)
        publishable = key.kind == "publishable"
        return Caller(
            organisation=key.organisation_id,
            domains=frozenset(kept.organisation.domains),
            scopes=scopes & set(PUBLISHABLE_SCOPES) if publishable else scopes,
            publishable=publishable,
            key_id=key.key_id,
            origins=frozenset(key.origins),
        )


class TokenBucket:
    """Requests of one key: so many a second on average, twice as many at once."""

    def __init__(self, per_second: float, monotonic: Callable[[], float]) -> None:
        self._rate, self._monotonic = per_second, monotonic
        self._most = max(1.0, 2 * per_second)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key_id: str) -> float:
        """Take one; returns 0, or in how many seconds there will be one."""
        now = self._monotonic()
        left, at = self._left.get(key_id, (self._most, now))
        left = min(self._most, left + (now - at) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[key_id] = (left - 1 if not wait else left, now)
        self._left.move_to_end(key_id)
        if len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)
        return wait
