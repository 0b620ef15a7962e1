"""What people were shown: ranked lists, exposures, signals."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kuajie.core.records import Account, Exposure, Kind, RankedItem, RankedList, Signal, Verdict
from kuajie.storage.sql.events import MOST_IDS, stored_answers
from kuajie.storage.sql.keys import key_of
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import exposures, ranked_lists, signals
from kuajie.storage.sql.times import from_json, from_micros, to_json, to_micros
from kuajie.storage.sql.upserts import existing
from kuajie.storage.sql.writer import Transaction, Writer
from kuajie.workflows.stores import Told


@dataclass(frozen=True)
class SqlShown:
    """`workflows.stores.ShownStore`."""

    reader: Reader
    writer: Writer

    def save_lists(self, lists: Sequence[RankedList]) -> None:
        """See `ShownStore.save_lists`."""
        self.writer.write(_save_lists, lists, len(lists))

    def submit_lists(self, lists: Sequence[RankedList]) -> Future[None]:
        """See `ShownStore.submit_lists`."""
        return self.writer.submit(_save_lists, lists, len(lists))

    def ranked_list(self, list_id: str) -> RankedList | None:
        """See `ShownStore.ranked_list`."""
        with self.reader.connection() as connection:
            row = connection.execute(sa.select(ranked_lists).where(ranked_lists.c.list_id == list_id)).one_or_none()
        return None if row is None else _list(row)

    def save_exposures(self, exposures: Sequence[Exposure]) -> list[Verdict]:
        """See `ShownStore.save_exposures`."""
        return self.writer.write(_save_exposures, exposures, len(exposures))

    def exposures_of(self, list_id: str) -> list[Exposure]:
        """See `ShownStore.exposures_of`."""
        order = (exposures.c.position, exposures.c.exposure_id)
        query = sa.select(exposures).where(exposures.c.list_id == list_id).order_by(*order)
        with self.reader.connection() as connection:
            return [_exposure(row) for row in connection.execute(query)]

    def told(
        self, tag: str, after: tuple[datetime, str], until: datetime, kinds: Sequence[Kind], most: int = 500
    ) -> list[Told]:
        """See `ShownStore.told`."""
        made, moment = ranked_lists.c.created_at, to_micros(after[0])
        query = (
            sa.select(ranked_lists)
            .where(made >= moment, made < to_micros(until))
            .where(sa.or_(made > moment, ranked_lists.c.list_id > after[1]))
            .where(ranked_lists.c.tags.contains(to_json(tag), autoescape=True))
            .order_by(made, ranked_lists.c.list_id)
            .limit(most)
        )
        with self.reader.connection() as connection:
            lists = [_list(row) for row in connection.execute(query)]
            seen = _seen(connection, [each.list_id for each in lists])
            asked = {key_of(each.domain, each.exposure_id, kind): each for each in seen for kind in kinds}
            answers = [asked[key] for key in stored_answers(connection, list(asked))]
        seen_of, answered_of = _by_list(seen), _by_list(answers)
        return [
            Told(each, _items(seen_of[each.list_id], each), _items(answered_of[each.list_id], each)) for each in lists
        ]

    def prune(self, before: datetime, most: int) -> int:
        """See `ShownStore.prune`."""
        return self.writer.write(_prune, (to_micros(before), most))

    def submit_signals(self, signals: Sequence[Signal]) -> Future[None]:
        """See `ShownStore.submit_signals`."""
        return self.writer.submit(_save_signals, signals, len(signals))

    def signals_of(self, list_id: str) -> list[Signal]:
        """See `ShownStore.signals_of`."""
        query = (
            sa.select(signals).where(signals.c.list_id == list_id).order_by(signals.c.occurred_at, signals.c.signal_id)
        )
        with self.reader.connection() as connection:
            return [_signal(row) for row in connection.execute(query)]


def _seen(connection: sa.Connection, ids: Sequence[str]) -> list[Exposure]:
    found: list[Exposure] = []
    for start in range(0, len(ids), MOST_IDS):
        query = sa.select(exposures).where(exposures.c.list_id.in_(ids[start : start + MOST_IDS]))
        found += [_exposure(row) for row in connection.execute(query)]
    return found


def _by_list(some: Sequence[Exposure]) -> dict[str, list[Exposure]]:
    found: dict[str, list[Exposure]] = defaultdict(list)
    for each in some:
        found[each.list_id].append(each)
    return found


def _items(some: Sequence[Exposure], ranked: RankedList) -> frozenset[str]:
    return frozenset(each.item for each in some if each.domain == ranked.target)


def _save_lists(transaction: Transaction, batches: Sequence[Sequence[RankedList]]) -> list[None]:
    first: dict[str, RankedList] = {}
    for each in (each for batch in batches for each in batch):
        first.setdefault(each.list_id, each)
    known = existing(transaction.connection, ranked_lists, [(list_id,) for list_id in first])
    rows = [_list_row(each) for list_id, each in first.items() if (list_id,) not in known]
    if rows:
        transaction.connection.execute(ranked_lists.insert(), rows)
    return [None] * len(batches)


def _save_exposures(transaction: Transaction, batches: Sequence[Sequence[Exposure]]) -> list[list[Verdict]]:
    arrived = dict.fromkeys((each.domain, each.exposure_id) for batch in batches for each in batch)
    known = existing(transaction.connection, exposures, list(arrived))
    rows, verdicts = [], []
    for batch in batches:
        own = []
        for each in batch:
            key = (each.domain, each.exposure_id)
            own.append(Verdict(id=each.exposure_id, status="duplicate" if key in known else "accepted"))
            if key not in known:
                rows.append(_exposure_row(each))
            known.add(key)
        verdicts.append(own)
    if rows:
        transaction.connection.execute(exposures.insert(), rows)
    return verdicts


def _prune(transaction: Transaction, asked: Sequence[tuple[int, int]]) -> list[int]:
    removed = []
    for before, most in asked:
        old = sa.select(ranked_lists.c.list_id).where(ranked_lists.c.created_at < before)
        ids = transaction.connection.execute(old.order_by(ranked_lists.c.created_at).limit(most)).scalars().all()
        if ids:
            for table in (signals, exposures, ranked_lists):
                transaction.connection.execute(table.delete().where(table.c.list_id.in_(ids)))
        removed.append(len(ids))
    return removed


def _save_signals(transaction: Transaction, batches: Sequence[Sequence[Signal]]) -> list[None]:
    arrived = {each.signal_id: each for batch in batches for each in batch}
    known = existing(transaction.connection, signals, [(signal_id,) for signal_id in arrived])
    rows = [_signal_row(each) for signal_id, each in arrived.items() if (signal_id,) not in known]
    if rows:
        transaction.connection.execute(signals.insert(), rows)
    return [None] * len(batches)


def _list_row(ranked: RankedList) -> dict[str, Any]:
    return {
        "list_id": ranked.list_id,
        "domain": ranked.account.domain,
        "user_id": ranked.account.user,
        "target": ranked.target,
        "model_version": ranked.model_version,
        "created_at": to_micros(ranked.created_at),
        "fallback": ranked.fallback,
        "items": to_json(ranked.items),
        "placement": ranked.placement or None,
        "tags": to_json(ranked.tags) if ranked.tags else None,
    }


def _list(row: sa.Row[Any]) -> RankedList:
    return RankedList(
        list_id=row.list_id,
        account=Account(domain=row.domain, user=row.user_id),
        target=row.target,
        model_version=row.model_version,
        created_at=from_micros(row.created_at),
        items=from_json(row.items, tuple[RankedItem, ...]),
        fallback=row.fallback,
        placement=row.placement or "",
        tags=from_json(row.tags, tuple[str, ...]) if row.tags else (),
    )


def _exposure_row(exposure: Exposure) -> dict[str, Any]:
    return {
        "domain": exposure.domain,
        "exposure_id": exposure.exposure_id,
        "list_id": exposure.list_id,
        "placement": exposure.placement,
        "position": exposure.position,
        "occurred_at": to_micros(exposure.occurred_at),
        "item_id": exposure.item,
    }


def _exposure(row: sa.Row[Any]) -> Exposure:
    return Exposure(
        exposure_id=row.exposure_id,
        list_id=row.list_id,
        placement=row.placement,
        position=row.position,
        occurred_at=from_micros(row.occurred_at),
        domain=row.domain,
        item=row.item_id,
    )


def _signal_row(signal: Signal) -> dict[str, Any]:
    return {
        "signal_id": signal.signal_id,
        "list_id": signal.list_id,
        "domain": signal.domain,
        "item_id": signal.item,
        "kind": signal.kind,
        "occurred_at": to_micros(signal.occurred_at),
    }


def _signal(row: sa.Row[Any]) -> Signal:
    return Signal(
        signal_id=row.signal_id,
        list_id=row.list_id,
        domain=row.domain,
        item=row.item_id,
        kind=row.kind,
        occurred_at=from_micros(row.occurred_at),
    )
