"""Webhooks, and the queue of what is on its way to them.

Every write transaction waits for the one before it (`writer`), so what is looked up here stays true until it is
changed: two processes never take the same delivery.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from kuajie.core.records import Delivery, Webhook
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import deliveries, webhooks
from kuajie.storage.sql.times import from_json, from_micros, from_optional, to_json, to_micros, to_optional
from kuajie.storage.sql.upserts import existing
from kuajie.storage.sql.writer import Transaction, Writer
from kuajie.workflows.stores import MOST_WAITING

WAITING = "waiting"


@dataclass(frozen=True)
class Taking:
    """What somebody takes."""

    now: int
    until: int
    most: int


@dataclass(frozen=True)
class SqlWebhooks:
    """`workflows.stores.WebhookStore`."""

    reader: Reader
    writer: Writer

    def add_webhook(self, webhook: Webhook) -> None:
        """See `WebhookStore.add_webhook`."""
        self.writer.write(_add, webhook)

    def change_webhook(self, webhook: Webhook) -> None:
        """See `WebhookStore.change_webhook`."""
        self.writer.write(_change, webhook)

    def remove_webhook(self, webhook_id: str) -> None:
        """See `WebhookStore.remove_webhook`."""
        self.writer.write(_remove, webhook_id)

    def webhook(self, webhook_id: str) -> Webhook | None:
        """See `WebhookStore.webhook`."""
        with self.reader.connection() as connection:
            query = sa.select(webhooks).where(webhooks.c.webhook_id == webhook_id)
            row = connection.execute(query).one_or_none()
        return None if row is None else _webhook(row)

    def webhooks(self, organisation_id: str | None = None) -> list[Webhook]:
        """See `WebhookStore.webhooks`."""
        query = sa.select(webhooks).order_by(webhooks.c.created_at, webhooks.c.webhook_id)
        if organisation_id is not None:
            query = query.where(webhooks.c.organisation_id == organisation_id)
        with self.reader.connection() as connection:
            return [_webhook(row) for row in connection.execute(query)]

    def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        """See `WebhookStore.enqueue`."""
        if deliveries:
            self.writer.write(_enqueue, deliveries, len(deliveries))

    def take(self, now: datetime, until: datetime, most: int = 32) -> list[Delivery]:
        """See `WebhookStore.take`."""
        moment = to_micros(now)
        with self.reader.connection() as connection:  # who finds nothing makes no writer wait
            if connection.execute(_due(moment, 1)).first() is None:
                return []
        return self.writer.write(_take, Taking(moment, to_micros(until), most))

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        """See `WebhookStore.settle`."""
        if deliveries:
            self.writer.write(_settle, deliveries, len(deliveries))

    def deliveries(self, webhook_id: str, most: int = 100) -> list[Delivery]:
        """See `WebhookStore.deliveries`."""
        query = sa.select(deliveries).where(deliveries.c.webhook_id == webhook_id)
        query = query.order_by(deliveries.c.created_at.desc(), deliveries.c.delivery_id.desc()).limit(most)
        with self.reader.connection() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def prune(self, delivered: datetime, dead: datetime) -> None:
        """See `WebhookStore.prune`."""
        self.writer.write(_prune, (to_micros(delivered), to_micros(dead)))


def _add(transaction: Transaction, added: Sequence[Webhook]) -> list[None]:
    transaction.connection.execute(webhooks.insert(), [_webhook_row(each) for each in added])
    return [None] * len(added)


def _change(transaction: Transaction, changed: Sequence[Webhook]) -> list[None]:
    for each in changed:
        row = _webhook_row(each)
        del row["lost"]
        change = webhooks.update().where(webhooks.c.webhook_id == each.webhook_id).values(row)
        transaction.connection.execute(change)
    return [None] * len(changed)


def _remove(transaction: Transaction, removed: Sequence[str]) -> list[None]:
    for table in (deliveries, webhooks):
        transaction.connection.execute(table.delete().where(table.c.webhook_id.in_(removed)))
    return [None] * len(removed)


def _enqueue(transaction: Transaction, batches: Sequence[Sequence[Delivery]]) -> list[None]:
    connection = transaction.connection
    new = {each.delivery_id: each for batch in batches for each in batch}
    for (known,) in existing(connection, deliveries, [(delivery_id,) for delivery_id in new]):
        del new[known]
    room = {name: MOST_WAITING - _waiting(connection, name) for name in {each.webhook_id for each in new.values()}}
    queued: list[dict[str, Any]] = []
    lost: Counter[str] = Counter()
    for each in new.values():
        if room[each.webhook_id] > 0:
            room[each.webhook_id] -= 1
            queued.append(_delivery_row(each))
        else:
            lost[each.webhook_id] += 1
    if queued:
        connection.execute(deliveries.insert(), queued)
    for name, count in lost.items():
        more = webhooks.update().where(webhooks.c.webhook_id == name).values(lost=webhooks.c.lost + count)
        connection.execute(more)
    return [None] * len(batches)


def _waiting(connection: sa.Connection, webhook_id: str) -> int:
    query = sa.select(sa.func.count()).where(deliveries.c.webhook_id == webhook_id, deliveries.c.state == WAITING)
    return int(connection.execute(query).scalar_one())


def _due(now: int, most: int) -> sa.Select[Any]:
    query = sa.select(deliveries).where(deliveries.c.state == WAITING, deliveries.c.next_at <= now)
    return query.order_by(deliveries.c.next_at, deliveries.c.delivery_id).limit(most)


def _take(transaction: Transaction, takings: Sequence[Taking]) -> list[list[Delivery]]:
    taken = []
    for taking in takings:
        rows = transaction.connection.execute(_due(taking.now, taking.most)).fetchall()
        ids = [row.delivery_id for row in rows]
        if ids:
            change = deliveries.update().where(deliveries.c.delivery_id.in_(ids))
            transaction.connection.execute(change.values(next_at=taking.until, tries=deliveries.c.tries + 1))
        taken.append([_delivery(row, next_at=taking.until, tries=row.tries + 1) for row in rows])
    return taken


def _settle(transaction: Transaction, batches: Sequence[Sequence[Delivery]]) -> list[None]:
    for each in (each for batch in batches for each in batch):
        own = sa.and_(deliveries.c.delivery_id == each.delivery_id, deliveries.c.state == WAITING)
        row = _delivery_row(each)
        names = ("state", "tries", "next_at", "settled_at", "status", "problem")
        transaction.connection.execute(deliveries.update().where(own).values({name: row[name] for name in names}))
    return [None] * len(batches)


def _prune(transaction: Transaction, times: Sequence[tuple[int, int]]) -> list[None]:
    for delivered, dead in times:
        for state, before in (("delivered", delivered), ("dead", dead)):
            old = sa.and_(deliveries.c.state == state, deliveries.c.settled_at < before)
            transaction.connection.execute(deliveries.delete().where(old))
    return [None] * len(times)


def _webhook_row(webhook: Webhook) -> dict[str, Any]:
    return {
        "webhook_id": webhook.webhook_id,
        "organisation_id": webhook.organisation_id,
        "url": webhook.url,
        "kinds": to_json(webhook.kinds),
        "created_at": to_micros(webhook.created_at),
        "key_check": webhook.key_check,
        "description": webhook.description,
        "lost": webhook.lost,
        "failing_since": to_optional(webhook.failing_since),
        "disabled_at": to_optional(webhook.disabled_at),
        "disabled_because": webhook.disabled_because,
    }


def _webhook(row: sa.Row[Any]) -> Webhook:
    return Webhook(
        webhook_id=row.webhook_id,
        organisation_id=row.organisation_id,
        url=row.url,
        kinds=from_json(row.kinds, tuple[str, ...]),
        created_at=from_micros(row.created_at),
        key_check=row.key_check,
        description=row.description,
        lost=row.lost,
        failing_since=from_optional(row.failing_since),
        disabled_at=from_optional(row.disabled_at),
        disabled_because=row.disabled_because,
    )


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": delivery.delivery_id,
        "webhook_id": delivery.webhook_id,
        "kind": delivery.kind,
        "created_at": to_micros(delivery.created_at),
        "body": delivery.body,
        "next_at": to_micros(delivery.next_at),
        "state": delivery.state,
        "tries": delivery.tries,
        "settled_at": to_optional(delivery.settled_at),
        "status": delivery.status,
        "problem": delivery.problem,
    }


def _delivery(row: sa.Row[Any], *, next_at: int | None = None, tries: int | None = None) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        webhook_id=row.webhook_id,
        kind=row.kind,
        created_at=from_micros(row.created_at),
        body=row.body,
        next_at=from_micros(row.next_at if next_at is None else next_at),
        state=cast("Any", row.state),
        tries=row.tries if tries is None else tries,
        settled_at=from_optional(row.settled_at),
        status=row.status,
        problem=row.problem,
    )
