"""Segment's calls become our events: names, products, clocks, ids, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuajie.core.records import Account, BadEvent, Event, Traits
from kuajie.workflows.receive import EventRules
from kuajie.workflows.segment import KINDS, Mapped, SegmentConfig, Sender, mapped, merged

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = EventRules({"课程", "car"})


def read(call: dict[str, Any], kind: str = "", config: SegmentConfig | None = None, **sender: Any) -> Mapped:
    known = Sender(**{"domains": frozenset({"课程"}), "at": NOW, **sender})
    return mapped(json.dumps(call).encode(), kind, known, RULES, config or SegmentConfig())


def track(**more: Any) -> dict[str, Any]:
    call = {"type": "track", "messageId": "m1", "userId": "张三", "event": "Product Viewed"}
    return {**call, "properties": {"product_id": "py"}, **more}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_names_of_segments_specifications(name: str, kind: str) -> None:
    (event,) = read(track(event=name)).rows
    assert isinstance(event, Event)
    assert (event.kind, event.domain, event.user, event.item, event.event_id) == (kind, "课程", "张三", "py", "m1")
    assert event.properties == {"product_id": "py"}


def test_an_order_is_an_event_for_each_product() -> None:
    products = [
        {"product_id": "a", "sku": "x", "price": 20, "quantity": 2},
        {"sku": "乙", "price": "9.5"},
        {"name": "no id"},
        {"product_id": 7},
    ]
    properties = {"order_id": "o-1", "currency": "CNY", "products": products}
    rows = read(track(event="Order Completed", properties=properties)).rows
    assert [row.event_id for row in rows] == ["m1:0", "m1:1", "m1:2", "m1:3"]
    good = [row for row in rows if isinstance(row, Event)]
    assert [(row.item, row.value) for row in good] == [("a", 40.0), ("乙", 9.5), ("7", None)]
    assert good[0].properties == {"order_id": "o-1", "currency": "CNY", **products[0]}
    (bad,) = [row for row in rows if isinstance(row, BadEvent)]
    assert (bad.reason, bad.domain) == ("item is missing or no text", "课程")


def test_videos() -> None:
    (first, second) = read(
        track(event="Video Playback Started", properties={"content_asset_ids": ["v1", "v2"], "position": 0})
    ).rows
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert [(each.item, each.kind, each.value) for each in (first, second)] == [
        ("v1", "view", None),
        ("v2", "view", None),
    ]
    (done,) = read(track(event="Video Content Completed", properties={"asset_id": "v1", "total_length": 90})).rows
    assert isinstance(done, Event)
    assert (done.kind, done.value) == ("play", 90.0)


def test_names_of_ones_own_and_names_to_ignore() -> None:
    config = SegmentConfig.parse(
        {"events": {"看完课程": "read", "Product Viewed": "ignore", "Product Clicked": "view"}, "items": ["编号"]}
    )
    (event,) = read(track(event="看完课程", properties={"编号": "py", "product_id": "x"}), config=config).rows
    assert isinstance(event, Event)
    assert (event.kind, event.item) == ("read", "py")
    assert "ignored" in read(track(), config=config).refused
    assert not read(track(), config=config).rows


def test_unknown_names_go_to_the_quarantine_with_the_whole_call() -> None:
    for call, reason in (
        (track(event="Signed Up"), "the event name 'Signed Up' stands for no kind"),
        (track(event=None), "the event name '' stands for no kind"),
        (track(properties={"name": "a lipstick"}), "the properties name no item"),
        (track(properties=None), "the properties name no item"),
    ):
        (bad,) = read(call).rows
        assert isinstance(bad, BadEvent)
        assert bad.reason.startswith(reason)
        assert (bad.domain, bad.event_id) == ("课程", "m1")
        assert json.loads(bad.raw) == call


def test_the_clock_of_the_sender_is_put_right() -> None:
    """received - (sent - happened): a sender whose clock is an hour ahead."""
    ahead, ago = NOW + timedelta(hours=1), timedelta(minutes=5)
    call = track(timestamp=(ahead - ago).isoformat(), sentAt=ahead.isoformat())
    (event,) = read(call).rows
    assert isinstance(event, Event)
    assert event.occurred_at == NOW - ago
    (same,) = read(track(originalTimestamp=(ahead - ago).isoformat()), sent_at=ahead.isoformat()).rows
    assert isinstance(same, Event)
    assert same.occurred_at == NOW - ago, "sentAt of the batch"
    (unsent,) = read(track(timestamp="2012-12-02T00:30:12.984Z")).rows
    assert isinstance(unsent, Event)
    assert unsent.occurred_at == datetime(2012, 12, 2, 0, 30, 12, 984_000, UTC)
    (now,) = read(track()).rows
    assert isinstance(now, Event)
    assert now.occurred_at == NOW


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"timestamp": "2015-2-02T00:30:12.984Z"}, "timestamp is not an ISO-8601 time"),
        ({"timestamp": "2026-03-01T12:00:00Z", "sentAt": "gestern"}, "sentAt is not an ISO-8601 time"),
        ({"timestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-31T23:59:59Z"}, "timestamp is not an ISO-8601 time"),
        ({"timestamp": "2030-01-01T00:00:00Z"}, "occurred_at is in the future"),
        ({"userId": None}, "user is missing or no text"),
        ({"messageId": "x" * 200}, "event_id is longer than 128 bytes"),
        ({"properties": {"product_id": "py", "x": "y" * 9_000}}, "properties are longer than 8192 bytes"),
        ({"event": "Product Reviewed", "properties": {"sku": "py", "rating": "nan"}}, "value is not finite"),
        ({"context": {"domain": "car"}}, "domain is not one of yours"),
        ({"userId": {"a": 1}}, "Expected"),
    ],
)
def test_what_is_wrong_is_said(more: dict[str, Any], reason: str) -> None:
    (bad,) = read(track(**more)).rows
    assert isinstance(bad, BadEvent)
    assert bad.reason.startswith(reason)


def test_whose_domain_it_is() -> None:
    both = frozenset({"课程", "car"})
    for more in ({"context": {"domain": "car"}}, {"integrations": {"kuajie": {"domain": "car"}, "All": True}}):
        (event,) = read(track(**more), domains=both).rows
        assert isinstance(event, Event)
        assert event.domain == "car"
    (batch,) = read(track(), domains=both, context={"domain": "car"}).rows
    assert isinstance(batch, Event)
    (unsaid,) = read(track(), domains=both).rows
    assert isinstance(unsaid, BadEvent)


def test_ids_of_calls_without_one() -> None:
    def id_of(**more: Any) -> str:
        (event,) = read(track(messageId=None, **more)).rows
        assert isinstance(event, Event)
        return event.event_id

    at = {"timestamp": "2026-03-01T11:00:00Z"}
    assert id_of(**at) == id_of(**at, sentAt="2026-03-01T11:00:01Z"), "the same call, sent again"
    assert id_of(**at) != id_of(**at, properties={"sku": "other"})
    assert id_of() != id_of(), "two calls that say no time are two"


def test_pages_groups_and_aliases() -> None:
    (view,) = read({"type": "page", "messageId": "p", "anonymousId": "匿名", "properties": {"sku": "py"}}).rows
    assert isinstance(view, Event)
    assert (view.kind, view.user) == ("view", "匿名")
    for kind in ("page", "screen", "group", "alias"):
        refused = read({"type": kind, "messageId": "p", "userId": "u", "name": "关于我们"})
        assert (list(refused.rows), kind in refused.refused, refused.message_id) == ([], True, "p")
    assert read({"type": "ping"}).refused.startswith("type must be")
    assert read({}, "").refused.startswith("type must be")


def test_traits_without_what_says_who_somebody_is() -> None:
    traits = {
        "email": "a@b.example", "name": "张三", "city": "上海", "age": 30, "vip": True, "gone": None,
        "address": {"street": "南京路 1", "city": "上海"}, "tags": ["机油", 5, {"x": 1}],
    }  # fmt: skip
    told = read({"type": "identify", "userId": 7, "traits": traits}).traits
    account = Account(domain="课程", user="7")
    assert told == (
        account,
        {"city": "上海", "age": "30", "vip": "true", "gone": None, "address.city": "上海", "tags": "机油, 5"},
    )
    before = Traits(account=account, attributes={"gone": "x", "kept": "y", "city": "北京"})
    assert merged(before, account, {"gone": None, "city": "上海"}).attributes == {"kept": "y", "city": "上海"}
    assert read({"type": "identify", "traits": traits}).refused == "user is missing or no text"
    assert (
        read({"type": "identify", "userId": "u", "context": {"domain": "car"}}).refused == "domain is not one of yours"
    )
