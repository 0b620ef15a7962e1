"""Showings: how often somebody has seen an item lately, in the cache that processes share.

A cache may lose them, and two processes that count one person at the same moment may count once: a limit on repetition
can live with that. Nothing is kept longer than the days that a step counts over.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from kuajie.core.records import Account
from kuajie.workflows.stores import Cache

DAY = 86_400
MOST = 500
"""Showings of one person and target; the oldest are forgotten."""


class Showings:
    """Counts in a cache.

    Args:
        cache: where they are.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def note(self, account: Account, target: str, seen: Iterable[tuple[str, datetime]], days: int) -> None:
        """Items that were seen, each with when; may wait for the cache."""
        name = _name(account, target)
        known = [*self._read(name), *((item, at.timestamp()) for item, at in seen)]
        self._cache.put(name, msgspec.json.encode(known[-MOST:]), days * DAY)

    def counts(self, account: Account, target: str, now: datetime, days: int) -> Mapping[str, int]:
        """How often each item was seen in so many days; may wait for the cache."""
        since = now.timestamp() - days * DAY
        return Counter(item for item, at in self._read(_name(account, target)) if at >= since)

    def _read(self, name: str) -> list[tuple[str, float]]:
        found = self._cache.get(name)
        try:
            return msgspec.json.decode(found, type=list[tuple[str, float]]) if found else []
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return []  # another version wrote it


def _name(account: Account, target: str) -> str:
    return f"shown:{target}:{account.domain}:{account.user}"
