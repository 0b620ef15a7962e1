"""The client against the service, and against servers that behave badly."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kuajie.client import Client, EditorList, Event, Item, KeyRequest, ServiceError, UnavailableError
from kuajie.client.client import MOST_BYTES, batches
from kuajie.core.errors import KuajieError, UsageError
from kuajie.core.language import translator
from kuajie.workflows.control import offered
from kuajie.workflows.workspace import Workspace

from .conftest import with_sqlite
from .test_process import serving
from .wired import wired

READY = {"ready": True, "model_version": "v1", "snapshot_id": "s1", "store": "good"}


@dataclass
class Scripted:
    """Answers what the script says, the last for ever, and remembers what was asked."""

    script: list[tuple[int, dict[str, str], bytes] | str]
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def scripted(request: pytest.FixtureRequest) -> Iterator[Scripted]:
    script = Scripted([])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            script.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
            told = script.script.pop(0) if len(script.script) > 1 else script.script[0]
            if isinstance(told, str):  # hang up
                self.close_connection = True
                return
            status, headers, body = told
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        server.shutdown()
        thread.join()


@dataclass
class Slept:
    """A clock that sleeping moves."""

    waits: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def monotonic(self) -> float:
        return sum(self.waits)


def client_of(scripted: Scripted, slept: Slept, **more: Any) -> Client:
    return Client(scripted.url, sleep=slept.sleep, monotonic=slept.monotonic, **more)


def ok(content: object, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, headers, json.dumps(content).encode()


def busy(status: int = 503, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, headers, json.dumps({"error": "忙", "do": "等等", "request_id": "r-1"}).encode()


VERDICTS = {"verdicts": [{"id": "1", "status": "accepted"}], "accepted": 1, "duplicate": 0, "rejected": 0}
EVENT = Event(event_id="1", domain="courses", user="张三", item="课1", kind="view")


def test_it_comes_again_later_and_later_and_when_it_is_told(scripted: Scripted) -> None:
    slept = Slept()
    scripted.script = [busy(503), "hang up", busy(429, **{"Retry-After": "3"}), ok(VERDICTS)]
    with client_of(scripted, slept) as client:
        assert client.events([EVENT]).accepted == 1
    assert len(scripted.asked) == 4
    assert len({body for *_, body in scripted.asked}) == 1, "the same each time"
    assert all(0 <= wait <= most for wait, most in zip(slept.waits[:2], (0.2, 0.4), strict=True))
    assert slept.waits[2] >= 3
    assert json.loads(scripted.asked[0][3])["events"][0]["user"] == "张三"


def test_it_gives_up(scripted: Scripted) -> None:
    slept = Slept()
    scripted.script = [busy()]
    with client_of(scripted, slept) as client, pytest.raises(UnavailableError) as error:
        client.recommend("courses", "7", "car")
    assert len(scripted.asked) == 4
    assert (error.value.status, error.value.error, error.value.do, error.value.request_id) == (503, "忙", "等等", "r-1")
    assert isinstance(error.value, KuajieError)
    assert "503" in error.value.say(translator("zh"))
    scripted.script, scripted.asked = [busy(**{"Retry-After": "31"})], []
    with client_of(scripted, slept) as client, pytest.raises(UnavailableError):
        client.recommend("courses", "7", "car")
    assert len(scripted.asked) == 1, "the service asks for more patience than there is"


def test_what_is_not_safe_is_sent_once(scripted: Scripted) -> None:
    slept = Slept()
    scripted.script = ["hang up"]
    with client_of(scripted, slept) as client:
        for act in (
            lambda: client.make_key(KeyRequest(organisation="o")),
            lambda: client.rotate_key("k"),
            lambda: client.add_webhook("https://kuajie.example"),
        ):
            with pytest.raises(UnavailableError):
                act()
    assert (len(scripted.asked), slept.waits) == (3, [])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 415, 500])
def test_a_no_is_a_no(scripted: Scripted, status: int) -> None:
    scripted.script = [busy(status, **{"X-Request-Id": "r-2"})]
    with client_of(scripted, Slept()) as client, pytest.raises(ServiceError) as error:
        client.keys()
    assert (len(scripted.asked), type(error.value)) == (1, ServiceError)


def test_answers_that_are_none(scripted: Scripted) -> None:
    for body in (b"", b"<html>", b'{"ready": 1}', b"\xff", b"[1]"):
        scripted.script = [(200, {"X-Request-Id": "r-3"}, body)]
        with client_of(scripted, Slept()) as client, pytest.raises(ServiceError) as error:
            client.ready()
        assert error.value.request_id == "r-3"
    scripted.script = [(502, {}, b"<html>Bad Gateway</html>")]
    with client_of(scripted, Slept(), attempts=1) as client, pytest.raises(UnavailableError, match="Bad Gateway"):
        client.keys()
    scripted.script = [(302, {"Location": "http://elsewhere.example"}, b"")]
    with client_of(scripted, Slept()) as client, pytest.raises(ServiceError):
        client.recommend("a", "b", "c")


def test_nobody_answers() -> None:
    with Client("http://127.0.0.1:1", attempts=1) as client, pytest.raises(UnavailableError) as error:
        client.ready()
    assert (error.value.status, "refused" in str(error.value)) == (0, True)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://user:secret@a", "http://a?b"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match="a service has an address"):
        Client(url)


def test_fields_of_a_newer_service_are_left_out(scripted: Scripted) -> None:
    item = {"domain": "car", "item": "1", "title": "", "score": 1.0, "colour": "red", "reasons": [
        {"domain": "car", "item": "", "title": "", "share": 1.0, "exact": True, "text": "", "path": []}]}  # fmt: skip
    ranked = {"list_id": "l", "target": "car", "model_version": "v", "personalised": True, "degraded": False,
              "fallback": "", "placement": "", "items": [item], "mood": {"a": 1}}  # fmt: skip
    scripted.script = [ok(ranked)]
    with client_of(scripted, Slept(), key="kj_secret_0_0", language="zh") as client:
        assert client.recommend("courses", "7", "car", explain=False).items[0].reasons[0].share == 1.0
        sent = scripted.asked[0][2]
        assert (sent["Authorization"], sent["Accept-Language"]) == ("Bearer kj_secret_0_0", "zh")
        scripted.script = [ok({**ranked, "items": [{"domain": "car"}]})]
        with pytest.raises(ServiceError):
            client.recommend("courses", "7", "car")
        scripted.script = [ok({**READY, "since": 1})]
        assert client.ready().model_version == "v1"


def test_ids_are_parts_of_paths_whatever_they_are(scripted: Scripted) -> None:
    scripted.script = [busy(404)]
    with client_of(scripted, Slept()) as client:
        for odd in ("../admin", "a/b?c#d", "课 程", "%2e%2e"):
            with pytest.raises(ServiceError):
                client.profile("courses", odd)
    paths = [path for _, path, _, _ in scripted.asked]
    assert paths[0] == "/v1/people/courses/..%2Fadmin/profile"
    assert all(path.count("/") == 5 and "?" not in path for path in paths)


def test_batches_hold_as_many_rows_and_bytes_as_the_service_takes() -> None:
    assert [len(json.loads(body)["rows"]) for body in batches("rows", [b"1"] * 1_001)] == [500, 500, 1]
    large = list(batches("rows", [b'"' + b"x" * 400_000 + b'"'] * 5))
    assert all(len(body) <= MOST_BYTES + 20 for body in large)
    assert [len(json.loads(body)["rows"]) for body in large] == [2, 2, 1]
    assert [len(json.loads(body)["rows"]) for body in batches("rows", [b"1"] * 25, most=20)] == [20, 5]
    assert list(batches("rows", [])) == []


def test_against_a_service(workspace: Workspace) -> None:
    with serving(workspace.root) as served:
        control = offered(workspace.root)
        assert control is not None
        with Client(served.url) as client, Client(served.url, control.key) as admin:
            assert client.ready().store == "good"
            assert client.recommend("courses", "新 人/1", "car").fallback == "popular"
            rows = [
                Event(event_id=str(n), domain="courses", user="新 人/1", item="课1", kind="view") for n in range(700)
            ]
            assert client.events(iter(rows)).accepted == 700
            told = client.events([*rows[:1], Event(event_id="x", domain="nobody", user="1", item="1", kind="view")])
            assert (told.duplicate, told.rejected) == (1, 1)
            assert client.items([Item(domain="nobody", item="1")]).rejected == 1, "422 is an answer, too"
            assert client.recommend("courses", "新 人/1", "car").fallback == ""
            assert client.similar("courses", "课1", "car", k=3).items
            assert [item.item for item in client.profile("courses", "新 人/1").recent] == ["课1"]
            with pytest.raises(ServiceError) as error:
                client.recommend("courses", "1", "nowhere")
            assert error.value.status == 404
            assert len(error.value.request_id) == 20
            assert "kuajie_requests_total" in admin.metrics()
            made = admin.make_key(KeyRequest(organisation="平台", domains=["courses"]))
            (listed,) = admin.keys()
            assert listed.key_id == made.key_id
            with Client(served.url, made.key) as mine:
                assert mine.recommend("courses", "7", "car").items
                successor = admin.rotate_key(made.key_id, hours=0)
                with pytest.raises(ServiceError) as error:
                    mine.recommend("courses", "7", "car")
                assert error.value.status == 401
            assert admin.revoke_key(successor.key_id).revoked_at


def test_what_is_found_explained_chosen_and_told(workspace: Workspace) -> None:
    service = with_sqlite(workspace)
    service.demo = True
    with wired(service) as (host, port), Client(f"http://{host}:{port}", language="zh") as client:
        client.events([Event(event_id="1", domain="courses", user="新 人", item="课1", kind="purchase")])
        found = client.search("课", "courses", "新 人", k=3, targets=["courses"])
        assert (len(found.items), found.personalised, found.domains[0].count) == (3, True, 20)
        assert found.items[0].matched[0].text == found.items[0].title
        assert client.search("课").list_id == ""
        ranked = client.recommend("courses", "新 人", "car")
        why = client.why(ranked.list_id, ranked.items[0].item)
        assert [path.item for path in why.paths] == ["课1"]
        with pytest.raises(ServiceError, match="404"):
            client.why(ranked.list_id, "没有 & 这个")
        lists = [EditorList(target="car", placement=f"位置{n}", items=("🚗1",)) for n in range(25)]
        assert client.put_editor_lists(lists).accepted == 25
        assert {each.placement for each in client.editor_lists("car")} == {each.placement for each in lists}
        made = client.add_webhook("https://1.1.1.1/", ["model.activated"], "给数据组")
        assert made.secret.startswith("whsec_")
        assert client.webhooks() == [made.webhook]
        assert client.deliveries(made.webhook.webhook_id) == []
        assert client.remove_webhook(made.webhook.webhook_id) == made.webhook.webhook_id
        assert client.webhooks() == []


def test_importing_it_needs_no_extra() -> None:
    import subprocess
    import sys

    from .test_process import ENVIRONMENT

    heavy = "{'starlette', 'uvicorn', 'numpy', 'polars', 'sqlalchemy', 'pydantic', 'prometheus_client', 'numba'}"
    code = f"import sys, kuajie.client; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
