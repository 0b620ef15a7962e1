"""Receive: behaviour as it happens. JSON in, one verdict for each row out; what is accepted is durable.

row -> (checked by the stated rules) -> event or bad event -> store

The rules are those of the import (`CleaningConfig`): times before `earliest` and later than now plus `future_hours` are
impossible, late ones are welcome; what names no time happened when it arrived, and a time without a zone is UTC. Values
are finite, not negative and within `max_value`. Ids follow `core.ids`.
"""

import math
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from kuajie.core.ids import id_problem
from kuajie.core.records import BadEvent, Event, QuarantinedEvent, Verdict
from kuajie.core.texts import Text
from kuajie.data.config import CleaningConfig
from kuajie.data.kinds import LARGEST_VALUE
from kuajie.workflows.stores import EventStore

MOST_ROWS = 500
LONGEST_RAW = 16_384
"""Characters of a bad row that the quarantine keeps."""
LONGEST_REASON = 500
LONGEST_PROPERTIES = 8_192
"""Bytes of an event's properties as JSON."""


@dataclass(frozen=True)
class EventRules:
    """What is an event.

    Attributes:
        domains: that there are.
        cleaning: what is possible.
    """

    domains: Collection[str]
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)

    def read(self, raw: bytes, now: datetime, allowed: Collection[str] | None = None) -> Event | BadEvent:
        """One row of JSON -> an event, or what is wrong with it.

        Args:
            raw: one JSON object with the fields of `Event`.
            now: when it arrived.
            allowed: domains that the sender may write; None: all.
        """
        try:
            event = msgspec.json.decode(raw, type=Event)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return self.bad(raw, str(error), allowed)
        except RecursionError:
            return self.bad(raw, Text("nested too deeply"), allowed)
        return self._checked(event, raw, now, allowed)

    def check(self, event: Event, now: datetime, allowed: Collection[str] | None = None) -> Event | BadEvent:
        """The event with its time in UTC, or what is wrong with it."""
        return self._checked(event, None, now, allowed)

    def _checked(
        self, event: Event, raw: bytes | None, now: datetime, allowed: Collection[str] | None
    ) -> Event | BadEvent:
        reason = self.problem(event, now, allowed)
        if reason is None:
            return _in_utc(event, now)
        return self.bad(_text_of(event) if raw is None else raw, reason, allowed)

    def problem(self, event: Event, now: datetime, allowed: Collection[str] | None = None) -> Text | None:
        """The first thing that is wrong with an event, or None."""
        if event.domain not in self.domains or (allowed is not None and event.domain not in allowed):
            return Text("domain is not one of yours")
        longest = self.cleaning.max_id_bytes
        for name, text in (("event_id", event.event_id), ("user", event.user), ("item", event.item)):
            wrong = id_problem(text, longest)
            if wrong is not None:
                return Text("{name} {problem}", name=name, problem=wrong)
        if event.exposure_id is not None:
            wrong = id_problem(event.exposure_id, longest)
            if wrong is not None:
                return Text("{name} {problem}", name="exposure_id", problem=wrong)
        return self._time_problem(event, now) or self._value_problem(event) or _properties_problem(event.properties)

    def latest(self, now: datetime) -> datetime:
        """When something can have happened at the latest: clocks of senders may be ahead, a little."""
        return now + timedelta(hours=self.cleaning.future_hours)

    def _value_problem(self, event: Event) -> Text | None:
        value = event.value
        if value is None:
            return None
        if not math.isfinite(value):
            return Text("{column} is not finite", column="value")
        if value < 0:
            return Text("value is negative")
        if value > LARGEST_VALUE:
            return Text("value is larger than {most:g}", most=LARGEST_VALUE)
        most = self.cleaning.max_value.get(event.kind)
        if most is None or value <= most:
            return None
        return Text("value of a {kind} is larger than {most:g}", kind=event.kind, most=most)

    def _time_problem(self, event: Event, now: datetime) -> Text | None:
        if event.occurred_at is None:
            return None
        when = event.occurred_at if event.occurred_at.tzinfo else event.occurred_at.replace(tzinfo=UTC)
        if when < self.cleaning.earliest:
            return Text("occurred_at is before {day}", day=self.cleaning.earliest.date())
        if when > self.latest(now):
            return Text("occurred_at is in the future")
        return None

    def bad(self, raw: bytes, reason: str, allowed: Collection[str] | None = None) -> BadEvent:
        """The row with what can be told of it; a domain that is not the sender's is not believed."""
        text = raw.decode("utf-8", "replace").replace("\x00", "\ufffd")
        named = _names_in(raw)
        domain, event_id = named.get("domain"), named.get("event_id")
        known = isinstance(domain, str) and domain in self.domains and (allowed is None or domain in allowed)
        return BadEvent(
            reason=reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON],
            raw=text[:LONGEST_RAW],
            domain=str(domain) if known else "",
            event_id=event_id if isinstance(event_id, str) and id_problem(event_id) is None else "",
        )


def receive(
    store: EventStore,
    rows: Sequence[bytes],
    rules: EventRules,
    now: datetime,
    allowed: Collection[str] | None = None,
) -> Future[list[Verdict]]:
    """Check rows and queue them to be stored together; the future is done when they are durable.

    Raises:
        BusyError: the queue is full; nothing was taken.
    """
    return store.submit([rules.read(row, now, allowed) for row in rows], now)


@dataclass(frozen=True)
class Replay:
    """What became of the quarantine.

    Attributes:
        looked_at: rows that were in it.
        stored: rows that are events now; they have left it.
        duplicates: rows whose event had been stored meanwhile, such as one that was sent again; they have left it, too.
        no_events: rows that stay, since they cannot be read as events: calls of Segment, answers to lists, rubbish.
    """

    looked_at: int = 0
    stored: int = 0
    duplicates: int = 0
    no_events: int = 0

    @property
    def wrong(self) -> int:
        """Rows that stay, since they are events that the rules refuse still."""
        return self.looked_at - self.stored - self.duplicates - self.no_events


def replay(store: EventStore, rules: EventRules, now: datetime, domain: str | None = None) -> Replay:
    """Read quarantined rows again, by today's rules; those that are good now are stored and leave the quarantine.

    Rows of no domain of their sender stay: nobody may write into a domain by waiting for it.
    """
    count: Counter[str] = Counter()
    for rows in _pages(store, domain):
        count["looked_at"] += len(rows)
        count["no_events"] += sum(not _is_event(row) for row in rows)
        good = [(row.number, event) for row in rows if isinstance(event := _again(row, rules), Event)]
        if good:
            verdicts = store.release([number for number, _ in good], [event for _, event in good], now)
            count["stored"] += sum(verdict.status == "accepted" for verdict in verdicts)
            count["duplicates"] += sum(verdict.status == "duplicate" for verdict in verdicts)
    return Replay(**count)


@dataclass(frozen=True)
class Quarantine:
    """What is in the quarantine.

    Attributes:
        rows: how many.
        reasons: how many of a domain (empty: of none that its sender may write) for each reason, most frequent first.
        newest: the last rows, newest first.
    """

    rows: int
    reasons: list[tuple[str, str, int]]
    newest: list[QuarantinedEvent]


def quarantine(store: EventStore, domain: str | None = None, newest: int = 20) -> Quarantine:
    """Look through the quarantine, page by page.

    Args:
        store: whose.
        domain: of this alone; None: of all, and of none.
        newest: how many of the last rows are kept to be shown.
    """
    reasons: Counter[tuple[str, str]] = Counter()
    last: deque[QuarantinedEvent] = deque(maxlen=newest)
    for rows in _pages(store, domain):
        reasons.update((row.bad.domain, row.bad.reason) for row in rows)
        last.extend(rows)
    counted = [(named, reason, rows) for (named, reason), rows in reasons.most_common()]
    return Quarantine(reasons.total(), counted, [*reversed(last)])


def _pages(store: EventStore, domain: str | None) -> Iterator[list[QuarantinedEvent]]:
    after = 0
    while rows := store.quarantined(after, MOST_ROWS, domain):
        after = rows[-1].number
        yield rows


def _is_event(row: QuarantinedEvent) -> bool:
    """Whether it says what an event says, be it impossible."""
    try:
        msgspec.json.decode(row.bad.raw.encode(), type=Event)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def _again(row: QuarantinedEvent, rules: EventRules) -> Event | BadEvent:
    """A row that names no time happened when it arrived, not now."""
    return rules.read(row.bad.raw.encode(), row.received_at, (row.bad.domain,))


def _in_utc(event: Event, now: datetime) -> Event:
    when = event.occurred_at
    if when is not None and when.tzinfo is UTC:
        return event
    if when is None:
        when = now
    elif when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return msgspec.structs.replace(event, occurred_at=when.astimezone(UTC))


def _properties_problem(properties: dict[str, Any]) -> Text | None:
    if not properties:
        return None
    try:
        size = len(msgspec.json.encode(properties))
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        return Text("properties cannot be written as JSON")
    if size <= LONGEST_PROPERTIES:
        return None
    return Text("properties are longer than {most} bytes", most=LONGEST_PROPERTIES)


def _text_of(event: Event) -> bytes:
    try:
        return msgspec.json.encode(event)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        return repr(event).encode("utf-8", "backslashreplace")


def _names_in(raw: bytes) -> dict[str, Any]:
    try:
        values = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
