"""Deliveries: signed as the standard says, tried again by its schedule, given up, and never by two at once."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from kuajie.core.errors import StoreError, UsageError
from kuajie.core.records import Delivery, Webhook
from kuajie.core.texts import Text
from kuajie.testing.memory_webhooks import MemoryWebhooks
from kuajie.workflows.webhooks import (
    KINDS,
    MOST_WEBHOOKS,
    WAITS,
    Answer,
    Courier,
    Notice,
    delivery_of,
    key_check,
    register,
    secret_of,
    signed,
)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MASTER = b"m" * 32


@dataclass
class FakeSender:
    """Answers in turn, the last answer for ever."""

    answers: list[Answer | Exception] = field(default_factory=lambda: [Answer(204)])
    sent: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    @staticmethod
    def problem(url: str) -> Text | None:
        return Text("no") if "bad" in url else None

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.sent.append((url, headers, body))
        answer = self.answers[min(len(self.sent), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class World:
    store: MemoryWebhooks
    sender: FakeSender
    now: datetime = START
    chance: float = 0.5
    master: bytes = MASTER

    def courier(self) -> Courier:
        return Courier(self.store, self.sender, lambda: self.master, lambda: self.now, 120.0, lambda: self.chance)

    def hook(self, url: str = "https://钩.example/") -> Webhook:
        made = register(self.store, self.sender, self.master, "平台", url, [], "", START)
        assert isinstance(made, Webhook)
        return made

    def queue(self, hook: Webhook, *subjects: str) -> list[Delivery]:
        made = [delivery_of(Notice("model.activated", each, self.now, {"版本": each}), hook) for each in subjects]
        self.store.enqueue(made)
        return made

    def only(self, hook: Webhook) -> Delivery:
        (delivery,) = self.store.deliveries(hook.webhook_id)
        return delivery


@pytest.fixture
def world() -> World:
    return World(MemoryWebhooks(), FakeSender())


def test_the_published_vector() -> None:
    """Of the libraries of Standard Webhooks."""
    secret, at, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1_614_265_330, b'{"test": 2432232314}'
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body) == signature


def test_secrets_are_derived(world: World) -> None:
    one, other = secret_of(MASTER, "wh_1"), secret_of(MASTER, "wh_2")
    assert len({one, other, secret_of(b"n" * 32, "wh_1")}) == 3
    key = base64.b64decode(one.removeprefix("whsec_"))
    assert key == hmac.new(MASTER, b"kuajie webhook secret\0wh_1", hashlib.sha256).digest()
    assert 24 <= len(key) <= 64, "as the standard asks"
    hook = world.hook()
    assert one not in repr(hook)
    assert key_check(MASTER) not in one
    assert hook.key_check == key_check(MASTER) != key_check(b"n" * 32)


def test_a_delivery_is_signed_and_settled(world: World) -> None:
    hook = world.hook()
    (queued,) = world.queue(hook, "v2")
    assert world.courier().round() == 1
    ((url, headers, body),) = world.sender.sent
    assert (url, body) == (hook.url, queued.body.encode())
    assert json.loads(body) == {"type": "model.activated", "timestamp": "2026-03-01T12:00:00Z", "data": {"版本": "v2"}}
    at = str(int(START.timestamp()))
    key = base64.b64decode(secret_of(MASTER, hook.webhook_id).removeprefix("whsec_"))
    told = f"{queued.delivery_id}.{at}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    assert (headers["Webhook-Id"], headers["Webhook-Timestamp"]) == (queued.delivery_id, at)
    assert headers["Webhook-Signature"] == expected
    done = world.only(hook)
    assert (done.state, done.tries, done.status, done.settled_at) == ("delivered", 1, 204, START)
    assert world.courier().round() == 0


def test_the_schedule_and_the_end_of_it(world: World) -> None:
    world.sender.answers = [Answer(500), Answer(None, "it could not be reached (TimeoutError)"), Answer(302)]
    hook, courier = world.hook(), world.courier()
    courier.disable_hours = 10_000
    world.queue(hook, "v2")
    for tries, wait in enumerate(WAITS, start=1):
        assert courier.round() == 1
        waiting = world.only(hook)
        assert (waiting.state, waiting.tries) == ("waiting", tries)
        assert waiting.next_at == world.now + timedelta(seconds=wait)
        world.now = waiting.next_at - timedelta(seconds=1)
        assert courier.round() == 0
        world.now = waiting.next_at
    assert courier.round() == 1
    dead = world.only(hook)
    assert (dead.state, dead.tries, dead.status, dead.problem) == ("dead", 10, 302, "it answered 302")
    assert world.now - START > timedelta(days=3)
    assert {headers["Webhook-Id"] for _, headers, _ in world.sender.sent} == {dead.delivery_id}
    assert len({headers["Webhook-Timestamp"] for _, headers, _ in world.sender.sent}) == 10


def test_waits_differ_by_chance_and_by_what_the_receiver_asks(world: World) -> None:
    waits = []
    for chance, answer in (
        (0.0, Answer(500)),
        (0.999_999, Answer(500)),
        (0.5, Answer(503, wait=60.0)),
        (0.5, Answer(429, wait=1e7)),
    ):
        fresh = World(MemoryWebhooks(), FakeSender([answer]), chance=chance)
        hook = fresh.hook()
        fresh.queue(hook, "v2")
        fresh.courier().round()
        waits.append((fresh.only(hook).next_at - START).total_seconds())
    assert waits == [pytest.approx(4.0), pytest.approx(6.0, abs=1e-3), 60.0, WAITS[-1]]


def test_who_is_gone_is_told_nothing_more(world: World) -> None:
    world.sender.answers = [Answer(410)]
    hook = world.hook()
    world.queue(hook, "v2")
    world.courier().round()
    found = world.store.webhook(hook.webhook_id)
    assert found is not None
    assert (found.disabled_at, found.disabled_because) == (START, "it answered 410: it wants no more")
    assert world.only(hook).state == "dead"
    world.queue(hook, "v3")
    world.courier().round()
    assert len(world.sender.sent) == 1
    assert {each.state for each in world.store.deliveries(hook.webhook_id)} == {"dead"}


def test_who_has_failed_for_days_is_disabled_and_one_success_forgives(world: World) -> None:
    world.sender.answers = [Answer(500), Answer(200), Answer(500)]
    hook, courier = world.hook(), world.courier()

    def after(hours: float, subject: str) -> Webhook:
        world.now = START + timedelta(hours=hours)
        world.queue(hook, subject)
        courier.round()
        found = world.store.webhook(hook.webhook_id)
        assert found is not None
        return found

    assert after(0, "a").failing_since == START
    world.store.settle([msgspec.structs.replace(world.only(hook), state="dead", settled_at=START)])
    assert after(119, "b").failing_since is None
    assert after(120, "c").failing_since == START + timedelta(hours=120)
    assert after(240, "d").disabled_at is None
    last = after(240.01, "e")
    assert (last.disabled_at, last.disabled_because) == (world.now, "it has failed for 120 hours")


def test_another_master_secret_signs_nothing(world: World) -> None:
    hook = world.hook()
    world.queue(hook, "v2")
    world.master = b"x" * 32
    world.courier().round()
    held = world.only(hook)
    assert (held.state, held.tries, world.sender.sent) == ("waiting", 0, [])
    assert "another master secret" in held.problem
    world.master, world.now = MASTER, held.next_at
    world.courier().round()
    assert world.only(hook).state == "delivered"


def test_a_courier_that_dies_leaves_its_deliveries_to_others(world: World) -> None:
    hook = world.hook()
    world.queue(hook, "v2")

    def die(_: object) -> None:
        raise StoreError("down")

    dying = world.courier()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(world.store, "settle", die)
        with pytest.raises(StoreError):
            dying.round()
    assert world.courier().round() == 0
    world.now += timedelta(seconds=121)
    assert world.courier().round() == 1
    ids = [headers["Webhook-Id"] for _, headers, _ in world.sender.sent]
    assert (len(ids), len(set(ids))) == (2, 1), "at least once, with the same id"


def test_a_fault_of_one_delivery_is_not_that_of_the_others(world: World) -> None:
    world.sender.answers = [ValueError("odd"), Answer(200)]
    hook = world.hook()
    world.queue(hook, "a", "b")
    courier = world.courier()
    courier.threads = 1
    courier.round()
    states = sorted((each.state, each.problem) for each in world.store.deliveries(hook.webhook_id))
    assert states == [("delivered", ""), ("waiting", "it could not be sent (ValueError)")]
    courier.close()


def test_settled_deliveries_are_forgotten_after_a_while(world: World) -> None:
    hook, courier = world.hook(), world.courier()
    world.queue(hook, "v2")
    courier.round()
    world.queue(hook, "v2")
    assert len(world.store.deliveries(hook.webhook_id)) == 1, "the same notice, told again"
    world.now += timedelta(days=1, seconds=1)
    courier.round()
    assert world.store.deliveries(hook.webhook_id) == []


def test_what_can_be_registered(world: World) -> None:
    def refused(url: str = "https://a.example", kinds: tuple[str, ...] = ()) -> str:
        made = register(world.store, world.sender, MASTER, "店", url, kinds, "", START)
        return made if isinstance(made, Text) else ""

    assert refused("https://bad.example") == "no"
    assert refused(kinds=("model.activated", "no.such")).startswith("there is no notice 'no.such'; there are model.")
    for _ in range(MOST_WEBHOOKS):
        assert not refused(kinds=("model.refused", "model.refused"))
    assert "at most 20" in refused()
    assert {each.kinds for each in world.store.webhooks("店")} == {("model.refused",)}
    assert world.hook().kinds == tuple(KINDS)


def test_a_notice_is_bounded(world: World) -> None:
    with pytest.raises(UsageError):
        delivery_of(Notice("model.activated", "x", START, {"x": "y" * 20_000}), world.hook())
