"""The contract of `workflows.stores.WebhookStore`, to be mixed into a class with a fixture `store`, empty and open."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kuajie.core.records import Delivery, Webhook
from kuajie.workflows.stores import Store

NOW = datetime(2026, 3, 1, 8, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=60)


def webhook(webhook_id: str = "w1", **other: Any) -> Webhook:  # noqa: ANN401 # any field
    """An address."""
    values = {"organisation_id": "平台", "url": "https://平台.example/钩?a=1", "kinds": ("model.activated", "x.y")}
    return Webhook(webhook_id=webhook_id, **{**values, "created_at": NOW, **other})


def delivery(delivery_id: str = "d1", **other: Any) -> Delivery:  # noqa: ANN401 # any field
    """A notice on its way."""
    values = {"webhook_id": "w1", "kind": "model.activated", "created_at": NOW, "next_at": NOW, "body": '{"城":"上海"}'}
    return Delivery(delivery_id=delivery_id, **{**values, **other})


class WebhookContract:
    """What every store must do with webhooks."""

    def test_webhooks_are_kept_changed_and_removed(self, store: Store) -> None:
        hooks = store.webhooks
        first = webhook(key_check="abc", description="给数据组")
        hooks.add_webhook(first)
        other = webhook("W1", organisation_id="店", created_at=NOW - timedelta(days=1))
        hooks.add_webhook(other)
        assert hooks.webhook("w1") == first
        assert hooks.webhooks() == [other, first]
        assert hooks.webhooks("平台") == [first]
        assert hooks.webhooks("平台 ") == []
        failing = msgspec.structs.replace(first, failing_since=NOW, disabled_at=LATER, disabled_because="gone", lost=99)
        hooks.change_webhook(failing)
        assert hooks.webhook("w1") == msgspec.structs.replace(failing, lost=0), "what was lost is not overwritten"
        hooks.enqueue([delivery(), delivery("d2", webhook_id="W1")])
        hooks.remove_webhook("w1")
        hooks.change_webhook(first)
        assert hooks.webhook("w1") is None
        assert hooks.deliveries("w1") == []
        assert [each.delivery_id for each in hooks.deliveries("W1")] == ["d2"]

    def test_a_delivery_is_taken_by_one_and_comes_back_from_the_dead(self, store: Store) -> None:
        hooks = store.webhooks
        hooks.add_webhook(webhook())
        hooks.enqueue([delivery(str(n), next_at=NOW + timedelta(seconds=n)) for n in range(4)])
        taken = hooks.take(NOW + timedelta(seconds=2), LATER, most=2)
        assert taken == [delivery(str(n), next_at=LATER, tries=1) for n in range(2)]
        assert [each.delivery_id for each in hooks.take(NOW + timedelta(seconds=2), LATER)] == ["2"]
        assert hooks.take(NOW + timedelta(seconds=2), LATER) == []
        again = hooks.take(LATER, LATER + timedelta(seconds=60))
        assert [(each.delivery_id, each.tries) for each in again] == [("3", 1), ("0", 2), ("1", 2), ("2", 2)]

    def test_what_is_settled_stays_so(self, store: Store) -> None:
        hooks = store.webhooks
        hooks.add_webhook(webhook())
        hooks.enqueue([delivery("1"), delivery("2", created_at=LATER), delivery("3")])
        first, second, third = sorted(hooks.take(LATER, LATER + timedelta(seconds=60)), key=lambda d: d.delivery_id)
        done = msgspec.structs.replace(first, state="delivered", settled_at=LATER, status=204)
        dead = msgspec.structs.replace(second, state="dead", settled_at=NOW, problem="证书已过期")
        waits = msgspec.structs.replace(third, next_at=LATER + timedelta(days=1), status=500, problem="500")
        hooks.settle([done, dead, waits])
        hooks.settle([msgspec.structs.replace(first, state="waiting", next_at=NOW)])
        assert hooks.deliveries("w1") == [dead, waits, done]
        assert hooks.deliveries("w1", most=1) == [dead]
        hooks.enqueue([delivery("1", body="other")])
        assert hooks.take(LATER, LATER) == [], "known ids are not queued again"
        hooks.prune(delivered=LATER, dead=NOW)
        assert hooks.deliveries("w1") == [dead, waits, done], "not older than that"
        hooks.prune(delivered=LATER + timedelta(seconds=1), dead=NOW + timedelta(seconds=1))
        assert hooks.deliveries("w1") == [waits]

    def test_too_many_are_counted_and_not_queued(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("kuajie.storage.sql.webhooks", "kuajie.testing.memory_webhooks"):
            monkeypatch.setattr(f"{module}.MOST_WAITING", 3)
        hooks = store.webhooks
        hooks.add_webhook(webhook())
        hooks.enqueue([delivery(str(n)) for n in range(5)])
        hooks.enqueue([delivery("other", webhook_id="w2")])
        hooks.enqueue([delivery("0"), delivery("late")])
        found = hooks.webhook("w1")
        assert found is not None
        assert found.lost == 3
        assert len(hooks.deliveries("w1")) == 3

    def test_many_take_at_once_and_nobody_twice(self, store: Store) -> None:
        hooks = store.webhooks
        hooks.add_webhook(webhook())
        hooks.enqueue([delivery(f"{n:03d}") for n in range(100)])
        with ThreadPoolExecutor(8) as pool:
            rounds = list(pool.map(lambda _: hooks.take(NOW, LATER, most=5), range(24)))
        taken = [each.delivery_id for some in rounds for each in some]
        assert sorted(taken) == [f"{n:03d}" for n in range(100)]
