"""The contract of `workflows.consume.MessageSource` as a test class, and a stream in memory.

A subclass gives a fixture `topic`: a `Topic`, empty, on whatever it tests.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from kuajie.core.errors import StreamError
from kuajie.workflows.consume import Message, MessageSource


@dataclass(frozen=True)
class Topic:
    """A stream of the test.

    Attributes:
        send: puts messages at its end.
        open: a new consumer of the group.
        crash: lets a consumer die without a word.
        several: whether two consumers share the work at once, not one after the other.
    """

    send: Callable[[Sequence[bytes]], None]
    open: Callable[[], MessageSource]
    crash: Callable[[MessageSource], None]
    several: bool = True


def taken(source: MessageSource, count: int, seconds: float = 30.0) -> list[Message]:
    """So many messages, from as many fetches as it takes."""
    found: list[Message] = []
    until = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < until, f"{len(found)} of {count} messages came"
        found += source.fetch(count - len(found), 0.2)
    return found


class MessageSourceContract:
    """What every stream must do."""

    @pytest.fixture
    def topic(self) -> Topic:
        """An empty stream."""
        raise NotImplementedError

    def test_messages_come_in_order_and_as_they_were_sent(self, topic: Topic) -> None:
        sent = [b'{"a":1}', "城市".encode(), b"\xff\x00\xfe", b"x" * 100_000, b"{}"]
        source = topic.open()
        topic.send(sent)
        assert [each.body for each in taken(source, 5)] == sent
        assert source.fetch(10, 0.1) == []
        source.close()

    def test_what_is_done_does_not_come_again_and_the_rest_does(self, topic: Topic) -> None:
        topic.send([str(n).encode() for n in range(10)])
        first = topic.open()
        source_messages = taken(first, 7)
        first.done(source_messages[:4])
        first.done([])
        topic.crash(first)
        second = topic.open()
        found = taken(second, 6)
        assert sorted(each.body for each in found) == [str(n).encode() for n in range(4, 10)]
        second.done(found)
        second.close()
        third = topic.open()
        assert third.fetch(10, 0.5) == []
        topic.send([b"later"])
        assert [each.body for each in taken(third, 1)] == [b"later"]
        third.close()

    def test_messages_say_when_they_were_sent(self, topic: Topic) -> None:
        before = time.time()
        topic.send([b"x"])
        source = topic.open()
        (message,) = taken(source, 1)
        assert message.at is not None
        assert before - 2 < message.at.timestamp() < time.time() + 2
        source.close()

    def test_two_consumers_share_the_work(self, topic: Topic) -> None:
        if not topic.several:
            pytest.skip("this stream gives everything to one of them")
        one, other = topic.open(), topic.open()
        topic.send([str(n).encode() for n in range(20)])
        found = [message.body for _ in range(2) for source in (one, other) for message in taken(source, 5)]
        assert sorted(found) == sorted(str(n).encode() for n in range(20))
        one.close()
        other.close()


@dataclass
class MemoryStream:
    """`workflows.consume.MessageSource` in memory; several share `log`, `owed` and `finished`."""

    log: list[bytes]
    owed: dict[int, object] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)
    failure: StreamError | None = None

    def again(self) -> "MemoryStream":
        """Another consumer of the same group."""
        return MemoryStream(self.log, self.owed, self.finished)

    def fetch(self, most: int, seconds: float) -> list[Message]:
        """See `MessageSource.fetch`."""
        if self.failure is not None:
            raise self.failure
        free = [place for place in range(len(self.log)) if place not in self.owed and place not in self.finished]
        self.owed.update(dict.fromkeys(free[:most], self))
        return [Message(self.log[place], token=place) for place in free[:most]]

    def done(self, messages: Sequence[Message]) -> None:
        """See `MessageSource.done`."""
        if self.failure is not None:
            raise self.failure
        self.finished.update(each.token for each in messages)

    def close(self) -> None:
        """See `MessageSource.close`."""
        for place in [place for place, owner in self.owed.items() if owner is self]:
            del self.owed[place]
