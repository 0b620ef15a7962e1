"""A Kafka topic and a group of consumers (extra `kafka`). Offsets are committed when what is before them is durable."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from kuajie.core.errors import ConfigError, MissingExtraError, StreamError
from kuajie.workflows.consume import Message

if TYPE_CHECKING:
    from confluent_kafka import Consumer

TOGETHER_SECONDS = 0.02
"""What comes so soon after the first message is stored with it."""
OURS = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "client.id": "kuajie",
}


class KafkaTopic:
    """`workflows.consume.MessageSource`."""

    def __init__(self, consumer: "Consumer", topic: str, failures: "list[Any]") -> None:
        self._consumer, self._topic, self._failures = consumer, topic, failures

    @classmethod
    def open(cls, brokers: str, topic: str, group: str, options: Mapping[str, str]) -> Self:
        """A topic; brokers need not answer yet.

        Args:
            brokers: `host:port`, several separated by commas.
            topic: its name.
            group: of consumers.
            options: of librdkafka; what the promises rest on cannot be changed.

        Raises:
            MissingExtraError: the package is not installed.
            ConfigError: librdkafka does not know an option.
        """
        try:
            from confluent_kafka import Consumer, KafkaException
        except ModuleNotFoundError:
            raise MissingExtraError("consuming from Kafka", "confluent-kafka", "kafka") from None
        failures: list[Any] = []
        told: dict[str, Any] = {**options, **OURS, "bootstrap.servers": brokers, "group.id": group}
        told["error_cb"] = failures.append  # librdkafka goes on by itself and says it here alone
        try:
            consumer = Consumer(told)
        except KafkaException as error:
            said = error.args[0].str() if error.args else ""
            raise ConfigError("[consume] kafka: {reason}. Correct the options.", reason=said) from None
        consumer.subscribe([topic])
        return cls(consumer, topic, failures)

    def fetch(self, most: int, seconds: float) -> list[Message]:
        """See `MessageSource.fetch`."""
        from confluent_kafka import KafkaException

        try:
            found = self._consumer.consume(1, seconds)  # it waits until it has as many as it was asked for
            if found and most > 1:
                found += self._consumer.consume(most - 1, TOGETHER_SECONDS)
        except KafkaException as error:
            raise self._refusal(error.args[0]) from None
        wrong = [each.error() for each in found if each.error() is not None] + self._failures
        good = [each for each in found if each.error() is None]
        self._failures.clear()
        if wrong and not good:
            raise self._refusal(wrong[0])
        return [Message(each.value() or b"", _time(each.timestamp()), _place(each)) for each in good]

    def done(self, messages: Sequence[Message]) -> None:
        """See `MessageSource.done`; of a partition that another has now, that one decides."""
        from confluent_kafka import KafkaError, KafkaException, TopicPartition

        last: dict[tuple[str, int], int] = {}
        for each in messages:
            topic, partition, offset = each.token
            last[topic, partition] = max(offset, last.get((topic, partition), -1))
        offsets = [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in last.items()]
        lost = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS}
        try:
            if offsets:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in lost:
                raise self._refusal(error.args[0]) from None

    def close(self) -> None:
        """See `MessageSource.close`."""
        self._consumer.close()

    def _refusal(self, error: Any) -> StreamError:  # noqa: ANN401 - of librdkafka
        return StreamError(
            "the stream {stream} does not answer: {reason}. Nothing is lost; it is asked again.",
            stream=self._topic,
            reason=error.name(),
        )


def _place(message: Any) -> tuple[str, int, int]:  # noqa: ANN401 - of librdkafka
    return message.topic(), message.partition(), message.offset()


def _time(stamp: tuple[int, int]) -> datetime | None:
    kind, millis = stamp
    try:
        return datetime.fromtimestamp(millis / 1_000, UTC) if kind and millis > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
