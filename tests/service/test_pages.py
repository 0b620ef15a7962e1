"""Files for browsers: how they are kept, who gets them, and that no other path is open."""

import base64
import gzip
import hashlib
import re
from collections.abc import Callable

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from kuajie.service.app import make_app
from kuajie.service.demo import FEWEST, ITEMS, MOST, PEOPLE
from kuajie.service.pages import DEMO_FILES, WIDGET, file
from kuajie.service.routes import ROUTES
from kuajie.workflows.workspace import Workspace

from .conftest import Running, with_memory

LARGEST = 10_000
DEMO = ["/demo", "/demo/world.json", "/demo/demo.css", "/demo/demo.js"]
BESIDE_THE_TABLE = {
    *("/openapi.json", "/v1/{path:path}"),
    *("/widget/kj-slot.json", "/widget/kj-slot.js", "/widget/kj-slot.{digest}.js"),
    *DEMO,
}


def test_nothing_is_served_beside_the_table_of_routes_but_this(fast: Running) -> None:
    paths = {route.path for route in fast.client.app.routes if isinstance(route, Route)}
    table = {path.replace("{id}", "{id:path}") for route in ROUTES for path in (route.path, *route.aliases)}
    assert paths == table | BESIDE_THE_TABLE


def test_the_widget_is_small_and_kept_for_ever_under_its_hash(fast: Running) -> None:
    assert len(file(WIDGET).packed) <= LARGEST
    newest = fast.client.get("/widget/kj-slot.js", follow_redirects=False)
    assert (newest.status_code, newest.headers["cache-control"]) == (302, "no-cache")
    place = newest.headers["location"]
    assert re.fullmatch(r"/widget/kj-slot\.[0-9a-f]{16}\.js", place)
    answer = fast.client.get(place)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    plain = fast.client.get(place, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content == gzip.decompress(file(WIDGET).packed)
    again = fast.client.get(place, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    told = fast.client.get("/widget/kj-slot.json").json()
    digest = base64.b64encode(hashlib.sha384(plain.content).digest()).decode()
    assert told == {"src": place, "integrity": f"sha384-{digest}"}
    older = fast.client.get("/widget/kj-slot.0123456789abcdef.js", follow_redirects=False)
    assert (older.status_code, older.headers["location"]) == (302, place)


def test_the_widget_makes_no_markup_of_data() -> None:
    for name in (WIDGET, "demo.js"):
        source = file(name).plain.decode()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|\.style\b", source
        )
    page = file("demo.html").plain.decode()
    assert not re.search(r"<style|style=|<script(?! type=\"module\" src=)|\son\w+=|https?:", page)


@pytest.mark.parametrize("path", DEMO)
def test_the_demo_page_is_for_this_machine_in_demo_mode(fast: Running, path: str) -> None:
    answer = fast.client.get(path)
    assert answer.status_code == 200
    for host in ("shop.example", "127.0.0.1.evil.example", "[::1"):
        assert fast.client.get(path, headers={"Host": host}).status_code == 404
    assert fast.client.get(path, headers={"Host": "localhost:8000"}).status_code == 200
    fast.service.demo = False
    assert fast.client.get(path).status_code == 404


def test_the_demo_page_trusts_nobody_else(fast: Running) -> None:
    policy = fast.client.get("/demo").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert {"demo.html", "demo.css", "demo.js"} == set(DEMO_FILES)


def test_the_demo_page_shows_the_workspace(fast: Running) -> None:
    zh = fast.client.get("/demo/world.json?lang=zh").json()
    en = fast.client.get("/demo/world.json?lang=en").json()
    assert fast.client.get("/demo/world.json?lang=xx").json()["language"] == "zh"
    assert [side["title"] for side in zh["sides"]] == ["课程", "汽车"]
    assert [side["title"] for side in en["sides"]] == ["Courses", "汽车"]
    for side in zh["sides"]:
        assert len(side["items"]) == ITEMS
        assert len({each["item"] for each in side["items"]}) == ITEMS
        assert len(side["people"]) == PEOPLE
        for person in side["people"]:
            assert FEWEST <= person["events"] <= MOST
            assert person["elsewhere"] == 1
            asked = {"domain": side["domain"], "user": person["user"], "target": side["domain"]}
            assert fast.post("/v1/recommend", asked)["fallback"] == ""


def test_a_workspace_of_one_domain_has_a_demo_page_too(workspace: Workspace, kuajie: Callable[..., object]) -> None:
    place = workspace.root / "kuajie.toml"
    text = place.read_text(encoding="utf-8")
    place.write_text(text.partition("[domains.car]")[0], encoding="utf-8")
    for command in ("import", "train"):
        assert kuajie(command, "-w", workspace.root).code == 0
    service = with_memory(Workspace.open(workspace.root))
    service.demo = True
    with TestClient(make_app(service), base_url="http://127.0.0.1") as client:
        sides = client.get("/demo/world.json").json()["sides"]
    assert [(side["domain"], len(side["people"])) for side in sides] == [("courses", PEOPLE)]
