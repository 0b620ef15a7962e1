"""The log of behaviour: idempotent, in one order."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self, cast

import msgspec
import sqlalchemy as sa

from kuajie.core.records import BadEvent, Event, Kind, QuarantinedEvent, StoredEvent, Verdict
from kuajie.core.texts import Text
from kuajie.storage.sql.keys import key_of
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import UNKNOWN_TIME, bad_events, counters, events
from kuajie.storage.sql.times import from_micros, to_micros
from kuajie.storage.sql.writer import CHANGES, Transaction, Writer

COUNTED_ONCE = Text("this exposure was answered by the same kind before")
MOST_IDS = 500
"""Of one look-up; databases bound the parameters of a statement."""


@dataclass(frozen=True)
class Arrived:
    """Rows that were received together; `released` leave the quarantine for them."""

    rows: Sequence[Event | BadEvent]
    at: int
    released: Sequence[int] = ()


@dataclass(frozen=True)
class SqlEvents:
    """`workflows.stores.EventStore`."""

    reader: Reader
    writer: Writer

    def submit(self, rows: Sequence[Event | BadEvent], at: datetime) -> Future[list[Verdict]]:
        """See `EventStore.submit`."""
        return self.writer.submit(append, Arrived(rows, to_micros(at)), len(rows))

    def append(self, rows: Sequence[Event | BadEvent], at: datetime) -> list[Verdict]:
        """See `EventStore.append`."""
        return self.writer.result(self.submit(rows, at))

    def release(self, numbers: Sequence[int], rows: Sequence[Event], at: datetime) -> list[Verdict]:
        """See `EventStore.release`."""
        return self.writer.write(append, Arrived(rows, to_micros(at), numbers), len(rows))

    def newest(self) -> int:
        """See `EventStore.newest`."""
        with self.reader.connection() as connection:
            return int(connection.execute(sa.select(counters.c.value).where(counters.c.name == CHANGES)).scalar_one())

    def after(self, sequence: int, most: int = 1_000) -> list[StoredEvent]:
        """See `EventStore.after`."""
        with self.reader.connection() as connection:
            return [_stored(row) for row in connection.execute(AFTER, {"sequence": sequence, "most": most})]

    def quarantined(self, after: int = 0, most: int = 1_000, domain: str | None = None) -> list[QuarantinedEvent]:
        """See `EventStore.quarantined`."""
        query = sa.select(bad_events).where(bad_events.c.number > after).order_by(bad_events.c.number).limit(most)
        if domain is not None:
            query = query.where(bad_events.c.domain == domain)
        with self.reader.connection() as connection:
            return [
                QuarantinedEvent(
                    number=row.number,
                    received_at=from_micros(row.received_at),
                    bad=BadEvent(reason=row.reason, raw=row.raw, domain=row.domain, event_id=row.event_id),
                )
                for row in connection.execute(query)
            ]


AFTER = (
    sa.select(events)
    .where(events.c.sequence > sa.bindparam("sequence"))
    .order_by(events.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def append(transaction: Transaction, arrivals: Sequence[Arrived]) -> list[list[Verdict]]:
    """Store what many callers sent; nobody else writes meanwhile, so what is looked up stays true."""
    arrived = [_Keyed.of(row) for each in arrivals for row in each.rows if isinstance(row, Event)]
    known = _known(transaction.connection, arrived)
    keyed = iter(arrived)
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    verdicts = []
    for each in arrivals:
        own = []
        for row in each.rows:
            if isinstance(row, BadEvent):
                bad.append(_bad_row(row, transaction.number(), each.at))
                own.append(Verdict(id=row.event_id, status="rejected", reason=row.reason))
                continue
            key = next(keyed)
            reason = known.learn(key)
            if reason is None:
                good.append(_row(key, transaction.number(), each.at))
                own.append(Verdict(id=row.event_id, status="accepted"))
            else:
                own.append(Verdict(id=row.event_id, status="duplicate", reason=reason))
        verdicts.append(own)
    if good:
        transaction.connection.execute(events.insert(), good)
    if bad:
        transaction.connection.execute(bad_events.insert(), bad)
    released = [number for each in arrivals for number in each.released]
    for start in range(0, len(released), MOST_IDS):
        some = released[start : start + MOST_IDS]
        transaction.connection.execute(bad_events.delete().where(bad_events.c.number.in_(some)))
    return verdicts


class _Keyed(NamedTuple):
    """An event and what makes it a duplicate of another."""

    event: Event
    id_key: bytes
    answer_key: bytes | None

    @classmethod
    def of(cls, event: Event) -> Self:
        answer = None if event.exposure_id is None else key_of(event.domain, event.exposure_id, event.kind)
        return cls(event, key_of(event.domain, event.event_id), answer)


@dataclass(frozen=True)
class _Known:
    """The keys of what is stored already, of what has arrived."""

    ids: set[bytes]
    answers: set[bytes]

    def learn(self, arrived: _Keyed) -> str | None:
        """None where the event is new, and from now on it is not; else why it is a duplicate."""
        if arrived.id_key in self.ids:
            return ""
        if arrived.answer_key is not None:
            if arrived.answer_key in self.answers:
                return COUNTED_ONCE
            self.answers.add(arrived.answer_key)
        self.ids.add(arrived.id_key)
        return None


def _known(connection: sa.Connection, arrived: Sequence[_Keyed]) -> _Known:
    ids = [each.id_key for each in arrived]
    answers = [each.answer_key for each in arrived if each.answer_key is not None]
    return _Known(_stored_of(connection, IDS, ids), _stored_of(connection, ANSWERS, answers))


IDS, ANSWERS = (
    sa.select(column).where(column.in_(sa.bindparam("keys", expanding=True)))
    for column in (events.c.id_key, events.c.answer_key)
)


def stored_answers(connection: sa.Connection, keys: Sequence[bytes]) -> set[bytes]:
    """Which of some `answer_key`s there are."""
    return _stored_of(connection, ANSWERS, keys)


def _stored_of(connection: sa.Connection, query: sa.Select[bytes], keys: Sequence[bytes]) -> set[bytes]:
    unique = list(dict.fromkeys(keys))
    found: set[bytes] = set()
    for start in range(0, len(unique), MOST_IDS):
        found.update(connection.execute(query, {"keys": unique[start : start + MOST_IDS]}).scalars())
    return found


def _row(arrived: _Keyed, sequence: int, at: int) -> dict[str, Any]:
    event = arrived.event
    return {
        "sequence": sequence,
        "domain": event.domain,
        "event_id": event.event_id,
        "user_id": event.user,
        "item_id": event.item,
        "kind": event.kind,
        "occurred_at": UNKNOWN_TIME if event.occurred_at is None else to_micros(event.occurred_at),
        "received_at": at,
        "value": event.value,
        "exposure_id": event.exposure_id,
        "properties": msgspec.json.encode(event.properties).decode() if event.properties else None,
        "id_key": arrived.id_key,
        "answer_key": arrived.answer_key,
    }


def _bad_row(bad: BadEvent, number: int, at: int) -> dict[str, Any]:
    return {
        "number": number,
        "received_at": at,
        "domain": bad.domain,
        "event_id": bad.event_id,
        "reason": str(bad.reason),  # a driver need not know our texts
        "raw": bad.raw,
    }


def event_of_row(row: sa.Row[Any]) -> Event:
    """A stored event."""
    return Event(
        event_id=row.event_id,
        domain=row.domain,
        user=row.user_id,
        item=row.item_id,
        kind=cast("Kind", row.kind),
        occurred_at=None if row.occurred_at == UNKNOWN_TIME else from_micros(row.occurred_at),
        value=row.value,
        exposure_id=row.exposure_id,
        properties=msgspec.json.decode(row.properties) if row.properties else {},
    )


def _stored(row: sa.Row[Any]) -> StoredEvent:
    return StoredEvent(sequence=row.sequence, received_at=from_micros(row.received_at), event=event_of_row(row))
