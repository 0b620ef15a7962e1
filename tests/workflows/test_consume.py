"""The loop of the consumer over a stream and a store in memory."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuajie.core.errors import BusyError, StoreError, StreamError
from kuajie.core.records import BadEvent, Event, Verdict
from kuajie.testing.memory_store import MemoryStore
from kuajie.testing.streams import MemoryStream, MessageSourceContract, Topic
from kuajie.workflows.consume import LONGEST_WAIT, Consumer, Message
from kuajie.workflows.receive import EventRules

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def body(number: object, **more: Any) -> bytes:
    event = {"event_id": f"e{number}", "domain": "课程", "user": "张三", "item": "py", "kind": "view", **more}
    return json.dumps(event).encode()


class World:
    def __init__(self, *bodies: bytes) -> None:
        self.stream, self.store = MemoryStream(list(bodies)), MemoryStore()
        self.waits: list[float] = []
        self.stop_after = 1_000
        self.mend: list[Any] = []
        self.learned: list[str] = []
        self.noted: list[str] = []
        self.consumer = Consumer(
            self.stream,
            self.store.events,
            EventRules({"课程", "car"}),
            lambda: NOW,
            self.pause,
            learn=self.learn,
            noted=lambda rows: self.noted.extend(row.reason for row in rows),
            chance=lambda: 1.0,
        )

    def learn(self, events: Sequence[Event]) -> None:
        assert not self.stream.finished & {int(e.event_id[1:]) for e in events}, "before they are acknowledged"
        self.learned += [event.event_id for event in events]

    def pause(self, seconds: float) -> bool:
        if seconds:
            self.waits.append(seconds)
            if self.mend and len(self.waits) >= self.mend[0]:
                self.mend[1]()
        return len(self.waits) >= self.stop_after

    @property
    def stored(self) -> list[str]:
        return [row.event.event_id for row in self.store.events.after(0)]


class TestFake(MessageSourceContract):
    @pytest.fixture
    def topic(self) -> Topic:
        stream = MemoryStream([])
        return Topic(stream.log.extend, stream.again, lambda source: source.close())

    @pytest.mark.skip(reason="a stream in memory keeps no time")
    def test_messages_say_when_they_were_sent(self, topic: Topic) -> None: ...


def test_events_are_stored_told_and_acknowledged() -> None:
    world = World(*(body(n) for n in range(3)), body(1), b"\xff", b"[]", body(6, domain="x"), body(7, kind="no"))
    world.consumer.run(until_empty=True)
    assert world.stored == world.learned == ["e0", "e1", "e2"]
    assert dict(world.consumer.counts) == {"accepted": 3, "duplicate": 1, "rejected": 4}
    assert len(world.noted) == len(world.store.events.quarantined()) == 4
    assert world.stream.finished == set(range(8)), "poison does not stop the stream"


def test_only_its_domains_may_be_written() -> None:
    world = World(body(0), body(1, domain="car"))
    world.consumer.allowed = frozenset({"car"})
    world.consumer.run(until_empty=True)
    assert (world.stored, world.noted) == (["e1"], ["domain is not one of yours"])


def test_what_names_no_time_happened_when_the_stream_got_it() -> None:
    world = World()
    earlier = NOW - timedelta(hours=3)
    world.stream.fetch = lambda most, seconds: [Message(body(0), earlier, 0), Message(body(1), None, 1)]  # type: ignore[method-assign]
    world.consumer.step()
    assert [row.event.occurred_at for row in world.store.events.after(0)] == [earlier, NOW]


@pytest.mark.parametrize("error", [StoreError("down"), BusyError("full")])
def test_a_store_that_is_down_is_waited_for_and_nothing_is_acknowledged(error: StoreError) -> None:
    world = World(*(body(n) for n in range(3)))
    world.store.events.failure = error
    world.store.events.newest = lambda: (_ for _ in ()).throw(StoreError("down"))  # type: ignore[method-assign]

    def mend() -> None:
        assert world.stream.finished == set()
        world.store.events.failure = None

    world.mend = [12, mend]
    world.consumer.run(until_empty=True)
    assert world.stored == ["e0", "e1", "e2"]
    assert world.waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert max(world.waits) == LONGEST_WAIT
    assert world.stream.finished == {0, 1, 2}


def test_stopped_while_it_waits_it_acknowledges_nothing() -> None:
    world = World(body(0))
    world.store.events.failure = StoreError("down")
    world.stop_after = 2
    world.consumer.run()
    assert (world.stored, world.stream.finished) == ([], set())


def test_a_stream_that_is_down_is_asked_again() -> None:
    world = World(body(0))
    world.stream.failure = StreamError("down")

    def mend() -> None:
        world.stream.failure = None

    world.mend = [3, mend]
    world.consumer.run(until_empty=True)
    assert (world.stored, world.waits) == (["e0"], [0.1, 0.2, 0.4])


def test_what_could_not_be_acknowledged_comes_again_and_is_a_duplicate() -> None:
    world = World(body(0))
    done = world.stream.done
    calls = []

    def failing(messages: Sequence[Message]) -> None:
        calls.append(len(messages))
        if len(calls) == 1:
            world.stream.close()  # it comes to others, and so again
            raise StreamError("down")
        done(messages)

    world.stream.done = failing  # type: ignore[method-assign]
    world.consumer.run(until_empty=True)
    assert (world.stored, calls) == (["e0"], [1, 1])
    assert (world.consumer.counts["accepted"], world.consumer.counts["duplicate"]) == (1, 1)


def test_a_row_that_the_store_alone_refuses_goes_to_the_quarantine() -> None:
    world = World(*(body(n) for n in range(4)))
    append = world.store.events.append

    def picky(rows: Sequence[Event | BadEvent], at: datetime) -> list[Verdict]:
        if any(isinstance(row, Event) and row.event_id == "e2" for row in rows):
            raise StoreError("this row is too much for me")
        return append(rows, at)

    world.store.events.append = picky  # type: ignore[method-assign]
    world.consumer.run(until_empty=True)
    assert world.stored == ["e0", "e1", "e3"]
    assert [each.bad.event_id for each in world.store.events.quarantined()] == ["e2"]
    assert world.stream.finished == {0, 1, 2, 3}
