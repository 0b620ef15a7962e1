"""Webhooks and their queue in memory."""

import threading
from collections.abc import Sequence
from datetime import datetime

import msgspec

from kuajie.core.records import Delivery, Webhook
from kuajie.workflows.stores import MOST_WAITING


class MemoryWebhooks:
    """`workflows.stores.WebhookStore`."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        """Raised by every call while it is set."""
        self.all: dict[str, Webhook] = {}
        self.queue: dict[str, Delivery] = {}
        self._lock = threading.RLock()

    def add_webhook(self, webhook: Webhook) -> None:
        """See `WebhookStore.add_webhook`."""
        self._fail()
        self.all[webhook.webhook_id] = webhook

    def change_webhook(self, webhook: Webhook) -> None:
        """See `WebhookStore.change_webhook`."""
        self._fail()
        with self._lock:
            known = self.all.get(webhook.webhook_id)
            if known is not None:
                self.all[webhook.webhook_id] = msgspec.structs.replace(webhook, lost=known.lost)

    def remove_webhook(self, webhook_id: str) -> None:
        """See `WebhookStore.remove_webhook`."""
        self._fail()
        with self._lock:
            self.all.pop(webhook_id, None)
            self.queue = {name: each for name, each in self.queue.items() if each.webhook_id != webhook_id}

    def webhook(self, webhook_id: str) -> Webhook | None:
        """See `WebhookStore.webhook`."""
        self._fail()
        return self.all.get(webhook_id)

    def webhooks(self, organisation_id: str | None = None) -> list[Webhook]:
        """See `WebhookStore.webhooks`."""
        self._fail()
        own = [each for each in self.all.values() if organisation_id in {None, each.organisation_id}]
        return sorted(own, key=lambda each: (each.created_at, each.webhook_id))

    def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        """See `WebhookStore.enqueue`."""
        self._fail()
        with self._lock:
            for each in deliveries:
                waiting = [d for d in self.queue.values() if (d.webhook_id, d.state) == (each.webhook_id, "waiting")]
                if each.delivery_id in self.queue:
                    continue
                if len(waiting) < MOST_WAITING:
                    self.queue[each.delivery_id] = each
                elif each.webhook_id in self.all:
                    webhook = self.all[each.webhook_id]
                    self.all[each.webhook_id] = msgspec.structs.replace(webhook, lost=webhook.lost + 1)

    def take(self, now: datetime, until: datetime, most: int = 32) -> list[Delivery]:
        """See `WebhookStore.take`."""
        self._fail()
        with self._lock:
            due = [each for each in self.queue.values() if each.state == "waiting" and each.next_at <= now]
            due.sort(key=lambda each: (each.next_at, each.delivery_id))
            taken = [msgspec.structs.replace(each, next_at=until, tries=each.tries + 1) for each in due[:most]]
            self.queue.update({each.delivery_id: each for each in taken})
            return taken

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        """See `WebhookStore.settle`."""
        self._fail()
        with self._lock:
            for each in deliveries:
                known = self.queue.get(each.delivery_id)
                if known is not None and known.state == "waiting":
                    self.queue[each.delivery_id] = each

    def deliveries(self, webhook_id: str, most: int = 100) -> list[Delivery]:
        """See `WebhookStore.deliveries`."""
        self._fail()
        own = [each for each in self.queue.values() if each.webhook_id == webhook_id]
        return sorted(own, key=lambda each: (each.created_at, each.delivery_id), reverse=True)[:most]

    def prune(self, delivered: datetime, dead: datetime) -> None:
        """See `WebhookStore.prune`."""
        self._fail()
        before = {"delivered": delivered, "dead": dead}
        with self._lock:
            self.queue = {
                name: each
                for name, each in self.queue.items()
                if each.settled_at is None or each.state == "waiting" or each.settled_at >= before[each.state]
            }

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure
