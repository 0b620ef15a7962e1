"""The Kafka adapter against librdkafka's own mock cluster: its protocol is real, its broker is not.

There is no real broker on the machines that these tests run on; what only one does (authentication, retention,
rebalances between machines) is not tested here.
"""

import os
from collections.abc import Iterator, Sequence

import pytest

from kuajie.core.errors import ConfigError, StreamError
from kuajie.storage.streams.address import open_source
from kuajie.storage.streams.kafka import KafkaTopic
from kuajie.testing.streams import MessageSourceContract, Topic, taken
from kuajie.workflows.consume import ConsumeConfig, MessageSource

confluent_kafka = pytest.importorskip("confluent_kafka")


@pytest.fixture(scope="module")
def producer() -> Iterator[object]:
    """A producer that carries the cluster inside."""
    made = confluent_kafka.Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "linger.ms": 0})
    yield made
    made.flush(5)


@pytest.fixture
def config(producer: object) -> ConsumeConfig:
    brokers = producer.list_topics(timeout=10).brokers.values()  # type: ignore[attr-defined]
    address = ",".join(f"{each.host}:{each.port}" for each in brokers)
    name = f"events-{os.urandom(4).hex()}"
    return ConsumeConfig(
        url=f"kafka://{address}",
        stream=name,
        group=name,
        kafka={"session.timeout.ms": "3000", "heartbeat.interval.ms": "200"},
    )


def leave(source: MessageSource) -> None:
    """The mock cluster waits long for members that die; leaving commits nothing either."""
    assert isinstance(source, KafkaTopic)
    source._consumer.unsubscribe()
    source._consumer.close()


def send_to(producer: object, topic: str, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        producer.produce(topic, body, partition=0)  # type: ignore[attr-defined]
    assert producer.flush(10) == 0  # type: ignore[attr-defined]


def test_messages_are_taken_and_committed(producer: object, config: ConsumeConfig) -> None:
    send_to(producer, config.stream, ["城市".encode(), b"\xff", b"{}"])
    source = open_source(config)
    messages = taken(source, 3)
    assert [each.body for each in messages] == ["城市".encode(), b"\xff", b"{}"]
    source.done(messages[:2])
    assert isinstance(source, KafkaTopic)
    (place,) = source._consumer.committed([confluent_kafka.TopicPartition(config.stream, 0)], timeout=10)
    assert place.offset == 2
    source.close()


@pytest.mark.slow
class TestKafka(MessageSourceContract):
    @pytest.fixture
    def topic(self, producer: object, config: ConsumeConfig) -> Topic:
        def send(bodies: Sequence[bytes]) -> None:
            send_to(producer, config.stream, bodies)

        send([b"made"])  # a consumer of a topic that there is not learns of it late
        first = open_source(config)
        first.done(taken(first, 1))
        first.close()
        return Topic(send, lambda: open_source(config), leave, several=False)


def test_brokers_that_are_away() -> None:
    source = open_source(ConsumeConfig(url="kafka://127.0.0.1:9", kafka={"log_level": "0"}))
    with pytest.raises(StreamError, match="does not answer: _"):
        source.fetch(1, 3)
    source.close()


def test_options_are_librdkafkas_and_secrets_are_in_the_environment() -> None:
    with pytest.raises(ConfigError, match=r"kafka: .*no\.such"):
        open_source(ConsumeConfig(url="kafka://h:1", kafka={"no.such": "x"}))
    secret = ConsumeConfig(url="kafka://h:1", kafka={"client.rack": "env:RACK", "enable.auto.commit": "true"})
    with pytest.raises(ConfigError, match="RACK"):
        open_source(secret, {})
    open_source(secret, {"RACK": "a"}).close()
