"""Hostile input: no 5xx, no hang, no partial write; one sentence in the caller's language."""

import itertools
import json
from typing import Any

import pytest

from kuajie.service.bodies import DEEPEST, MOST_BYTES
from kuajie.service.routes import ROUTES, Route

from .conftest import NOW, Running, operator_of

GOOD = {"event_id": "e", "domain": "courses", "user": "0007", "item": "课1", "kind": "view"}
TEXTS = {
    "empty": "",
    "space": " \u3000 ",
    "NUL": "a\x00b",
    "control": "a\x1b[31mb",
    "long": "长" * 50,
    "composed": "é",
    "decomposed": "e\u0301",
    "emoji": "👩‍👩‍👧‍👦",
    "right-to-left": "\u202eabc\u202c",
    "SQL": "'; DROP TABLE events; --",
    "template": "{{7*7}}${7*7}<%= 7*7 %>{0.__class__}",
    "path": "../../../../etc/passwd",
    "encoded path": "..%2f..%2fetc%2fpasswd",
    "script": "<script>alert(1)</script>",
    "format": "%s%n{domain}",
    "header": "x\r\nSet-Cookie: a=b",
}
TIMES = [
    "2026-13-01", "2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59+23:59", "1969-01-01T00:00:00Z",
    "2026-01-01T00:00:00+99:00", "2026-01-01T24:00:00Z", "99999-01-01T00:00:00Z", "now", "", 0, 1e18, None, [], "明天",
    "2026-01-01T00:00:00-00:00", "2016-12-31T23:59:60Z", "0001-01-01T00:00:00+14:00",
]  # fmt: skip
RAW = [
    b"", b" ", b"{", b"}", b"[]", b"null", b"true", b"1", b'"x"', b"\xff\xfe", b"\xef\xbb\xbf{}", b"{}\x00", b"{} {}",
    b"{'a':1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e400}', b'{"a":9223372036854775808}',
    b'{"a":' + b"9" * 5_000 + b"}", b'{"user":"a","user":"b"}', b'{"a":{"b":1,"b":2}}', b'{"a":"\\ud800"}',
    b'{"a":"\\udc00\\ud800"}', b'{"\\ud800":1,"\\ud800":2}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\xaf"}',
    b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", b'{"a":"\x01"}', b"//", b"<xml/>",
    b'{"events":[]}', b'{"events":{}}', b'{"events":[null]}', b'{"events":[[]]}', b'{"events":["x"]}',
    b'{"events":[{}],"x":1}', b'{"events":[{"properties":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}]}",
    json.dumps({"events": [GOOD] * 501}).encode(), b" " * (MOST_BYTES + 1),
]  # fmt: skip
VALUES: list[Any] = [-1, 1e308, 2**63, 2**64, -0.0, "1", True, [], {}, 1e13, 0.1 + 0.2]


def bodies() -> list[tuple[str, bytes]]:
    made = [(f"raw {number}", raw) for number, raw in enumerate(RAW)]
    for field, (name, text) in itertools.product(("event_id", "user", "item", "domain", "kind"), TEXTS.items()):
        made.append((f"{field} {name}", json.dumps({**GOOD, field: text}).encode()))
    made += [(f"time {time!r}", json.dumps({**GOOD, "occurred_at": time}).encode()) for time in TIMES]
    made += [(f"value {value!r}", json.dumps({**GOOD, "value": value}).encode()) for value in VALUES]
    wrong: list[Any] = [None, 1, True, [], {}, [GOOD]]
    made += [
        (f"{field} is {value!r}", json.dumps({**GOOD, field: value}).encode())
        for field, value in itertools.product(GOOD, wrong)
    ]
    made += [
        ("unknown field", json.dumps({**GOOD, "admin": True}).encode()),
        ("long properties", json.dumps({**GOOD, "properties": {"a": "x" * 10_000}}).encode()),
        ("surrogate", json.dumps({**GOOD, "user": "\ud800"}).encode()),
        ("surrogate in properties", json.dumps({**GOOD, "properties": {"a": "\udfff"}}).encode()),
    ]
    return made


def test_there_are_enough() -> None:
    assert len(bodies()) >= 180
    assert len({name for name, _ in bodies()}) == len(bodies())


def send(running: Running, method: str, path: str, content: bytes, **headers: str):
    told = {"Content-Type": "application/json", **headers}
    return running.client.request(method, path, content=content, headers=told)


def test_no_event_is_stored_but_those_that_are_told_so(running: Running) -> None:
    accepted = 0
    for number, (name, body) in enumerate(bodies()):
        answer = send(running, "POST", "/v1/events", body.replace(b'"e"', f'"e{number}"'.encode()))
        assert answer.status_code < 500, (name, answer.text)
        said = answer.json()
        if answer.status_code in {200, 422}:
            assert len(said["verdicts"]) == said["accepted"] + said["duplicate"] + said["rejected"]
            accepted += said["accepted"]
        else:
            assert said["error"], name
            assert said["do"], name
            assert "\n" not in said["error"]
    rows = running.service.store.events.after(0)
    assert len(rows) == accepted
    assert all(row.event.domain == "courses" for row in rows)
    assert running.recommend("0007")["items"], "the service is as before"


UNHEARD = {401, 403, 404, 429}
"""Answers to a request that was not read: a test that takes them for an answer tests nothing."""


@pytest.mark.parametrize("route", [route for route in ROUTES if route.request], ids=lambda route: route.name)
def test_no_route_breaks(shared: Running, route: Route) -> None:
    before = shared.service.store.events.newest()
    headers = {"Authorization": f"Bearer {operator_of(shared.service)}"} if route.scope == "admin" else {}
    path = route.path + ("?seconds=0" if route.media == "text/event-stream" else "")  # else it does not end
    if "{id}" in path:
        made = shared.ask("POST", "/v1/keys", {"organisation": "运维", "scopes": ["operations"]}, **headers)
        path = path.replace("{id}", made.json()["key_id"])
    example = json.loads(json.dumps(route.example).replace("car_parts", "car"))
    answer = send(shared, route.method, path, json.dumps(example).encode(), **headers)
    assert answer.status_code in {200, 422}, answer.text
    for raw in RAW:
        answer = send(shared, route.method, path, raw, **headers)
        assert 400 <= answer.status_code < 500, raw[:80]
        assert answer.status_code not in UNHEARD, (raw[:80], answer.text)
        assert "Traceback" not in answer.text
    for mutated in itertools.islice(mutations(example), None, None, 3):  # of 23 a leaf: each value has its turn
        answer = send(shared, route.method, path, json.dumps(mutated).encode(), **headers)
        assert answer.status_code < 500, (mutated, answer.text)
        if not is_foreign(mutated):
            assert answer.status_code not in UNHEARD, (mutated, answer.text)
    answer = send(shared, route.method, path, json.dumps(example).encode(), **headers)
    assert answer.status_code in {200, 422}, ("the service is as before", answer.text)
    assert before <= shared.service.store.events.newest()


def is_foreign(value: Any) -> bool:
    """Whether a domain of nobody's is named somewhere, which a caller may be refused for."""
    if isinstance(value, dict):
        named = [inner for key, inner in value.items() if key in {"domain", "target"}]
        return any(name not in ("courses", "car") for name in named) or any(map(is_foreign, value.values()))
    return isinstance(value, list) and any(map(is_foreign, value))


def mutations(value: Any):
    """The value with one part replaced, for every part and many replacements."""
    nasty = [None, True, -1, 2**63, 1e300, [], {}, *TEXTS.values()]
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: each} for each in mutations(inner))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], each, *value[place + 1 :]] for each in mutations(inner))
    else:
        yield from nasty


@pytest.mark.parametrize("name", TEXTS)
def test_paths_and_queries(shared: Running, name: str) -> None:
    from urllib.parse import quote

    text = quote(TEXTS[name], safe="")
    for path in (
        f"/v1/items/courses/{text}/similar",
        f"/v1/items/{text}/课1/similar",
        f"/v1/items/courses/课1/similar?target={text}&k={text}",
        f"/v1/people/courses/{text}/profile",
        f"/v1/people/{text}/{text}/profile",
        f"/{text}",
        f"/v1/{text}",
    ):
        answer = shared.ask("GET", path)
        assert answer.status_code < 500, path
        assert answer.status_code != 401, path
        assert answer.status_code != 403 or path.startswith("/v1/people/"), path  # people of domains of nobody's
        assert answer.headers["content-type"] == "application/json"
    for header in ("Accept-Language", "Origin", "Host", "Content-Type", "Content-Length"):
        if header not in {"Content-Length", "Host"}:
            value = TEXTS[name].encode("utf-8").replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"").strip()
            request = shared.client.build_request(
                "POST",
                "/v1/recommend",
                content=b"{}",
                headers={b"Content-Type": b"application/json", header.encode(): value},
            )
            answer = shared.client.send(request)
            refused = {"Origin": 403, "Content-Type": 415}  # demo mode answers no other page
            assert answer.status_code == refused.get(header, 400), (header, answer.text)


def test_a_bad_row_fails_alone_and_goes_to_the_quarantine(running: Running) -> None:
    rows = [GOOD, {**GOOD, "event_id": "f", "user": ""}, {**GOOD, "event_id": "g", "domain": "别人的"}, GOOD]
    said = running.post("/v1/events", {"events": rows})
    assert [verdict["status"] for verdict in said["verdicts"]] == ["accepted", "rejected", "rejected", "duplicate"]
    assert (said["accepted"], said["duplicate"], said["rejected"]) == (1, 1, 2)
    assert {bad.bad.event_id for bad in running.service.store.events.quarantined()} == {"f", "g"}


def test_errors_speak_the_language_of_the_caller(fast: Running) -> None:
    for header, error in (("zh-CN", "没有任何内容"), ("en-GB,zh;q=0.3", "nothing at this path"), ("fr, zh", "没有")):
        assert error in fast.ask("GET", "/没有", **{"Accept-Language": header}).json()["error"]
    chinese = send(fast, "POST", "/v1/events", b'{"a":1,"a":2}', **{"Accept-Language": "zh"}).json()
    assert chinese["error"] == "请求体中“a”出现了两次"
    wrong = fast.ask("PATCH", "/v1/events")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "this path does not take PATCH")


def test_the_limits_of_sizes(fast: Running) -> None:
    assert send(fast, "POST", "/v1/events", b" " * (MOST_BYTES + 1)).status_code == 413
    chunks = fast.client.post(
        "/v1/events", content=iter([b" " * 65_536] * 20), headers={"Content-Type": "application/json"}
    )
    assert chunks.status_code == 413
    most = [{**GOOD, "event_id": str(number)} for number in range(500)]
    assert fast.post("/v1/events", {"events": most})["accepted"] == 500
    deep: Any = 1
    for _ in range(DEEPEST - 2):
        deep = {"a": deep}
    assert fast.post("/v1/events", {**GOOD, "event_id": "deep", "properties": deep})["accepted"] == 1
    assert (
        "deep" in send(fast, "POST", "/v1/events", json.dumps({**GOOD, "properties": {"a": {"b": deep}}}).encode()).text
    )


def test_too_many_at_once_are_told_to_come_again(fast: Running) -> None:
    config = fast.service.workspace.config.service
    fast.service.at_work = int(config.most_at_once * 0.9)
    busy = fast.ask("POST", "/v1/recommend", {"domain": "courses", "user": "0007", "target": "car"})
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
    assert fast.post("/v1/events", GOOD)["accepted"] == 1, "events go before lists"
    assert fast.ask("GET", "/health/live").status_code == 200
    fast.service.at_work = config.most_at_once
    assert fast.ask("POST", "/v1/events", GOOD).status_code == 503
    fast.service.at_work = 0
    assert fast.post("/v1/events", GOOD)["duplicate"] == 1
    assert fast.service.clock() >= NOW
