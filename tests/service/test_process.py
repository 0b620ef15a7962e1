"""`kuajie serve` as a process of its own: it answers, learns, closes half-open connections, and drains."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import kuajie
from kuajie.bootstrap import operational_store
from kuajie.core.records import Account
from kuajie.service.app import make_app
from kuajie.workflows.list_ids import plain
from kuajie.workflows.workspace import Workspace

from .conftest import with_sqlite

COMMAND = (sys.executable, "-c", "from kuajie.cli.main import run; run()")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(kuajie.__file__).parents[1]), "LANG": "C.UTF-8"}


@dataclass
class Served:
    process: subprocess.Popen[str]
    url: str
    said: str

    def ask(self, path: str, body: Any = None, method: str | None = None, **headers: str) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, told, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def recommend(self, user: str) -> Any:
        status, ranked = self.ask("/v1/recommend", {"domain": "courses", "user": user, "target": "car", "k": 5})
        assert status == 200
        return ranked

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Served]:
    command = [*COMMAND, "serve", "--workspace", str(folder), "--port", "0", "--lang", "zh", *arguments]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    patience = threading.Timer(60, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while sum("curl" in line for line in lines) < 2:
            line = process.stdout.readline()
            if not line:
                raise AssertionError(process.stderr.read() if process.stderr else "")
            lines.append(line)
        said = "".join(lines)
        found = re.search(r"http://[\d.]+:\d+", said)
        assert found, said
        patience.cancel()
        yield Served(process, found[0], said)
    finally:
        patience.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_whole_service(workspace: Workspace) -> None:
    with serving(workspace.root) as served:
        assert "curl" in served.said
        assert f"演示页面：{served.url}/demo" in served.said
        before = served.recommend("新人")
        assert before["fallback"] == "popular"
        event = {"event_id": "一", "domain": "courses", "user": "新人", "item": "课1", "kind": "purchase"}
        assert served.ask("/v1/events", event)[1]["accepted"] == 1
        after = served.recommend("新人")
        assert (after["fallback"], after["items"] != before["items"]) == ("", True)
        chinese = {"Accept-Language": "zh"}
        assert served.ask("/nothing", method="GET", **chinese)[0] == 404
        status, failure = served.ask("/v1/recommend", {"domain": "courses"}, **chinese)
        assert (status, failure["do"][:3]) == (400, "请改正")
        with pytest.raises(subprocess.CalledProcessError) as second:
            subprocess.run(
                [*COMMAND, "serve", "-w", str(workspace.root), "--port", "0"],
                env=ENVIRONMENT, check=True, capture_output=True, text=True,
            )  # fmt: skip
        assert "another process" in second.value.stderr
        assert "Traceback" not in second.value.stderr
        served.process.send_signal(signal.SIGTERM)
        out, err = served.process.communicate(timeout=30)
        assert served.process.returncode == 0
        assert "已停止" in out
        assert "演示模式" in err
    store = operational_store(workspace, write=False)
    try:
        assert [row.event.event_id for row in store.events.after(0)] == ["一"]
        ranked = store.shown.ranked_list(plain(after["list_id"]))
        assert ranked is not None
        assert ranked.account == Account(domain="courses", user="新人"), "the queued list was stored before the end"
    finally:
        store.close()


def test_requests_end_before_the_process_does_and_slow_ones_are_refused(workspace: Workspace) -> None:
    config = workspace.root / "kuajie.toml"
    section = "[service]\nheader_seconds = 1.0\nbody_seconds = 2.0\n"
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    with serving(workspace.root) as served:
        half_open = [socket.create_connection(served.address) for _ in range(200)]
        for place, connection in enumerate(half_open):
            if place % 2:
                connection.sendall(b"POST /v1/events HTTP/1.1\r\nHost: 127.0")
        assert served.recommend("0007")["items"], "others are answered meanwhile"
        closed = [closes(connection) for connection in half_open]
        assert all(closed)
        slow = socket.create_connection(served.address)
        slow.sendall(HEAD % 100 + b'{"event')
        assert b" 408 " in everything(slow)
        late = socket.create_connection(served.address)
        body = json.dumps(
            {"event_id": "晚", "domain": "courses", "user": "0007", "item": "课1", "kind": "view"}
        ).encode()
        late.sendall(HEAD % len(body) + body[:10])
        time.sleep(0.3)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        late.sendall(body[10:])
        assert b'"accepted":1' in everything(late)
        served.process.wait(30)
        assert served.process.returncode == 0


HEAD = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def closes(connection: socket.socket) -> bool:
    with connection:
        connection.settimeout(10)
        try:
            return connection.recv(1_000) == b""
        except ConnectionResetError:
            return True


def everything(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    received = b""
    with connection:
        while b"\r\n\r\n" not in received or b"}" not in received:
            part = connection.recv(4_096)
            if not part:
                break
            received += part
    return received


@pytest.mark.slow  # `test_kills.py` has a quicker one
def test_who_is_killed_has_every_acknowledged_event_once(workspace: Workspace) -> None:
    acknowledged: list[str] = []
    with serving(workspace.root) as served:

        def post(sender: int) -> None:
            for number in range(10_000):
                event = {"domain": "courses", "user": f"u{sender}", "item": "课1", "kind": "view"}
                rows = [{**event, "event_id": f"{sender}-{number}-{n}"} for n in range(5)]
                try:
                    status, said = served.ask("/v1/events", {"events": rows})
                except (OSError, ValueError):
                    return
                if status == 200:
                    acknowledged.extend(verdict["id"] for verdict in said["verdicts"])

        senders = [threading.Thread(target=post, args=(sender,)) for sender in range(4)]
        for sender in senders:
            sender.start()
        time.sleep(1.5)
        served.process.kill()
        for sender in senders:
            sender.join()
    store = operational_store(workspace)
    try:
        stored: list[str] = []
        while rows := store.events.after(len(stored)):
            stored += [row.event.event_id for row in rows]
    finally:
        store.close()
    assert len(acknowledged) > 50
    assert len(set(stored)) == len(stored)
    assert set(acknowledged) <= set(stored)


def test_wrong_calls(kuajie: Callable[..., Any], workspace: Workspace) -> None:
    folder = workspace.root
    many = kuajie("serve", "-w", folder, "--workers", 2)
    assert (many.code, "one writing process" in many.err) == (2, True)
    assert "只能有一个写入进程" in kuajie("serve", "-w", folder, "--workers", 2, "--lang", "zh").err
    assert "127.0.0.1" in kuajie("serve", "-w", folder, "--demo", "--host", "0.0.0.0").err
    open_to_all = kuajie("serve", "-w", folder, "--host", "0.0.0.0", "--port", 0)
    assert (open_to_all.code, "kuajie keys create" in open_to_all.err) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = kuajie("serve", "-w", folder, "--port", taken.getsockname()[1])
    assert (busy.code, "Traceback" in busy.err) == (1, False)
    assert busy.err


def test_keys_are_made_listed_and_revoked(kuajie: Callable[..., Any], workspace: Workspace) -> None:
    folder = workspace.root
    made = kuajie("keys", "create", "-w", folder, "--organisation", "平台", "--domains", "courses", "--json").data
    assert made["scopes"] == ["events", "recommend", "catalogue", "people", "webhooks"]
    page = ("--publishable", "--origins", "https://a.example", "--days", 30, "--name", "首页")
    assert kuajie("keys", "create", "-w", folder, "--organisation", "平台", *page).code == 0
    listed = kuajie("keys", "-w", folder, "--json")
    assert [each["kind"] for each in listed.data["keys"]] == ["secret", "publishable"]
    assert made["key"].rpartition("_")[2] not in listed.out
    assert "平台" in kuajie("keys", "list", "-w", folder, "--lang", "zh").out
    for wrong, said in (
        (("create",), "--organisation"),
        (("create", "--organisation", "新"), "name its domains"),
        (("create", "--organisation", "平台", "--domains", "cars"), "car"),
        (("create", "--organisation", "平台", "--publishable"), "needs origins"),
        (("create", "--organisation", "平台", "--scopes", "everything"), "recommend"),
        (("create", "--organisation", "别的", "--domains", "courses"), "belongs"),
        (("revoke",), "revoke KEY"),
        (("revoke", "nothing"), "no key"),
        (("drop",), "keys list"),
    ):
        seen = kuajie("keys", *wrong, "-w", folder)
        assert (seen.code, said in seen.err) == (2, True), seen.err
    with serving(folder) as served:
        assert "演示" not in served.said
        asked = {"domain": "courses", "user": "0007", "target": "car"}
        assert served.ask("/v1/recommend", asked)[0] == 401
        assert served.ask("/v1/recommend", asked, Authorization=f"Bearer {made['key']}")[0] == 200
    assert kuajie("keys", "revoke", made["key_id"], "-w", folder).code == 0
    with TestClient(make_app(with_sqlite(workspace)), base_url="http://127.0.0.1") as client:
        refused = client.post("/v1/recommend", json=asked, headers={"Authorization": f"Bearer {made['key']}"})
    assert refused.status_code == 401
