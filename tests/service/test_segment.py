"""Segment's libraries against the service: their paths, their key, their batches; the same promises as for events."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuajie.core.errors import StoreError
from kuajie.core.records import Account
from kuajie.service.credentials import token_of

from .conftest import PAGE, Running


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"{token}:".encode()).decode()


def send(running: Running, path: str, body: Any, token: str, status: int = 200, **headers: str) -> Any:
    """As Segment's libraries do: the key is the user name."""
    answer = running.ask("POST", path, body, Authorization=basic(token), **headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_batch_of_a_library(fast: Running, token: Callable[..., str]) -> None:
    """What analytics-python sends to HOST/v1/batch, where HOST is https://.../v1/segment."""
    key = token("courses")
    ahead = datetime.now(UTC) + timedelta(hours=3)
    products = [{"product_id": "课1", "price": 10}, {"product_id": "课2", "price": 20}, {"product_id": "课1"}]
    batch = [
        {"type": "identify", "messageId": "i1", "userId": "新人", "traits": {"城市": "上海", "email": "x@y.example"}},
        {"type": "track", "messageId": "t1", "userId": "新人", "event": "Order Completed",
         "properties": {"products": products}, "timestamp": (ahead - timedelta(minutes=1)).isoformat()},
        {"type": "track", "messageId": "t2", "userId": "新人", "event": "Signed Up"},
        {"type": "group", "messageId": "g1", "userId": "新人", "groupId": "g"},
        {"type": "identify", "messageId": "i2", "userId": "新人", "traits": {"会员": True}},
        {"type": "track", "messageId": "t3", "userId": "新人", "event": "Product Viewed", "properties": {"sku": "课3"},
         "context": {"library": {"name": "analytics-python", "version": "2.3.2"}}, "integrations": {"All": True}},
    ]  # fmt: skip
    body = {"batch": batch, "sentAt": ahead.isoformat(), "writeKey": "left alone"}
    answer = send(fast, "/v1/segment/v1/batch", body, key)
    assert [(each["id"], each["status"]) for each in answer["verdicts"]] == [
        ("i1", "accepted"), ("t1:0", "accepted"), ("t1:1", "accepted"), ("t1:2", "accepted"), ("t2", "rejected"),
        ("g1", "rejected"), ("i2", "accepted"), ("t3", "accepted"),
    ]  # fmt: skip
    assert (answer["accepted"], answer["rejected"]) == (6, 2)
    stored = [each.event for each in fast.service.store.events.after(0)]
    assert [(each.item, each.kind, each.value) for each in stored] == [
        ("课1", "purchase", 10.0), ("课2", "purchase", 20.0), ("课1", "purchase", None), ("课3", "view", None),
    ]  # fmt: skip
    assert stored[0].occurred_at is not None
    assert abs((datetime.now(UTC) - stored[0].occurred_at).total_seconds() - 60) < 30, "its clock was put right"
    account = Account(domain="courses", user="新人")
    assert fast.service.store.catalogue.people([account])[account].attributes == {"城市": "上海", "会员": "true"}
    assert [each.bad.event_id for each in fast.service.store.events.quarantined()] == ["t2"]
    again = send(fast, "/v1/segment/v1/batch", body, key)
    assert (again["duplicate"], len(fast.service.store.events.after(0))) == (4, 4)
    assert fast.recommend("新人", token=key)["fallback"] == "", "the next list knows it"


def test_single_calls_and_pages(fast: Running, token: Callable[..., str]) -> None:
    key, page = token("courses"), token("courses", "publishable")
    call = {"messageId": "1", "anonymousId": "a-1", "properties": {"product_id": "课5"}}
    track = {**call, "event": "Product Added"}
    assert send(fast, "/v1/segment/track", track, key)["accepted"] == 1
    assert send(fast, "/v1/segment/v1/track", {**track, "messageId": "2"}, page, Origin=PAGE)["accepted"] == 1
    assert send(fast, "/v1/segment/page", {**call, "messageId": "3"}, key)["accepted"] == 1
    assert send(fast, "/v1/segment/screen", {**call, "messageId": "4", "properties": {}}, key, 422)["rejected"] == 1
    identify = {"userId": "u", "traits": {"a": "b"}, "messageId": "5"}
    assert send(fast, "/v1/segment/identify", identify, key)["accepted"] == 1
    send(fast, "/v1/segment/identify", identify, page, 403, Origin=PAGE)
    batch = {"batch": [{"type": "identify", **identify}]}
    (verdict,) = send(fast, "/v1/segment/batch", batch, page, 422, Origin=PAGE)["verdicts"]
    assert verdict["reason"] == "this key may not: it lacks the scope 'people'"


def test_limits_of_a_batch(fast: Running, token: Callable[..., str]) -> None:
    key = token("courses")
    call = {"type": "track", "userId": "u", "event": "Product Viewed", "properties": {"sku": "课1"}}
    path = "/v1/segment/batch"
    assert send(fast, path, {"batch": [{**call, "messageId": str(n)} for n in range(500)]}, key)["accepted"] == 500
    assert "500" in send(fast, path, {"batch": [call] * 501}, key, 400)["error"]
    many = {**call, "event": "Order Completed", "properties": {"products": [{"sku": "课1"}] * 501}}
    assert "501" in send(fast, path, {"batch": [many]}, key, 400)["error"]
    for wrong in ({}, {"batch": []}, {"batch": {}}, [], {"batch": None}):
        assert send(fast, path, wrong, key, 400)["do"]
    odd = {"batch": ["x", 5, None, [], {"type": 3}, {**call, "properties": 7}]}
    assert send(fast, path, odd, key, 422)["rejected"] == 6
    assert len(fast.service.store.events.quarantined()) == 6
    send(fast, path, {"batch": [{**call, "x": "y" * (1 << 20)}]}, key, 413)


def test_nothing_is_acknowledged_that_is_not_durable(fast: Running, token: Callable[..., str]) -> None:
    key = token("courses")
    call = {"userId": "u", "event": "Product Viewed", "properties": {"sku": "课1"}, "messageId": "1"}
    fast.service.store.events.failure = StoreError("down")  # type: ignore[attr-defined]
    answer = fast.ask("POST", "/v1/segment/track", call, Authorization=basic(key))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    fast.service.store.events.failure = None  # type: ignore[attr-defined]
    assert send(fast, "/v1/segment/track", call, key)["accepted"] == 1


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer kj_secret_a_b", "kj_secret_a_b"),
        (basic("kj_secret_a_b"), "kj_secret_a_b"),
        (basic("kj").replace("Basic", "bAsIc"), "kj"),
        ("Basic " + base64.b64encode(b"kj:password").decode(), ""),
        ("Basic " + base64.b64encode(b"kj").decode(), ""),
        ("Basic " + base64.b64encode("密钥:".encode()).decode(), ""),
        ("Basic !!!!", ""),
        ("Basic \u00e9", ""),
        ("Basic", ""),
        ("Digest x", ""),
        ("", ""),
    ],
)
def test_tokens_in_headers(header: str, token: str) -> None:
    assert token_of(header) == token
