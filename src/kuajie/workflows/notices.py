"""Notices: what happened -> a delivery for each address that wants to know, in the store.

Who wants what is kept in memory for some seconds, so that an organisation without webhooks costs nothing.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from kuajie.core.records import BadEvent, Consent, Event, Webhook
from kuajie.workflows.list_ids import Shown
from kuajie.workflows.schedule import Round
from kuajie.workflows.stores import WebhookStore
from kuajie.workflows.webhooks import Notice, delivery_of

KNOWN_SECONDS = 5.0
QUIET_SECONDS = 60.0
"""The quarantine is spoken of once in so long."""
MOST_REASONS = 10
MOST_DIFFERENT = 100
OTHERS = "other reasons"
MOST_CONSENTS = 25
"""Of one notice."""


class Noticeboard:
    """Queues what organisations want to be told.

    Args:
        store: of addresses and deliveries.
        monotonic: seconds.
        demo: whether demo mode is on; what was registered in it is told nothing afterwards.
    """

    def __init__(
        self, store: WebhookStore, monotonic: Callable[[], float], demo: Callable[[], bool] = lambda: False
    ) -> None:
        self._store, self._monotonic, self._demo = store, monotonic, demo
        self._lock = threading.Lock()
        self._known: list[Webhook] | None = None
        self._known_at = 0.0
        self._bad: dict[tuple[str, str], Counter[str]] = {}
        self._bad_since: dict[str, datetime] = {}
        self._quiet_until = 0.0

    def forget(self) -> None:
        """Ask anew who wants what: that has just changed."""
        with self._lock:
            self._known = None

    def knows(self, kind: str, organisation_id: str) -> bool | None:
        """Whether an organisation wants a kind of notice; None where the store must be asked first."""
        with self._lock:
            if self._known is None or self._monotonic() - self._known_at > KNOWN_SECONDS:
                return None
            return any(self._wants(each, kind, organisation_id) for each in self._known)

    def tell(self, notices: Sequence[Notice]) -> None:
        """Queue notices for whoever wants them; durable when it returns.

        Raises:
            StoreError: the store does not answer.
        """
        webhooks = self._webhooks()
        self._store.enqueue(
            [
                delivery_of(notice, webhook)
                for notice in notices
                for webhook in webhooks
                if self._wants(webhook, notice.kind, notice.organisation_id)
            ]
        )

    def note_bad(self, organisation_id: str, rows: Iterable[BadEvent], now: datetime) -> None:
        """Count rows that went to the quarantine; `tell_bad` speaks of them."""
        with self._lock:
            for row in rows:
                reasons = self._bad.setdefault((organisation_id, row.domain), Counter())
                known = row.reason in reasons or len(reasons) < MOST_DIFFERENT
                reasons[row.reason if known else OTHERS] += 1
                self._bad_since.setdefault(organisation_id, now)

    def tell_bad(self, now: datetime) -> None:
        """Say how the quarantine has grown, at most once in a minute.

        Raises:
            StoreError: the store does not answer; it is said later.
        """
        with self._lock:
            if not self._bad or self._monotonic() < self._quiet_until:
                return
            counted, since = self._bad, self._bad_since
            self._bad, self._bad_since = {}, {}
            self._quiet_until = self._monotonic() + QUIET_SECONDS
        try:
            self.tell([_grown(*key, reasons, since[key[0]], now) for key, reasons in counted.items()])
        except BaseException:
            with self._lock:
                for key, reasons in counted.items():
                    self._bad.setdefault(key, Counter()).update(reasons)
                self._bad_since = {**self._bad_since, **since}
            raise

    def _wants(self, webhook: Webhook, kind: str, organisation_id: str | None) -> bool:
        if not webhook.organisation_id and not self._demo():
            return False
        return kind in webhook.kinds and organisation_id in {None, webhook.organisation_id}

    def _webhooks(self) -> list[Webhook]:
        with self._lock:
            known, known_at = self._known, self._known_at
        if known is not None and self._monotonic() - known_at <= KNOWN_SECONDS:
            return known
        asked_at = self._monotonic()
        known = [each for each in self._store.webhooks() if each.disabled_at is None]
        with self._lock:
            self._known, self._known_at = known, asked_at
        return known


def consents_changed(organisation_id: str, consents: Sequence[Consent], now: datetime) -> list[Notice]:
    """Some notices, each with a bounded number of people."""
    notices = []
    for start in range(0, len(consents), MOST_CONSENTS):
        some = consents[start : start + MOST_CONSENTS]
        said = [
            {
                "domain": each.account.domain,
                "user": each.account.user,
                "personalised": each.personalised,
                "changed_at": each.changed_at,
            }
            for each in some
        ]
        subject = "\0".join(f"{each.account.domain}:{each.account.user} {each.changed_at}" for each in some)
        notices.append(Notice("consent.changed", subject, now, {"consents": said}, organisation_id))
    return notices


def purchases_recorded(organisation_id: str, bought: Iterable[tuple[Event, Shown]], now: datetime) -> list[Notice]:
    """A notice for each purchase that answers a list of the organisation."""
    return [
        Notice(
            "feedback.recorded",
            event.event_id,
            now,
            {
                "kind": event.kind,
                "event_id": event.event_id.partition(":")[2],
                "list_id": shown.list_id,
                "exposure_id": (event.exposure_id or "").partition(":")[2],
                "domain": shown.account.domain,
                "user": shown.account.user,
                "target": event.domain,
                "item": event.item,
                "value": event.value,
                "occurred_at": event.occurred_at,
                "model_version": shown.model_version,
            },
            organisation_id,
        )
        for event, shown in bought
    ]


def model_activated(model_version: str, snapshot_id: str, since: datetime | None, now: datetime) -> Notice:
    """Another version serves; every process says it, and it counts once."""
    data = {"model_version": model_version, "snapshot_id": snapshot_id, "activated_at": since}
    return Notice("model.activated", f"{model_version} {since}", now, data)


def model_refused(model_version: str, reason: str, since: datetime | None, now: datetime) -> Notice:
    """A version must not serve; every process says it, and it counts once."""
    data = {"model_version": model_version, "reason": str(reason)[:1_000], "activated_at": since}
    return Notice("model.refused", f"{model_version} {since}", now, data)


def loop_finished(ended: Round, now: datetime) -> Notice:
    """A round of the loop has ended; every process says it, and it counts once. Its reason is for operators."""
    data = {
        "outcome": ended.outcome,
        "model_version": ended.model_version,
        "snapshot_id": ended.snapshot_id,
        "started_at": ended.started_at,
        "finished_at": ended.finished_at,
    }
    return Notice("loop.finished", f"{ended.started_at}", now, data)


def _grown(organisation_id: str, domain: str, reasons: Counter[str], since: datetime, now: datetime) -> Notice:
    most = [{"reason": str(reason)[:200], "rows": rows} for reason, rows in reasons.most_common(MOST_REASONS)]
    data = {"domain": domain, "rows": reasons.total(), "since": since, "reasons": most}
    return Notice("quarantine.grew", secrets.token_hex(16), now, data, organisation_id)
