"""One contract for the cache of a process and the cache in Redis, and what Redis does when it does not answer."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kuajie.core.errors import ConfigError
from kuajie.core.records import Account, Event
from kuajie.storage.cache import recent as recent_module
from kuajie.storage.cache.memory import MemoryCache
from kuajie.storage.cache.redis import RedisCache, redis_address
from kuajie.testing.servers import Server
from kuajie.workflows.stores import Cache

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANNA, BEN = Account(domain="课程", user="安娜:1"), Account(domain="课程", user="安娜")


def event(event_id: str, user: str = ANNA.user, minutes: int = 0) -> Event:
    at = NOW + timedelta(minutes=minutes)
    return Event(event_id=event_id, domain="课程", user=user, item="入门", kind="view", occurred_at=at, value=0.3)


def ids(cache: Cache, account: Account = ANNA) -> list[str] | None:
    found = cache.recent([account]).get(account)
    return None if found is None else [each.event_id for each in found]


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    server: Server = request.getfixturevalue("redis_server")
    cache = RedisCache.open(server.url)
    cache._client.flushdb()
    yield cache
    cache.close()


def test_accounts_are_unknown_until_they_are_filled(cache: Cache) -> None:
    cache.remember([event("1", BEN.user)])
    assert cache.recent([ANNA, BEN]) == {}
    cache.fill({ANNA: []})
    assert cache.recent([ANNA]) == {ANNA: []}
    cache.remember([event("2", minutes=2), event("1", minutes=1), event("3", BEN.user)])
    assert ids(cache) == ["1", "2"]
    assert cache.recent([ANNA])[ANNA][1] == event("2", minutes=2)
    assert ids(cache, BEN) is None


def test_an_event_is_there_once(cache: Cache) -> None:
    cache.fill({ANNA: [event("1")]})
    cache.remember([event("1"), event("2", minutes=1), event("2", minutes=1)])
    assert ids(cache) == ["1", "2"]


def test_what_was_read_before_an_event_does_not_hide_it(cache: Cache) -> None:
    read_before = {ANNA: [event("1")]}
    cache.remember([event("2", minutes=1)])
    cache.fill(read_before)
    assert ids(cache) is None


def test_the_newest_are_kept(cache: Cache) -> None:
    cache.fill({ANNA: [event(f"{n:03}", minutes=n) for n in range(600)]})
    assert (ids(cache) or [])[::499] == ["100", "599"]


def test_windows_are_counted(cache: Cache) -> None:
    assert [cache.count("曝光", 3_600) for _ in range(3)] == [1, 2, 3]
    assert cache.count("other", 3_600) == 1
    assert cache.count("曝光", 86_400) == 1


def test_values_are_kept_for_a_while(cache: Cache) -> None:
    assert cache.get("列表") is None
    cache.put("列表", b"\x00\xff", 100)
    cache.put("short", b"1", 1)
    assert cache.get("列表") == b"\x00\xff"
    time.sleep(1.1)
    assert cache.get("short") is None


def test_a_process_forgets_what_was_used_longest_ago() -> None:
    now = [0.0]
    cache = MemoryCache(clock=lambda: now[0])
    cache.remember([event("1")])
    now[0] += recent_module.FRESH_SECONDS + 1
    cache.fill({ANNA: [event("1")]})
    assert ids(cache) == ["1"]
    cache.fill({Account(domain="d", user=str(n)): [] for n in range(60_000)})
    assert ids(cache) is None
    assert cache.count("a", 10) == 1
    now[0] += 10
    assert cache.count("a", 10) == 1


def test_two_processes_share_through_redis(redis_server: Server) -> None:
    first, second = RedisCache.open(redis_server.url), RedisCache.open(redis_server.url)
    first._client.flushdb()
    first.fill({BEN: []})
    second.remember([event("9", BEN.user)])
    assert ids(first, BEN) == ["9"]
    assert [first.count("n", 1_000), second.count("n", 1_000)] == [1, 2]
    first.close()
    second.close()


def test_a_redis_that_does_not_answer_is_left_alone(redis_server: Server) -> None:
    cache = RedisCache.open(redis_server.url)
    cache._client.flushdb()
    cache.fill({ANNA: [event("1")]})
    redis_server.freeze()
    try:
        began = time.monotonic()
        assert cache.recent([ANNA]) == {}
        for _ in range(50):
            assert cache.recent([ANNA]) == {}
            assert cache.get("x") is None
            assert cache.count("x", 10) == 0
            cache.remember([event("2")])
        assert time.monotonic() - began < 2.0
    finally:
        redis_server.thaw()
    deadline = time.monotonic() + 5
    while ids(cache) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ids(cache) is not None
    cache.close()


def test_a_redis_that_was_never_there() -> None:
    cache = RedisCache.open("redis://127.0.0.1:1/0")
    cache.fill({ANNA: []})
    assert cache.recent([ANNA]) == {}
    cache.close()


def test_addresses() -> None:
    assert redis_address("redis://a", None) == "redis://a"
    assert redis_address(None, "R", {"R": "redis://b"}) == "redis://b"
    with pytest.raises(ConfigError, match="R, which is not set"):
        redis_address("redis://a", "R", {})
    with pytest.raises(ConfigError, match="not a URL such as redis://host"):
        RedisCache.open("http://x")
