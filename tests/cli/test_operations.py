"""The doctor looks around; copies of the store are made while it is written, and put in its place."""

import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kuajie.bootstrap import operational_store
from kuajie.core.records import Event, Organisation
from kuajie.storage.cache.memory import MemoryCache
from kuajie.testing.memory_store import MemoryStore
from kuajie.workflows import surroundings as looked
from kuajie.workflows.issuing import Wish, issue
from kuajie.workflows.keys import new_key
from kuajie.workflows.receive import EventRules, receive
from kuajie.workflows.stores import Finding
from kuajie.workflows.surroundings import surroundings
from kuajie.workflows.workspace import Workspace

from .conftest import write_planted

NOW = datetime.now(UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return write_planted(tmp_path)


def event(number: int) -> Event:
    return Event(event_id=f"事件{number}", domain="courses", user="张三", item="课1", kind="view", occurred_at=NOW)


def ids(folder: Path) -> list[str]:
    store = operational_store(Workspace.open(folder), write=False)
    try:
        return [row.event.event_id for row in store.events.after(0)]
    finally:
        store.close()


def test_a_copy_is_made_while_the_store_is_written(kuajie: Callable[..., Any], workspace: Path) -> None:
    store = operational_store(Workspace.open(workspace))
    stop, acknowledged = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            number = len(acknowledged)
            store.events.append([event(number)], NOW)
            acknowledged.append(f"事件{number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(acknowledged) < 20:
            pass
        before = list(acknowledged)
        made = kuajie("store", "backup", workspace / "副本.db", "-w", workspace, "--json")
        assert made.code == 0, made.err
        again = kuajie("store", "backup", workspace / "副本.db", "-w", workspace)
        held = kuajie("store", "restore", workspace / "副本.db", "-w", workspace)
    finally:
        stop.set()
        writer.join()
        store.close()
    assert (again.code, "exists already" in again.err) == (2, True)
    assert (held.code, "another process" in held.err) == (1, True)
    assert made.data["bytes"] == (workspace / "副本.db").stat().st_size
    assert len(ids(workspace)) == len(acknowledged)
    restored = kuajie("store", "restore", workspace / "副本.db", "-w", workspace, "--lang", "zh")
    assert restored.code == 0, restored.err
    there = ids(workspace)
    assert there[: len(before)] == before, "what was acknowledged before it began"
    assert there == acknowledged[: len(there)], "one moment, and nothing of the time after it"
    assert kuajie("store", "backup", workspace / "次.db", "-w", workspace, "--lang", "zh").out.count("已检查") == 1


def test_what_is_no_copy_changes_nothing(kuajie: Callable[..., Any], workspace: Path) -> None:
    store = operational_store(Workspace.open(workspace))
    store.events.append([event(1)], NOW)
    store.close()
    (workspace / "坏.db").write_bytes(b"x" * 10_000)
    with closing(sqlite3.connect(workspace / "别的.db")) as other:
        other.execute("CREATE TABLE a (b)")
    for name, said in (("坏.db", "not a database"), ("别的.db", "no store of kuajie"), ("没有.db", "no file")):
        seen = kuajie("store", "restore", workspace / name, "-w", workspace)
        assert (seen.code > 0, said in seen.err) == (True, True), seen.err
    assert ids(workspace) == ["事件1"]
    assert not list(workspace.glob(".*.draft*"))
    assert kuajie("store", "mend", workspace / "坏.db", "-w", workspace).code == 2
    kuajie_toml = workspace / "kuajie.toml"
    kuajie_toml.write_text(
        kuajie_toml.read_text(encoding="utf-8") + '[store]\ndatabase = "mysql+pymysql://a@b/c"\n', encoding="utf-8"
    )
    assert "mysqldump" in kuajie("store", "backup", workspace / "x.db", "-w", workspace).err


def test_a_copy_that_cannot_be_written_is_told_politely(kuajie: Callable[..., Any], workspace: Path) -> None:
    operational_store(Workspace.open(workspace)).close()
    for place in (workspace / "没有" / "x.db", workspace / "kuajie.toml" / "x.db"):
        seen = kuajie("store", "backup", place, "-w", workspace)
        assert (seen.code, "could not be written" in seen.err) == (1, True), seen.err
        assert str(place) in seen.err


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_only_its_owner_reads_a_store(kuajie: Callable[..., Any], workspace: Path) -> None:
    def modes() -> dict[str, int]:
        return {path.name: path.stat().st_mode & 0o777 for path in workspace.glob("*.db*") if path.suffix != ".lock"}

    store = operational_store(Workspace.open(workspace))
    store.events.append([event(1)], NOW)
    assert modes() == dict.fromkeys(("kuajie.db", "kuajie.db-wal", "kuajie.db-shm"), 0o600)
    store.close()
    assert kuajie("store", "backup", workspace / "副本.db", "-w", workspace).code == 0
    assert modes()["副本.db"] == 0o600
    (workspace / "kuajie.db").chmod(0o640)  # somebody has decided otherwise
    operational_store(Workspace.open(workspace)).close()
    assert modes()["kuajie.db"] == 0o640
    assert kuajie("store", "restore", workspace / "副本.db", "-w", workspace).code == 0
    assert modes()["kuajie.db"] == 0o640
    assert ids(workspace) == ["事件1"]


def test_the_quarantine_is_shown_and_replayed(kuajie: Callable[..., Any], workspace: Path) -> None:
    assert "no store yet" in kuajie("store", "quarantine", "-w", workspace).err
    long = {"event_id": "长", "domain": "courses", "user": "张三", "item": "课1", "kind": "play", "value": 90_000}
    bad = {**long, "event_id": "负", "value": -1}
    call = {"type": "track", "event": "Unknown", "userId": "张三"}
    strange = {**long, "event_id": "\u4e8c", "kind": "\x1b[31m"}
    rows = [json.dumps(row).encode() for row in (long, bad, call, strange)]
    held = operational_store(Workspace.open(workspace))
    try:
        receive(held.events, rows, EventRules(("courses", "car")), NOW).result(5)
        seen = kuajie("store", "quarantine", "-w", workspace, "--json")
        assert seen.code == 0, seen.err
        refused = kuajie("store", "replay", "-w", workspace)
        assert (refused.code, "stop the other one" in refused.err) == (1, True), refused.err
    finally:
        held.close()
    assert seen.data["rows"] == 4
    assert {"domain": "courses", "reason": "value is negative", "rows": 1} in seen.data["reasons"]
    assert json.loads(seen.data["newest"][1]["bad"]["raw"]) == call
    told = kuajie("store", "quarantine", "-w", workspace, "--domain", "courses", "--newest", 1, "--lang", "zh")
    assert "隔离区中有 3 行" in told.out
    assert "value 为负数" in told.out
    assert "\x1b" not in told.out
    toml = workspace / "kuajie.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + "[cleaning]\nmax_value = { play = 100000 }\n", encoding="utf-8")
    done = kuajie("store", "replay", "-w", workspace, "--json")
    assert done.data == {"rows": 4, "stored": 1, "duplicates": 0, "wrong": 1, "no_events": 2}
    assert ids(workspace) == ["长"]
    assert "1 行仍不正确" in kuajie("store", "replay", "-w", workspace, "--domain", "courses", "--lang", "zh").out
    for wrong in (("quarantine", workspace / "x"), ("backup",), ("replay", "--domain", "没有")):
        assert kuajie("store", *wrong, "-w", workspace).code == 2


def test_a_port_that_is_taken_is_named(
    kuajie: Callable[..., Any], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        seen = kuajie("serve", "-w", trained, "--port", port)
        assert (seen.code, f"127.0.0.1:{port}: Address already in use" in seen.err) == (1, True), seen.err
        assert "--port" in seen.err
        assert "地址已被占用" in kuajie("serve", "-w", trained, "--port", port, "--lang", "zh").err
        monkeypatch.setenv("KUAJIE_STORE__DATABASE", "mysql+pymysql://a@127.0.0.1:1/b")
        several = kuajie("serve", "-w", trained, "--port", port, "--workers", 2)
        assert (several.code, f"127.0.0.1:{port}: Address already in use" in several.err) == (1, True), several.err


class Deaf(MemoryCache):
    """Redis that does not answer."""

    def get(self, name: str) -> None:
        return None


def look(folder: Path, **other: Any) -> dict[str, Finding]:
    store = other.pop("store", MemoryStore())
    told = surroundings(
        Workspace.open(folder),
        **{
            "store_of": lambda _: store,
            "cache_of": lambda _: MemoryCache(),
            "ready": lambda _: "v1",
            "now": NOW,
            "environment": {},
            **other,
        },
    )
    return {finding.name: finding for finding in told}


KEYS = "there are keys for those who are to be answered"
PORT = "the port is free, or the service answers there"


def test_the_doctor_looks_for_keys(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUAJIE_SERVICE__PORT", "0")
    assert look(workspace)[KEYS].ok
    assert "demo mode" in look(workspace)[KEYS].detail
    monkeypatch.setenv("KUAJIE_SERVICE__HOST", "0.0.0.0")
    assert not look(workspace)[KEYS].ok, "nobody could be answered"
    store = MemoryStore()
    store.access.put_organisation(Organisation(organisation_id="平台", name="平台", created_at=NOW))
    _, old = new_key("平台", "secret", NOW, expires_at=NOW - timedelta(days=1))
    store.access.add_key(old)
    assert not look(workspace, store=store)[KEYS].ok
    issue(store.access, ["courses"], Wish("平台", days=3), NOW)
    found = look(workspace, store=store)[KEYS]
    assert (found.ok, "1 keys of 1 organisations; within 14 days expire: " in found.detail) == (True, True)


def test_the_doctor_looks_at_disk_clock_redis_and_environment(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, kuajie: Callable[..., Any]
) -> None:
    monkeypatch.setenv("KUAJIE_SERVICE__PORT", "0")
    assert kuajie("import", "-w", workspace).code == 0
    found = look(workspace, environment={"KUAJIE_SERVICE__PORT": "0", "KUAJIE_STORE__REDIS": "", "HOME": "/"})
    assert found["settings from the environment"].detail == "KUAJIE_SERVICE__PORT"
    assert found["the clock is not behind"].ok
    assert "Redis keeps what it is given" not in found
    assert not look(workspace, now=NOW - timedelta(days=1))["the clock is not behind"].ok
    monkeypatch.setattr(looked, "LEAST_BYTES", 1 << 62)
    assert not look(workspace)["the disk has room"].ok
    monkeypatch.setenv("KUAJIE_STORE__REDIS", "redis://127.0.0.1:1/0")
    assert look(workspace)["Redis keeps what it is given"].ok
    assert not look(workspace, cache_of=lambda _: Deaf())["Redis keeps what it is given"].ok


@pytest.fixture
def stranger() -> Iterator[int]:
    """Something that answers, and is no kuajie."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_doctor_asks_who_is_at_the_port(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, kuajie: Callable[..., Any], stranger: int
) -> None:
    monkeypatch.setenv("KUAJIE_SERVICE__PORT", str(stranger))
    assert "with the model v1" in look(workspace)[PORT].detail
    assert not look(workspace, ready=lambda _: None)[PORT].ok
    told = {each["name"]: each for each in kuajie("doctor", "-w", workspace, "--json").data["findings"]}
    assert (told[PORT]["ok"], "no kuajie answers" in told[PORT]["detail"]) == (False, True)
    assert "不是 kuajie" in "".join(kuajie("doctor", "-w", workspace, "--lang", "zh").out.split("\n")).replace(
        " ", ""
    ).replace("不是kuajie", "不是 kuajie")
