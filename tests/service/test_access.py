"""Every route against every kind of key: who may, who may not, and that nothing crosses between organisations."""

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from kuajie.core.records import ApiKey, Organisation
from kuajie.core.texts import Text
from kuajie.service.app import make_app
from kuajie.service.openapi import document
from kuajie.service.routes import ROUTES, Route
from kuajie.testing.memory_store import MemoryStore
from kuajie.workflows import access
from kuajie.workflows.access import OPERATOR_SCOPES
from kuajie.workflows.deploy import Refused
from kuajie.workflows.keys import new_key
from kuajie.workflows.workspace import Workspace

from .conftest import NOW, PAGE, Running, with_memory
from .test_process import serving

OWN = {"domain": "courses", "user": "0007"}
SEGMENT = {"userId": "0007", "properties": {"sku": "课1"}, "context": {"domain": "courses"}}
BODIES = {
    "events": {"events": [{"event_id": "1", **OWN, "item": "课1", "kind": "view"}]},
    "recommend": {**OWN, "target": "car"},
    "search": {**OWN, "query": "课1"},
    "stream": {**OWN, "target": "car"},
    "exposures": {"exposures": [{"exposure_id": "1", "list_id": "LIST", "position": 0}]},
    "feedback": {
        "feedback": [{"event_id": "2", "list_id": "LIST", "exposure_id": "1", "item": "ITEM", "kind": "click"}]
    },
    "segment_track": {
        "messageId": "s1",
        "userId": "0007",
        "event": "Product Viewed",
        "properties": {"product_id": "课1"},
        "context": {"domain": "courses"},
    },
    "segment_page": {"messageId": "s2", **SEGMENT},
    "segment_screen": {"messageId": "s3", **SEGMENT},
    "segment_identify": {
        "messageId": "s4",
        "userId": "0007",
        "traits": {"城市": "上海"},
        "context": {"domain": "courses"},
    },
    "segment_batch": {"batch": [{"type": "page", "messageId": "s5", **SEGMENT}]},
    "items": {"items": [{"domain": "courses", "item": "新课"}]},
    "put_editor_lists": {"lists": [{"target": "courses", "placement": "首页", "items": ["课1"]}]},
    "triples": {"triples": [{"domain": "courses", "head": "新课", "relation": "主题", "tail": "车"}]},
    "people": {"people": [{"account": OWN}]},
    "links": {"links": [{"a": OWN, "b": {"domain": "car", "user": "车7"}}]},
    "add_webhook": {"url": "https://1.1.1.1/hook"},
    "consents": {"consents": [{"account": OWN, "personalised": True, "changed_at": "2026-01-01T00:00:00Z"}]},
    "make_key": {"organisation": "courses公司", "scopes": ["events"]},
    "rotate_key": {"hours": 1},
}
"""A request of the organisation of courses for each route that has a body."""
PATHS = {
    "remove_webhook": "/v1/webhooks/wh_1",
    "list_deliveries": "/v1/webhooks/wh_1/deliveries",
    "similar_items": "/v1/items/courses/课1/similar?target=car",
    "profile": "/v1/people/courses/0007/profile",
    "stream": "/v1/recommend/stream?seconds=0",
    "rotate_key": "/v1/keys/KEY/rotate",
    "revoke_key": "/v1/keys/KEY",
    "why": f"/v1/lists/{'a' * 32}/why?item=🚗1",
    "editor_lists": "/v1/editor-lists?target=courses",
}
EVERYBODY, SECRETS, PAGES, OPERATORS = 200, "secrets", "pages", "operators"
MATRIX = {
    "live": EVERYBODY,
    "ready": EVERYBODY,
    "metrics": OPERATORS,
    "make_key": OPERATORS,
    "keys": OPERATORS,
    "rotate_key": OPERATORS,
    "revoke_key": OPERATORS,
    "events": PAGES,
    "recommend": PAGES,
    "search": PAGES,
    "stream": PAGES,
    "similar_items": PAGES,
    "exposures": PAGES,
    "feedback": PAGES,
    "profile": SECRETS,
    "why": PAGES,
    "put_editor_lists": SECRETS,
    "editor_lists": SECRETS,
    "segment_track": PAGES,
    "segment_page": PAGES,
    "segment_screen": PAGES,
    "segment_identify": SECRETS,
    "segment_batch": PAGES,
    "items": SECRETS,
    "triples": SECRETS,
    "people": SECRETS,
    "links": SECRETS,
    "consents": SECRETS,
    "add_webhook": SECRETS,
    "list_webhooks": SECRETS,
    "remove_webhook": SECRETS,
    "list_deliveries": SECRETS,
}
"""Who may use each route; a new route without a row here fails the tests."""
ALIKE = {"similar_items"}
"""Routes that answer every organisation alike: catalogues are shared, behaviour is not."""
APART = {"add_webhook", "list_webhooks", "remove_webhook", "list_deliveries"}
"""Routes on what each organisation has for itself; `test_webhooks` shows that nobody else's is seen."""


def test_every_route_has_a_row() -> None:
    assert {route.name for route in ROUTES} == set(MATRIX)
    assert {route.name for route in ROUTES if route.request} == set(BODIES)
    assert {route.name for route in ROUTES if "{" in route.path} <= set(PATHS)


def call(running: Running, route: Route, token: str | None, body: object = None, key: str = "none", **headers: str):
    body = body if body is not None else BODIES.get(route.name)
    path = PATHS.get(route.name, route.path).replace("KEY", key)
    return running.ask(route.method, path, body, token, **headers)


def filled(running: Running, route: Route) -> object:
    """The body with the id of a list of the organisation of courses."""
    from kuajie.core.records import Account, RankedItem, RankedList

    body = BODIES.get(route.name)
    if route.name not in {"exposures", "feedback", "why"}:
        return body
    ranked = RankedList(
        list_id="a" * 32,
        account=Account(domain="courses", user="0007"),
        target="car",
        model_version="v",
        created_at=NOW,
        items=(RankedItem(domain="car", item="🚗1", title="", score=1.0),),
    )
    running.service.lists.keep(ranked)
    if body is None:
        return None
    (rows,) = body.values()
    return {route.name: [{**rows[0], "list_id": "a" * 32, **({"item": "🚗1"} if "item" in rows[0] else {})}]}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_against_every_kind_of_key(fast: Running, token: Callable[..., str], route: Route) -> None:
    allowed = MATRIX[route.name]
    body = filled(fast, route)
    own, other = token("courses"), token("car")
    page, elsewhere = token("courses", "publishable"), token("courses", "publishable", origins=("https://a.example",))
    expired, without = token("courses", expires_at=NOW), token("courses", scopes=())
    revoked = token("courses")
    fast.service.store.access.revoke_key(revoked.split("_")[2], NOW)
    nobody = 200 if allowed == EVERYBODY else 401
    for wrong in (
        None,
        "",
        "x",
        "kj_secret_0_0",
        expired,
        revoked,
        own[:-1] + "~",
        own.replace("secret", "publishable"),
    ):
        assert call(fast, route, wrong, body).status_code == nobody, wrong
    assert call(fast, route, without, body).status_code == (200 if allowed == EVERYBODY else 403)
    if allowed == OPERATORS:
        operator, spare = token("car", scopes=OPERATOR_SCOPES), token("courses").split("_")[2]
        assert call(fast, route, operator, body, spare).status_code == 200
        other_half = token("car", scopes=[each for each in OPERATOR_SCOPES if each != route.scope])
        assert call(fast, route, other_half, body).status_code == 403
        assert (
            call(fast, route, token("car", "publishable", scopes=OPERATOR_SCOPES), body, Origin=PAGE).status_code == 403
        )
        assert call(fast, route, own, body).status_code == 403
        return
    expected = {"links": 422, "remove_webhook": 404, "list_deliveries": 404}.get(route.name, 200)  # a link: both sides
    assert call(fast, route, own, body).status_code == expected
    inside = call(fast, route, page, body, Origin=PAGE)
    assert inside.status_code == (403 if allowed == SECRETS else 200)
    if allowed == PAGES:
        assert inside.headers["access-control-allow-origin"] == PAGE
        for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": PAGE + ".evil.example"}, {"Origin": "null"}):
            refused = call(fast, route, page, body, **origin)
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers
        assert call(fast, route, elsewhere, body, Origin=PAGE).status_code == 403
    if allowed != EVERYBODY and route.name not in ALIKE | APART:
        stranger = call(fast, route, other, body)
        assert stranger.status_code in {403, 404, 422}, "the domains of another organisation"
        assert "accepted" not in {verdict["status"] for verdict in stranger.json().get("verdicts", [])}


def test_reasons_and_profiles_hold_no_behaviour_of_another_organisation(
    fast: Running, token: Callable[..., str]
) -> None:
    secret = token("courses")
    named, general = set(), set()
    fast.event("own", "只在课程", "课3", token=secret)
    for target in ("car", "courses"):
        people = [*(f"{n:04d}" for n in range(20)), "只在课程"]
        lists = [fast.recommend(user, token=secret, target=target, k=20, language="zh") for user in people]
        said = {"items": [item for ranked in lists for item in ranked["items"]]}
        reasons = [reason for item in said["items"] for reason in item["reasons"]]
        assert all(not reason["item"] and not reason["title"] for reason in reasons if reason["domain"] == "car")
        general |= {reason["text"] for reason in reasons if reason["domain"] == "car"}
        named |= {reason["item"][:1] for reason in reasons}
        domains = [[reason["domain"] for reason in item["reasons"]] for item in said["items"]]
        assert all(each.count("car") <= 1 for each in domains)
    assert general == {"因为您在“汽车”的行为"}
    assert named >= {"课"}
    assert "🚗" not in named
    profile = fast.ask("GET", PATHS["profile"], token=secret).json()
    assert profile["accounts"] == ["courses:0007"]
    assert {each["domain"] for each in profile["recent"]} == {"courses"}
    assert [each["domain"] for each in profile["elsewhere"]] == ["car"]
    page = token("courses", "publishable")
    for number in range(20):
        asked = {**BODIES["recommend"], "user": f"{number:04d}"}
        answer = fast.ask("POST", "/v1/recommend", asked, page, Origin=PAGE).json()
        named = {reason["item"] for item in answer["items"] for reason in item["reasons"]}
        general |= named
        assert named <= {""}, "a page shows its answers to anybody"
    assert "" in general


def test_a_list_is_known_to_its_own_organisation_alone(fast: Running, token: Callable[..., str]) -> None:
    own, other = token("courses"), token("car")
    ranked = fast.recommend("0007", token=own)
    row = {"exposure_id": "1", "list_id": ranked["list_id"], "position": 0}
    refused = fast.post("/v1/exposures", {"exposures": [row]}, other, status=422)
    unknown = fast.post("/v1/exposures", {"exposures": [{**row, "list_id": "b" * 32}]}, other, status=422)
    assert refused["verdicts"][0]["reason"] == unknown["verdicts"][0]["reason"] == "the list is not known"


def test_a_revoked_key_closes_and_the_database_may_be_away(
    fast: Running, token: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kuajie.core.errors import StoreError

    secret = token("courses")
    fast.recommend(token=secret)
    seconds = 1_000_000.0
    keeper = fast.service.doorkeeper
    monkeypatch.setattr(keeper, "_monotonic", lambda: seconds)

    def down(_: str) -> None:
        raise StoreError("down")

    with monkeypatch.context() as broken:
        broken.setattr(fast.service.store.access, "key", down)
        assert fast.recommend(token=secret, status=503)["do"]
        next(iter(keeper._kept.values())).at = seconds - 600
        assert fast.recommend(token=secret)["items"]
        assert fast.ask("POST", "/v1/recommend", {}, secret[:-1] + "~").status_code == 401
    fast.service.store.access.revoke_key(secret.split("_")[2], NOW)
    fast.recommend(token=secret, status=401)


def test_a_key_that_asks_too_often_is_told_when_to_come_again(fast: Running, token: Callable[..., str]) -> None:
    fast.service.bucket._rate, fast.service.bucket._most = 0.5, 2.0
    hasty, patient = token("courses"), token("car")
    for _ in range(2):
        fast.recommend(token=hasty)
    answer = fast.ask("POST", "/v1/recommend", BODIES["recommend"], hasty, **{"Accept-Language": "zh-CN,en;q=0.5"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert (answer.json()["error"], answer.json()["do"]) == ("这个密钥请求得过于频繁", "请稍候再试。")
    assert fast.ask("GET", PATHS["similar_items"], token=patient).status_code == 200


def test_a_page_can_read_why_it_must_wait_or_needs_a_key(fast: Running, token: Callable[..., str]) -> None:
    page = token("courses", "publishable")

    def ask(key: str | None) -> tuple[int, str | None, str | None]:
        answer = fast.ask("POST", "/v1/recommend", BODIES["recommend"], key, Origin=PAGE)
        return answer.status_code, answer.headers.get("access-control-allow-origin"), answer.headers.get("retry-after")

    assert ask(None) == (401, PAGE, None)
    assert ask(page) == (200, PAGE, None)
    fast.service.bucket._rate, fast.service.bucket._most = 0.5, 0.5
    assert ask(page) == (429, PAGE, "1")
    fast.service.at_work = 10_000
    assert ask(page) == (503, PAGE, "1")
    fast.service.at_work = 0


def test_keys_that_nobody_knows_are_looked_up_so_often_and_push_nobody_out(
    fast: Running, token: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, keeper, strangers = fast.service.store.access, fast.service.doorkeeper, fast.service.strangers
    asked: list[str] = []
    find = keys.key
    monkeypatch.setattr(keys, "key", lambda key_id: asked.append(key_id) or find(key_id))
    known = token("courses")
    fast.recommend(token=known)
    monkeypatch.setattr(strangers, "_rate", 0.01)
    strangers._left[""] = (20.0, strangers._monotonic())
    answers = [
        fast.ask("POST", "/v1/recommend", {}, f"kj_secret_{n:x}_x", **{"Accept-Language": "zh"}) for n in range(30)
    ]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 10
    assert int(answers[-1].headers["retry-after"]) > 1
    assert answers[-1].json()["error"] == "此刻尝试的未知密钥过多"
    assert fast.ask("POST", "/v1/recommend", {}, "kj_secret_0_x").status_code == 401, "it is known to be none"
    assert len(asked) == 21
    for each in range(11_000):
        keeper.ask(f"kj_secret_{each:x}_x", NOW)
    asked.clear()
    fast.recommend(token=known)
    assert asked == [], "no made-up key takes its place"
    assert len(keeper._missed) == 1_000
    keeper.forget()
    fast.recommend(token=known)
    assert len(asked) == 1, "it is asked for anew, and is no stranger"
    fast.recommend(token=token("car"), status=429)


def test_the_key_that_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore().access
    monkeypatch.setattr(access, "MOST_KEYS", 2)
    keeper = access.Doorkeeper(store, lambda: 0.0)
    store.put_organisation(Organisation(organisation_id="甲", name="甲", created_at=NOW))
    made = [new_key("甲", "secret", NOW) for _ in range(3)]
    for token, key in made:
        store.add_key(key)
        assert keeper.ask(token, NOW) is not None
        assert keeper.known(made[0][0], NOW)[0]
    assert [keeper.has_met(token) for token, _ in made] == [True, False, True]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("en;q=0.1, zh", "zh"),
        ("zh;q=0.2,en-GB;q=0.3", "en"),
        ("fr, zh-Hans-CN; Q=0.500 , en;q=0.5", "zh"),
        ("zh;q=0, en;q=0.001", "en"),
        ("en;q=0", "zh"),
        ("en;q=nan, *", "zh"),
        ("english, zhongwen", "zh"),
        ("en-US", "en"),
        ("", "zh"),
        (f"{'fr,' * 100}en", "zh"),
    ],
)
def test_the_language_that_is_liked_best(fast: Running, header: str, language: str) -> None:
    config = fast.service.workspace.config
    spoken = config.workspace.model_copy(update={"language": "zh"})
    fast.service.workspace = replace(fast.service.workspace, config=config.model_copy(update={"workspace": spoken}))
    said = fast.ask("GET", "/nothing", **{"Accept-Language": header}).json()["error"]
    assert said == {"zh": "这个路径上没有任何内容", "en": "there is nothing at this path"}[language]


def test_operators_alone_are_told_details_of_health(fast: Running, token: Callable[..., str]) -> None:
    own, operator = token("courses"), token("courses", scopes=("operations",))
    fast.service.deployment.refused = Refused("v9", Text("/srv/models/v9/arrays.npz is damaged"))
    for key in (None, "kj_secret_0_0", own, token("courses", "publishable", scopes=("operations",))):
        ready = fast.ask("GET", "/health/ready", token=key)
        assert ready.status_code == 200
        told = ready.json()
        assert (told["ready"], told["store"]) == (True, "good")
        assert told["model_version"] == fast.service.deployment.now.model_version
        assert (told["snapshot_id"], told["refused"], told["loop"]) == ("", "", "")
    told = fast.ask("GET", "/health/ready", token=operator).json()
    assert told["refused"] == "v9: /srv/models/v9/arrays.npz is damaged"
    assert told["snapshot_id"]
    fast.service.demo = True
    assert fast.ask("GET", "/health/ready").json()["refused"]
    assert not fast.ask("GET", "/health/ready", **{"X-Forwarded-For": "1.1.1.1"}).json()["refused"]


def test_demo_mode_answers_this_machine_alone(workspace: Workspace) -> None:
    service = with_memory(workspace)
    service.demo = True
    with TestClient(make_app(service), base_url="http://127.0.0.1") as client:
        body = BODIES["recommend"]
        assert client.post("/v1/recommend", json=body).status_code == 200
        for headers in (
            {"Host": "evil.example"},
            {"Host": "127.0.0.1.evil.example"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://[::1"},
            {"Forwarded": "for=1.1.1.1"},
            {"X-Forwarded-For": "1.1.1.1"},
            {"X-Forwarded-Host": "shop.example"},
            {"X-Forwarded-Proto": "https"},
            {"Via": "1.1 proxy"},
        ):
            refused = client.post("/v1/recommend", json=body, headers=headers)
            assert refused.status_code == 403
            assert refused.json()["error"] == "demo mode answers this machine alone, at 127.0.0.1"
            assert client.get("/demo/world.json", headers=headers).status_code == (200 if "Origin" in headers else 404)
            assert client.options("/v1/recommend", headers={"Origin": "https://evil.example"}).status_code == 403
        plain = client.post("/v1/recommend", content="{}", headers={"Content-Type": "text/plain"})
        assert plain.status_code == 415, "what a form of another page could send"


def test_demo_mode_takes_an_old_http_for_a_proxy(workspace: Workspace) -> None:
    """As nginx speaks it, with the Host of what it asks."""
    with serving(workspace.root, "--demo") as served:
        for version, status in (("1.0", b"403"), ("1.1", b"200")):
            with socket.create_connection(served.address) as connection:
                host = f"Host: 127.0.0.1:{served.address[1]}\r\nConnection: close"
                connection.sendall(f"GET /v1/webhooks HTTP/{version}\r\n{host}\r\n\r\n".encode())
                assert connection.recv(65_536).split()[1] == status


def test_pages_are_answered_what_they_ask_beforehand(fast: Running, token: Callable[..., str]) -> None:
    token("courses", "publishable")
    asked = fast.client.options("/v1/events", headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, PAGE)


def test_new_keys_last_and_are_not_stored(fast: Running) -> None:
    token, key = new_key("o", "secret", NOW, expires_at=NOW + timedelta(days=1))
    assert isinstance(key, ApiKey)
    assert token.rpartition("_")[2] not in repr(key)


def test_the_openapi_document_holds_every_route_with_an_example_that_works(fast: Running) -> None:
    served = fast.ask("GET", "/openapi.json").json()
    assert served["openapi"] == "3.1.0"
    operations = {o["operationId"]: o for path in served["paths"].values() for o in path.values()}
    assert set(operations) == set(MATRIX)
    references = {text.split('"')[0] for text in str(document(ROUTES)).split("#/components/schemas/")[1:]}
    names = {reference.split("'")[0] for reference in references}
    assert names <= set(served["components"]["schemas"])
    for route in ROUTES:
        if route.request and route.scope != "admin":
            answer = fast.ask(route.method, PATHS.get(route.name, route.path), route.example)
            assert answer.status_code in {200, 404, 422}, answer.text  # domains and lists are those of another world
            assert "field" not in answer.json().get("error", "")


def test_what_is_foreign_is_answered_like_what_is_unknown(fast: Running, token: Callable[..., str]) -> None:
    """No answer tells somebody of another organisation whether a person, a list or an item of theirs exists."""
    own, other = token("courses"), token("car")
    fast.event("e", "0007", "课1", own)
    ranked = fast.recommend("0007", token=own)
    known, unknown = ranked["list_id"], "b" * len(ranked["list_id"])
    item = ranked["items"][0]["item"]
    pairs = [
        ("GET", f"/v1/people/courses/{user}/profile", None) for user in ("0007", "nobody")
    ], [
        ("POST", "/v1/recommend", {"domain": "courses", "user": user, "target": "car"}) for user in ("0007", "nobody")
    ], [
        ("GET", f"/v1/lists/{list_id}/why?item={item}", None) for list_id in (known, unknown)
    ], [
        ("POST", "/v1/exposures", {"exposures": [{"exposure_id": "1", "list_id": list_id, "position": 0}]})
        for list_id in (known, unknown)
    ], [
        ("POST", "/v1/feedback", {
            "feedback": [{"event_id": "1", "list_id": list_id, "exposure_id": "1", "item": item, "kind": "click"}]
        })
        for list_id in (known, unknown)
    ], [
        ("POST", "/v1/events", {"event_id": name, "domain": "courses", "user": "x", "item": "y", "kind": "view"})
        for name in ("e", "f")
    ], [
        ("PUT", "/v1/items", {"items": [{"domain": "courses", "item": name}]}) for name in ("课1", "没有")
    ], [
        ("PUT", "/v1/people", {"people": [{"account": {"domain": "courses", "user": name}}]}) for name in ("0007", "无")
    ], [
        ("PUT", "/v1/links", {"links": [{"a": {"domain": "courses", "user": name}, "b": {**OWN, "domain": "car"}}]})
        for name in ("0007", "nobody")
    ]  # fmt: skip
    for existing, missing in pairs:
        seen = []
        for method, path, body in (existing, missing):
            answer = fast.ask(method, path, body, other)
            said = answer.json()
            said.pop("request_id", None)
            for verdict in said.get("verdicts", []):
                verdict.pop("id")
            seen.append((answer.status_code, said))
        assert seen[0][0] >= 400, existing
        assert seen[0] == seen[1], existing
