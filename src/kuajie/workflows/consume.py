"""Consume: behaviour from a stream of messages, with the promises of `receive`.

message -> (checked by the rules of events) -> stored, durable -> histories know it -> acknowledged

A message is acknowledged when it is durable and never before, so the stream gives it again to whoever comes after a
crash; events are stored once for their id, so each is there exactly once. What is no event goes to the quarantine and
is acknowledged: it would stop the stream for ever. While the store is down or busy, the consumer waits and asks for
nothing more.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Protocol

import msgspec
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.errors import BusyError, StoreError, StreamError
from kuajie.core.records import BadEvent, Event, Verdict
from kuajie.workflows.receive import MOST_ROWS, EventRules
from kuajie.workflows.stores import EventStore

log = logging.getLogger("kuajie.consume")
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 30.0
FETCH_SECONDS = 1.0
REFUSED = "the store refuses it"
PATIENT_TRIES = 5
"""After so many a store that answers others is asked for each row alone."""


class ConsumeConfig(Config):
    """The section `[consume]`: a stream whose messages are events, one JSON object each.

    Attributes:
        url: `redis://host:6379/0` (`rediss://` with TLS) or `kafka://host:9092,other:9092`; left out: none.
        url_env: name of the environment variable that holds it (for URLs with a password).
        stream: the stream's key, or the topic.
        group: of consumers that share the work.
        field: of a Redis entry, that holds the event.
        batch: messages that are stored together.
        claim_seconds: what a consumer of a Redis stream has not acknowledged for so long is taken over by others.
        domains: that the stream may write; left out: all.
        kafka: more options of librdkafka; a value `env:NAME` is read from the environment.
        serve: whether `kuajie serve` consumes, beside answering.
    """

    url: str | None = Field(default=None, repr=False)
    url_env: str | None = None
    stream: str = Field(default="kuajie:events", min_length=1)
    group: str = Field(default="kuajie", min_length=1)
    field: str = Field(default="event", min_length=1)
    batch: Annotated[int, Field(ge=1, le=MOST_ROWS)] = MOST_ROWS
    claim_seconds: Annotated[float, Field(gt=0)] = 60.0
    domains: tuple[str, ...] | None = None
    kafka: dict[str, str] = Field(default_factory=dict, repr=False)
    serve: bool = True


@dataclass(frozen=True)
class Message:
    """One message of a stream.

    Attributes:
        body: as it was sent.
        at: when the stream got it, where it says so.
        token: what its source knows it by.
    """

    body: bytes
    at: datetime | None = None
    token: Any = None


class MessageSource(Protocol):
    """A stream that several consumers share: each message goes to one of them, again and again until it is done."""

    def fetch(self, most: int, seconds: float) -> list[Message]:
        """The next messages, in the order of the stream; waits so long for the first.

        Raises:
            StreamError: it does not answer.
        """

    def done(self, messages: Sequence[Message]) -> None:
        """These are durable; nobody needs them any more.

        Raises:
            StreamError: it does not answer; they may come again.
        """

    def close(self) -> None:
        """Let go of it; what is not done comes to others."""


@dataclass(eq=False)
class Consumer:
    """Takes messages until it is stopped.

    Attributes:
        source: whence.
        store: whither.
        rules: what is an event.
        clock: now.
        pause: waits so many seconds, and says whether to stop.
        allowed: domains that the stream may write; None: all.
        batch: messages that are stored together.
        learn: told of what is new and durable, before it is acknowledged.
        noted: told of what goes to the quarantine.
        chance: numbers in [0, 1) for the waits.
        counts: rows by verdict, and `again`, how often the store or the stream was asked again.
    """

    source: MessageSource
    store: EventStore
    rules: EventRules
    clock: Callable[[], datetime]
    pause: Callable[[float], bool]
    allowed: Collection[str] | None = None
    batch: int = MOST_ROWS
    learn: Callable[[Sequence[Event]], None] = lambda _: None
    noted: Callable[[Sequence[BadEvent]], None] = lambda _: None
    chance: Callable[[], float] = random.random
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, *, until_empty: bool = False) -> None:
        """Until `pause` says stop; or, where that is asked for, until the stream has nothing more."""
        failed = 0
        while not self.pause(0):
            try:
                taken = self.step()
            except StreamError as error:
                failed += 1
                log.warning("%s", error)
                if self._wait(failed):
                    return
                continue
            failed = 0
            if until_empty and not taken:
                return

    def step(self) -> int:
        """Take what there is, once; returns how many messages that were.

        Raises:
            StreamError: the stream does not answer; what is stored and not acknowledged comes again.
        """
        messages = self.source.fetch(self.batch, FETCH_SECONDS)
        if not messages:
            return 0
        now = self.clock()
        rows = [self.rules.read(each.body, each.at or now, self.allowed) for each in messages]
        verdicts = self._stored(rows)
        if verdicts is None:
            return len(messages)  # stopped; nothing is acknowledged
        self.counts.update(verdict.status for verdict in verdicts)
        self._tell(rows, verdicts)
        self.source.done(messages)
        return len(messages)

    def _stored(self, rows: Sequence[Event | BadEvent]) -> list[Verdict] | None:
        """The verdicts, as soon as the store has taken the rows; None where it was stopped before."""
        tries = 0
        while True:
            try:
                return self.store.append(rows, self.clock())
            except StoreError as error:
                tries += 1
                log.warning("%s", error)
                if tries >= PATIENT_TRIES and not isinstance(error, BusyError) and self._answers():
                    return self._each(rows)
            if self._wait(tries):
                return None

    def _each(self, rows: Sequence[Event | BadEvent]) -> list[Verdict] | None:
        """Store each row alone; one that a store refuses which answers others goes to the quarantine."""
        verdicts: list[Verdict] = []
        for row in rows:
            try:
                verdicts += self.store.append([row], self.clock())
            except StoreError as error:
                if isinstance(row, BadEvent) or isinstance(error, BusyError) or not self._answers():
                    return self._stored(rows)  # it is not the row: begin again, which is safe
                kept = self._stored([self.rules.bad(msgspec.json.encode(row), REFUSED, self.allowed)])
                if kept is None:
                    return None
                verdicts += kept
        return verdicts

    def _answers(self) -> bool:
        try:
            self.store.newest()
        except StoreError:
            return False
        return True

    def _tell(self, rows: Sequence[Event | BadEvent], verdicts: Sequence[Verdict]) -> None:
        accepted = [
            row
            for row, verdict in zip(rows, verdicts, strict=True)
            if verdict.status == "accepted" and isinstance(row, Event)
        ]
        bad = [row for row in rows if isinstance(row, BadEvent)]
        if accepted:
            self.learn(accepted)
        if bad:
            self.noted(bad)

    def _wait(self, tries: int) -> bool:
        """Wait longer each time; True where it is to stop."""
        self.counts["again"] += 1
        wait = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(tries - 1, 20))
        return self.pause(wait * (0.5 + self.chance() / 2))
