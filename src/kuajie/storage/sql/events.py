"""The log of behaviour: idempotent, in one order."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from kuajie.core.records import Account, BadEvent, Event, Kind, QuarantinedEvent, StoredEvent, Verdict
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import UNKNOWN_TIME, bad_events, counters, events
from kuajie.storage.sql.times import from_micros, to_micros
from kuajie.storage.sql.writer import CHANGES, Transaction, Writer
from kuajie.workflows.stores import MOST_EVENTS

COUNTED_ONCE = "this exposure was answered by the same kind before"
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

    def recent(self, accounts: Sequence[Account], most: int = MOST_EVENTS) -> dict[Account, list[Event]]:
        """See `EventStore.recent`."""
        found: dict[Account, list[Event]] = {}
        with self.reader.connection() as connection:
            for account in dict.fromkeys(accounts):
                key = {"domain": account.domain, "user": account.user, "most": most}
                rows = connection.execute(RECENT, key).fetchall()
                if rows:
                    found[account] = [_event(row) for row in reversed(rows)]
        return found

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
RECENT = (
    sa.select(events)
    .where(events.c.domain == sa.bindparam("domain"), events.c.user_id == sa.bindparam("user"))
    .order_by(events.c.occurred_at.desc(), events.c.sequence.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)


def append(transaction: Transaction, arrivals: Sequence[Arrived]) -> list[list[Verdict]]:
    """Store what many callers sent; nobody else writes meanwhile, so what is looked up stays true."""
    known = _known(transaction.connection, [row for each in arrivals for row in each.rows if isinstance(row, Event)])
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
            reason = known.learn(row)
            if reason is None:
                good.append(_row(row, transaction.number(), each.at))
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


@dataclass(frozen=True)
class Known:
    """What is stored already, of what has arrived."""

    ids: set[tuple[str, str]]
    answers: set[tuple[str, str, str]]

    def learn(self, event: Event) -> str | None:
        """None where the event is new, and from now on it is not; else why it is a duplicate."""
        key = (event.domain, event.event_id)
        if key in self.ids:
            return ""
        if event.exposure_id is not None:
            answer = (event.domain, event.exposure_id, event.kind)
            if answer in self.answers:
                return COUNTED_ONCE
            self.answers.add(answer)
        self.ids.add(key)
        return None


def _known(connection: sa.Connection, arrived: Sequence[Event]) -> Known:
    known = Known(set(), set())
    by_domain: dict[str, list[Event]] = {}
    for event in arrived:
        by_domain.setdefault(event.domain, []).append(event)
    for domain, own in by_domain.items():
        for some in _chunks([event.event_id for event in own]):
            found = connection.execute(IDS, {"domain": domain, "ids": some}).scalars()
            known.ids.update((domain, event_id) for event_id in found)
        for some in _chunks([event.exposure_id for event in own if event.exposure_id is not None]):
            for exposure_id, kind in connection.execute(ANSWERS, {"domain": domain, "ids": some}):
                known.answers.add((domain, exposure_id, kind))
    return known


IDS = sa.select(events.c.event_id).where(
    events.c.domain == sa.bindparam("domain"), events.c.event_id.in_(sa.bindparam("ids", expanding=True))
)
ANSWERS = sa.select(events.c.exposure_id, events.c.kind).where(
    events.c.domain == sa.bindparam("domain"), events.c.exposure_id.in_(sa.bindparam("ids", expanding=True))
)


def _chunks(ids: Sequence[str]) -> list[list[str]]:
    rest = iter(dict.fromkeys(ids))
    chunks = []
    while some := list(islice(rest, MOST_IDS)):
        chunks.append(some)
    return chunks


def _row(event: Event, sequence: int, at: int) -> dict[str, Any]:
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
    }


def _bad_row(bad: BadEvent, number: int, at: int) -> dict[str, Any]:
    return {
        "number": number,
        "received_at": at,
        "domain": bad.domain,
        "event_id": bad.event_id,
        "reason": bad.reason,
        "raw": bad.raw,
    }


def _event(row: sa.Row[Any]) -> Event:
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
    return StoredEvent(sequence=row.sequence, received_at=from_micros(row.received_at), event=_event(row))
