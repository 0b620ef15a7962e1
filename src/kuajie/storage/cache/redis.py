"""The cache that processes share through a Redis server (extra `redis`).

    kuajie:recent:DOMAIN:USER     list of events as JSON; only of accounts that are known, for a minute
    kuajie:fresh:DOMAIN:USER      exists for some seconds after an event
    kuajie:count:...              counters of windows of time
    kuajie:value:...              values

A server that does not answer is left alone for a second, so that it slows nobody down. What happens meanwhile is
missing in the lists that it holds, for a minute at most: then they are asked of the store again.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec

from kuajie.core.errors import ConfigError
from kuajie.core.language import message
from kuajie.core.records import Account, Event
from kuajie.storage.cache.recent import FRESH_SECONDS, account_of, newest
from kuajie.storage.redis_client import redis_client
from kuajie.workflows.stores import MOST_EVENTS

if TYPE_CHECKING:
    import redis

KEPT_SECONDS = 60
ANSWER_SECONDS = 0.25
PAUSE_SECONDS = 1.0
EMPTY = b""
"""Stands at the head of every list, so that the list of an account without events exists."""
T = TypeVar("T")


def redis_address(url: str | None, variable: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The URL, from the configuration or the environment, which goes first.

    Raises:
        ConfigError: the variable is not set.
    """
    found = url if variable is None else environment.get(variable)
    if not found:
        raise ConfigError(
            "[store] names the environment variable {variable}, which is not set. Put the URL of Redis there.",
            variable=variable,
        )
    return found


class RedisCache:
    """`workflows.stores.Cache` in Redis."""

    shared: ClassVar[bool] = True

    def __init__(self, client: "redis.Redis", most_events: int = MOST_EVENTS) -> None:
        self._client, self._most_events = client, most_events
        self._silent_until = 0.0

    @classmethod
    def open(cls, url: str) -> Self:
        """A cache at a URL; the server need not answer yet.

        Raises:
            MissingExtraError: the package is not installed.
            ConfigError: this is no URL.
        """
        return cls(redis_client(url, ANSWER_SECONDS, message("sharing through Redis"), "[store] redis"))

    def remember(self, events: Sequence[Event]) -> None:
        """See `Cache.remember`."""

        def told() -> None:
            pipe = self._client.pipeline(transaction=True)
            for account in dict.fromkeys(map(account_of, events)):
                pipe.set(_name("fresh", account), b"1", px=int(FRESH_SECONDS * 1_000))
            for event in events:
                pipe.rpushx(_name("recent", account_of(event)), msgspec.json.encode(event).decode())
            pipe.execute()

        self._ask(told, None)

    def fill(self, recent: Mapping[Account, Sequence[Event]]) -> None:
        """See `Cache.fill`."""

        def filled() -> None:
            accounts = list(recent)
            fresh = self._client.mget([_name("fresh", account) for account in accounts]) if accounts else []
            pipe = self._client.pipeline(transaction=True)
            for account, touched in zip(accounts, fresh, strict=True):
                if touched is not None:
                    continue
                name = _name("recent", account)
                own = newest({event.event_id: event for event in recent[account]}, self._most_events)
                pipe.delete(name)
                pipe.rpush(name, EMPTY, *(msgspec.json.encode(event) for event in own.values()))
                pipe.expire(name, KEPT_SECONDS)
            pipe.execute()

        self._ask(filled, None)

    def recent(self, accounts: Sequence[Account]) -> dict[Account, list[Event]]:
        """See `Cache.recent`."""

        def read() -> dict[Account, list[Event]]:
            pipe = self._client.pipeline(transaction=False)
            for account in accounts:
                pipe.lrange(_name("recent", account), 0, -1)
            found = zip(accounts, pipe.execute(), strict=True)
            return {account: self._events(rows) for account, rows in found if rows}

        return self._ask(read, {})

    def count(self, name: str, seconds: int) -> int:
        """See `Cache.count`."""

        def counted() -> int:
            window = f"kuajie:count:{name}:{seconds}:{int(time.time() // seconds)}"
            pipe = self._client.pipeline(transaction=True)
            pipe.incr(window)
            pipe.expire(window, seconds + 1)
            return int(pipe.execute()[0])

        return self._ask(counted, 0)

    def put(self, name: str, value: bytes, seconds: int) -> None:
        """See `Cache.put`."""
        self._ask(lambda: self._client.set(f"kuajie:value:{name}", value, ex=seconds), None)

    def get(self, name: str) -> bytes | None:
        """See `Cache.get`."""
        found: Any = self._ask(lambda: self._client.get(f"kuajie:value:{name}"), None)
        return found if isinstance(found, bytes) else None

    def close(self) -> None:
        """See `Cache.close`."""
        self._client.close()

    def _events(self, rows: Sequence[bytes]) -> list[Event]:
        events = [msgspec.json.decode(row, type=Event) for row in rows if row != EMPTY]
        return list(newest({event.event_id: event for event in events}, self._most_events).values())

    def _ask(self, question: Callable[[], T], otherwise: T) -> T:
        """The answer of the server, or the other where it gives none."""
        import redis

        if time.monotonic() < self._silent_until:
            return otherwise
        try:
            return question()
        except (redis.RedisError, OSError, msgspec.MsgspecError):
            self._silent_until = time.monotonic() + PAUSE_SECONDS
            return otherwise


def _name(kind: str, account: Account) -> str:
    """Domains hold no colon, so that no two accounts share a name."""
    return f"kuajie:{kind}:{account.domain}:{account.user}"
