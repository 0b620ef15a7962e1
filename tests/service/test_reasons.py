"""Why a row was refused is said in the caller's language; the quarantine keeps it in English."""

from typing import Any

import pytest

from .conftest import Running

OURS = {"domain": "courses", "user": "u"}
EXPOSURE = {"exposure_id": "1", "list_id": "a", "position": 0}
TRACK = {"event": "看", "userId": "u", "messageId": "1", "context": {"domain": "courses"}}


def event(**more: Any) -> Any:
    return {"events": [{"event_id": "1", "domain": "courses", "user": "0007", "item": "课1", "kind": "view", **more}]}


@pytest.mark.parametrize(
    ("call", "body", "reason", "english"),
    [
        ("POST events", event(event_id=" "), "event_id 缺失或不是文本", "event_id is missing or no text"),
        ("POST events", event(item="x" * 129), "item 超过 128 字节", "item is longer than 128 bytes"),
        ("POST events", event(domain="x"), "domain 不是您的领域", "domain is not one of yours"),
        ("POST events", event(value=-1), "value 为负数", "value is negative"),
        ("POST exposures", {"exposures": [EXPOSURE]}, "没有这个推荐列表", ""),
        ("PUT items", {"items": [{"domain": "courses", "item": "x", "price": -1}]}, "price 不在 0 与 1e+12 之间", ""),
        ("PUT people", {"people": [{"account": OURS, "attributes": {"a": "\x00"}}]}, "某个属性值 含有 NUL 字符", ""),
        (
            "POST segment/track", TRACK, "事件名“看”没有对应的行为类型；可在 kuajie.toml 的 [segment] 中指定",
            "the event name '看' stands for no kind",
        ),
        ("POST segment/batch", {"batch": [{"type": "group"}]}, "类型为 group 的调用不保存", ""),
    ],
)  # fmt: skip
def test_reasons_are_spoken(running: Running, call: str, body: Any, reason: str, english: str) -> None:
    method, path = call.split()
    answer = running.ask(method, f"/v1/{path}", body, **{"Accept-Language": "zh-CN,en;q=0.5"})
    assert (answer.status_code, answer.json()["verdicts"][0]["reason"]) == (422, reason)
    again = running.ask(method, f"/v1/{path}", body, **{"Accept-Language": "en"}).json()["verdicts"][0]["reason"]
    assert again.isascii() or "看" in again
    kept = running.service.store.events.quarantined()
    assert len(kept) == (2 if english else 0)
    assert all(each.bad.reason.startswith(english) for each in kept)


def test_no_request_waits_for_the_links_of_its_language(running: Running) -> None:
    engines = running.service.deployment.now.engines
    assert set(engines) == {"en", "zh"}
    assert all(vars(engine).get("links") is not None for engine in engines.values())
