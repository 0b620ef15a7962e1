"""Redis streams on a real server."""

from collections.abc import Iterator, Sequence

import pytest
import redis

from kuajie.core.errors import ConfigError, StreamError
from kuajie.storage.streams.address import open_source
from kuajie.storage.streams.redis import RedisStream
from kuajie.testing.servers import Server
from kuajie.testing.streams import MessageSourceContract, Topic, taken
from kuajie.workflows.consume import ConsumeConfig, MessageSource

CLAIM = 0.3


@pytest.fixture
def client(redis_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def config(redis_server: Server) -> ConsumeConfig:
    return ConsumeConfig(url=redis_server.url, stream="事件", group="组", claim_seconds=CLAIM)


def crash(source: MessageSource) -> None:
    assert isinstance(source, RedisStream)
    source._client.close()


class TestRedis(MessageSourceContract):
    @pytest.fixture
    def topic(self, client: redis.Redis, config: ConsumeConfig) -> Topic:
        def send(bodies: Sequence[bytes]) -> None:
            for body in bodies:
                client.xadd("事件", {"event": body})

        return Topic(send, lambda: open_source(config), crash)


def test_entries_without_the_field_and_deleted_ones(client: redis.Redis, config: ConsumeConfig) -> None:
    client.xadd("事件", {"别的": "值", "b": b"\xff"})
    gone = client.xadd("事件", {"event": "gone"})
    client.xadd("事件", {"event": "{}"}, id="99999999999999999-0")
    source = open_source(config)
    first, second, third = taken(source, 3)
    assert first.body == '{"别的":"值","b":"�"}'.encode()
    assert third.at is None, "its sender chose an id that is no time"
    source.done([first, third])
    client.xdel("事件", gone)
    crash(source)
    other = open_source(config)
    assert isinstance(other, RedisStream)
    other._claim_at = 0.0
    assert other.fetch(10, CLAIM * 2) == []
    assert second.body == b"gone"


def test_a_consumer_that_owes_nothing_is_taken_off_the_list(client: redis.Redis, config: ConsumeConfig) -> None:
    clean, owing = open_source(config), open_source(config)
    client.xadd("事件", {"event": "1"})
    clean.done(taken(clean, 1))
    client.xadd("事件", {"event": "2"})
    taken(owing, 1)
    clean.close()
    owing.close()
    assert [each["pending"] for each in client.xinfo_consumers("事件", "组")] == [1]


def test_a_server_that_is_away_comes_back(client: redis.Redis, redis_server: Server, config: ConsumeConfig) -> None:
    source = open_source(config)
    client.xadd("事件", {"event": "1"})
    (message,) = taken(source, 1)
    redis_server.kill()
    try:
        with pytest.raises(StreamError, match="does not answer"):
            source.fetch(1, 0.1)
        with pytest.raises(StreamError, match="does not answer"):
            source.done([message])
    finally:
        redis_server.revive()
    assert source.fetch(1, 0.1) == [], "it came back empty, and the group was made anew"
    client.xadd("事件", {"event": "2"})
    assert [each.body for each in taken(source, 1)] == [b"2"]
    source.close()


def test_urls() -> None:
    for wrong in ("http://x", "redis//x"):
        with pytest.raises(ConfigError, match="must begin with"):
            open_source(ConsumeConfig(url=wrong))
    with pytest.raises(ConfigError, match="is not a URL"):
        open_source(ConsumeConfig(url="redis://host:port/"))
    with pytest.raises(ConfigError, match="no stream is named"):
        open_source(ConsumeConfig())
    with pytest.raises(ConfigError, match="no stream is named"):
        open_source(ConsumeConfig(url_env="STREAM"), {})
    assert isinstance(open_source(ConsumeConfig(url_env="STREAM"), {"STREAM": "rediss://:secret@h:1/0"}), RedisStream)
    assert "secret" not in repr(ConsumeConfig(url="redis://:secret@h", kafka={"sasl.password": "secret"}))
