"""Webhooks over HTTP: registered, told, signed, apart from other organisations; and the whole way to a receiver."""

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kuajie.bootstrap import outbound
from kuajie.core.errors import StoreError
from kuajie.core.records import QuarantinedEvent
from kuajie.core.texts import Text
from kuajie.service.background import Messenger
from kuajie.workflows.deploy import Refused
from kuajie.workflows.schedule import LoopLog, Round
from kuajie.workflows.webhooks import KINDS
from kuajie.workflows.workspace import Workspace

from .conftest import NOW, Running
from .test_process import Served, serving

URL = "https://1.1.1.1/kuajie"
ACCOUNT = {"domain": "courses", "user": "0007"}
NO = {"account": ACCOUNT, "personalised": False, "changed_at": "2026-11-01T08:00:00Z"}


def hook(running: Running, token: str | None = None, *kinds: str, url: str = URL) -> Any:
    return running.post("/v1/webhooks", {"url": url, "kinds": list(kinds), "description": "给数据组"}, token)


def waiting(running: Running, made: Any, token: str | None = None) -> list[dict[str, Any]]:
    """The bodies of what is on its way to a webhook, oldest first."""
    name = made["webhook"]["webhook_id"]
    answer = running.ask("GET", f"/v1/webhooks/{name}/deliveries", token=token)
    assert answer.status_code == 200
    shown = {each["delivery_id"] for each in answer.json()["deliveries"]}
    kept = running.service.store.webhooks.deliveries(name)
    assert shown == {each.delivery_id for each in kept}
    return [json.loads(each.body) for each in reversed(kept)]


def test_a_webhook_is_made_listed_and_removed(running: Running) -> None:
    made = hook(running, None, "model.activated")
    shown = made["webhook"]
    assert made["secret"].startswith("whsec_")
    assert (shown["url"], shown["kinds"], shown["state"]) == (URL, ["model.activated"], "working")
    (listed,) = running.ask("GET", "/v1/webhooks").json()["webhooks"]
    assert listed == shown
    assert "secret" not in json.dumps(listed)
    key = running.service.workspace.root / "webhooks.key"
    assert key.stat().st_mode & 0o777 == 0o600
    removed = running.ask("DELETE", f"/v1/webhooks/{shown['webhook_id']}")
    assert removed.json() == {"removed": shown["webhook_id"]}
    assert running.ask("GET", "/v1/webhooks").json() == {"webhooks": []}
    for method, path in (("DELETE", ""), ("GET", "/deliveries")):
        for name in (shown["webhook_id"], "no", "钩子", "%00", "x" * 300, "a/b"):
            assert running.ask(method, f"/v1/webhooks/{name}{path}").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://1.1.1.1/", "https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/latest/meta-data",
        "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://user:secret@1.1.1.1/", "https://1.1.1.1:6379/",
        "https://0x7f000001/", "https://no-such-host.invalid/", "x", "",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(fast: Running, url: str) -> None:
    answer = fast.ask("POST", "/v1/webhooks", {"url": url}, **{"Accept-Language": "zh"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(("URL ", "端口 "))
    assert fast.service.store.webhooks.webhooks() == []


def test_what_else_is_refused(fast: Running) -> None:
    for body in ({}, {"url": 5}, {"url": URL, "kinds": ["no.such"]}, {"url": URL, "secret": "x"}, {"url": "x" * 3_000}):
        fast.post("/v1/webhooks", body, status=400)
    for _ in range(20):
        hook(fast)
    assert "20" in fast.post("/v1/webhooks", {"url": URL}, status=400)["error"]
    fast.service.outbound = None
    fast.post("/v1/webhooks", {"url": URL}, status=404)


def test_the_master_secret(workspace: Workspace, fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    told = outbound(workspace, {"KUAJIE_WEBHOOK_SECRET": "m" * 32})
    assert told.master() == b"m" * 32
    assert not (workspace.root / "webhooks.key").exists()
    assert outbound(workspace, {}).master() == outbound(workspace, {}).master()
    fast.service.outbound = outbound(workspace, {"KUAJIE_WEBHOOK_SECRET": "short"})
    refused = fast.post("/v1/webhooks", {"url": URL}, status=503)
    assert "short" not in json.dumps(refused)
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError("read only")))
    (workspace.root / "webhooks.key").unlink()
    fast.service.outbound = outbound(workspace, {})
    fast.post("/v1/webhooks", {"url": URL}, status=503)
    assert not list(workspace.root.glob(".webhooks*"))


def test_organisations_are_apart(fast: Running, token: Callable[..., str]) -> None:
    ours, theirs = token("courses"), token("car")
    made, other = hook(fast, ours), hook(fast, theirs)
    assert [each["webhook_id"] for each in fast.ask("GET", "/v1/webhooks", token=theirs).json()["webhooks"]] == [
        other["webhook"]["webhook_id"]
    ]
    name = made["webhook"]["webhook_id"]
    unknown = fast.ask("DELETE", "/v1/webhooks/wh_0", token=theirs)
    refused = fast.ask("DELETE", f"/v1/webhooks/{name}", token=theirs)
    assert refused.status_code == unknown.status_code == 404
    assert refused.json()["error"].replace(name, "wh_0") == unknown.json()["error"]
    assert fast.ask("GET", f"/v1/webhooks/{name}/deliveries", token=theirs).status_code == 404
    assert fast.ask("PUT", "/v1/consents", {"consents": [NO]}, token=ours).status_code == 200
    assert [each["type"] for each in waiting(fast, made, ours)] == ["consent.changed"]
    assert waiting(fast, other, theirs) == []


def test_consents_and_purchases_are_told_before_they_are_acknowledged(running: Running) -> None:
    made = hook(running)
    fast = running
    assert running.ask("PUT", "/v1/consents", {"consents": [NO]}).json()["accepted"] == 1
    ranked = running.recommend("0003")
    place = {"list_id": ranked["list_id"], "item": ranked["items"][0]["item"], "exposure_id": "x"}
    rows = [
        {**place, "event_id": "c", "kind": "click"},
        {**place, "event_id": "p", "kind": "purchase", "value": 9.5},
        {**place, "event_id": "q", "kind": "purchase"},
        {**place, "event_id": "r", "kind": "purchase", "item": "no such"},
    ]
    for _ in range(2):
        fast.post("/v1/feedback", {"feedback": rows})
    told = waiting(running, made)
    assert [each["type"] for each in told] == ["consent.changed", "feedback.recorded"]
    place["list_id"] = place["list_id"].partition(".")[0]
    said = {key: told[1]["data"][key] for key in ("kind", "event_id", "list_id", "user", "target", "item", "value")}
    assert said == {**{k: place[k] for k in ("list_id", "item")}, "kind": "purchase", "event_id": "p", "user": "0003",
                    "target": "car", "value": 9.5}  # fmt: skip
    assert told[0]["data"]["consents"] == [{"domain": "courses", "user": "0007", "personalised": False,
                                            "changed_at": "2026-11-01T08:00:00Z"}]  # fmt: skip


def test_what_cannot_be_queued_is_not_acknowledged(fast: Running) -> None:
    made = hook(fast)
    fast.service.store.webhooks.failure = StoreError("down")  # type: ignore[attr-defined]
    assert fast.ask("PUT", "/v1/consents", {"consents": [NO]}).status_code == 503
    fast.service.store.webhooks.failure = None  # type: ignore[attr-defined]
    assert fast.ask("PUT", "/v1/consents", {"consents": [NO]}).status_code == 200
    assert len(waiting(fast, made)) == 1


def test_models_and_the_quarantine(fast: Running) -> None:
    made = hook(fast)
    service = fast.service
    assert service.outbound is not None
    messenger = Messenger(service, service.outbound)
    messenger.look()
    assert waiting(fast, made) == [], "what served at the start is no news"
    messenger.serving = "earlier"
    service.deployment.refused = Refused("v9", Text("损坏"))
    fast.ask("POST", "/v1/events", {"events": [{"domain": "courses", "event_id": "1"}, {"domain": "fremd"}]})
    for _ in range(2):
        messenger.look()
    told = {each["type"]: each["data"] for each in waiting(fast, made) if each["type"] != "quarantine.grew"}
    assert told["model.activated"]["model_version"] == service.deployment.now.model_version
    assert told["model.activated"]["activated_at"]
    assert (told["model.refused"]["model_version"], told["model.refused"]["reason"]) == ("v9", "损坏")
    grown = [each["data"] for each in waiting(fast, made) if each["type"] == "quarantine.grew"]
    assert sorted((each["domain"], each["rows"]) for each in grown) == [("", 1), ("courses", 1)]
    kept: list[QuarantinedEvent] = service.store.events.quarantined()
    assert len(kept) == 2
    assert set(KINDS) >= set(told)


def test_rounds_of_the_loop(fast: Running) -> None:
    made = hook(fast, None, "loop.finished")
    service, rounds = fast.service, LoopLog(fast.service.workspace.models)
    assert service.outbound is not None
    began = Round(started_at=NOW, outcome="running")
    rounds.keep(began)
    messengers = [Messenger(service, service.outbound) for _ in range(2)]

    def told() -> list[str]:
        for messenger in messengers:
            messenger.look()
        return [each["data"]["outcome"] for each in waiting(fast, made)]

    assert told() == [], "it has not ended"
    rounds.keep(
        msgspec.structs.replace(began, outcome="imported", finished_at=NOW, reason="/srv/secret", snapshot_id="s")
    )
    assert told() == told() == ["imported"]
    assert "secret" not in str(waiting(fast, made))
    later = NOW + timedelta(hours=1)
    rounds.keep(Round(started_at=later, finished_at=later, outcome="skipped"))
    assert told() == ["imported"], "nothing was done"


@dataclass
class Receiver:
    """A server of the organisation, which checks signatures as the documentation says."""

    server: HTTPServer
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/钩子"

    def wait(self, count: int, seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < until, self.got
            time.sleep(0.05)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that answers 500 once, then 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((dict(self.headers), body))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def verified(secret: str, headers: dict[str, str], body: bytes) -> Any:
    """What a receiver does."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    told = b".".join([headers["Webhook-Id"].encode(), headers["Webhook-Timestamp"].encode(), body])
    expected = "v1," + base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    assert hmac.compare_digest(headers["Webhook-Signature"], expected)
    assert abs(time.time() - int(headers["Webhook-Timestamp"])) < 300
    return json.loads(body)


def configured(folder: Path, text: str) -> None:
    config = folder / "kuajie.toml"
    config.write_text(config.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_the_whole_way_also_when_the_process_is_killed(workspace: Workspace, receiver: Receiver) -> None:
    configured(workspace.root, "[webhooks]\nloopback = true\n")
    receiver.statuses = [500]
    with serving(workspace.root) as served:
        status, made = served.ask("/v1/webhooks", {"url": receiver.url, "kinds": ["consent.changed"]})
        assert status == 200, made
        assert served.ask("/v1/consents", {"consents": [NO]}, "PUT")[0] == 200
        receiver.wait(1)
        name = made["webhook"]["webhook_id"]
        (tried,) = deliveries(served, name, "status", 500)
        assert (tried["state"], tried["tries"], tried["problem"]) == ("waiting", 1, "it answered 500")
        served.process.kill()
    with serving(workspace.root) as served:
        receiver.wait(2)
        (told, again) = (verified(made["secret"], *each) for each in receiver.got)
        assert told == again
        assert (told["type"], told["data"]["consents"][0]["user"]) == ("consent.changed", "0007")
        assert {headers["Webhook-Id"] for headers, _ in receiver.got} == {tried["delivery_id"]}
        (settled,) = deliveries(served, name, "state", "delivered")
        assert (settled["tries"], settled["status"]) == (2, 200)
        until = time.monotonic() + 20
        while served.ask("/v1/webhooks", method="GET")[1]["webhooks"][0]["state"] != "working":
            assert time.monotonic() < until, "one success forgives"
            time.sleep(0.1)


def deliveries(served: Served, name: str, key: str, value: object) -> Any:
    """What is on its way, as soon as it is like this."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = served.ask(f"/v1/webhooks/{name}/deliveries", method="GET")[1]["deliveries"]
        if all(each[key] == value for each in found):
            return found
        time.sleep(0.1)
    raise AssertionError(found)
