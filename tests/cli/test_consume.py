"""`kuajie consume` as a process: killed in mid-stream, again and again, and every event is there exactly once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

import kuajie as package
from kuajie.bootstrap import operational_store
from kuajie.testing.servers import Server
from kuajie.workflows.workspace import Workspace

from .conftest import Outcome

COMMAND = (sys.executable, "-c", "from kuajie.cli.main import run; run()", "consume", "--lang", "zh")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1]), "LANG": "C.UTF-8"}
TOML = """
[domains.courses]
title = "课程"
[[domains.courses.events]]
path = "courses.csv"

[consume]
url_env = "KUAJIE_STREAM"
stream = "事件"
claim_seconds = 0.5
batch = 20
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kuajie.toml").write_text(TOML, encoding="utf-8")
    return tmp_path


@pytest.fixture
def client(redis_server: Server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


def start(folder: Path, server: Server, *arguments: str) -> subprocess.Popen[str]:
    environment = {**ENVIRONMENT, "KUAJIE_STREAM": server.url}
    command = [*COMMAND, "--workspace", str(folder), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def send(client: redis.Redis, numbers: range) -> None:
    with client.pipeline(transaction=False) as pipe:
        for n in numbers:
            event = {
                "event_id": f"e{n}",
                "domain": "courses",
                "user": f"用户{n % 7}",
                "item": f"课{n % 11}",
                "kind": "view",
            }
            pipe.xadd("事件", {"event": json.dumps(event)})
        pipe.execute()


def stored(folder: Path) -> list[str]:
    store = operational_store(Workspace.open(folder), write=False)
    try:
        found, last = [], 0
        while rows := store.events.after(last):
            found += [row.event.event_id for row in rows]
            last = rows[-1].sequence
        return found
    finally:
        store.close()


def pending(client: redis.Redis) -> int:
    return int(client.xpending("事件", "kuajie")["pending"])


def killed_in_the_middle(folder: Path, client: redis.Redis, server: Server, kills: int, events: int) -> None:
    send(client, range(events))
    client.xadd("事件", {"event": "{"})
    (folder / "kuajie.db").unlink(missing_ok=True)
    for _ in range(kills):
        process = start(folder, server)
        until, before = time.monotonic() + 60, delivered(client)
        while delivered(client) < before + 40 and process.poll() is None:
            assert time.monotonic() < until, process.stderr
            time.sleep(0.002)
        process.kill()
        process.communicate()
    assert set(stored(folder)) != {f"e{n}" for n in range(events)}, "the kills came in the middle"
    time.sleep(0.6)
    process = start(folder, server, "--once", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["accepted"] > 0
    found = stored(folder)
    assert sorted(found) == sorted(f"e{n}" for n in range(events)), "every event exactly once"
    assert pending(client) == 0
    store = operational_store(Workspace.open(folder), write=False)
    assert len(store.events.quarantined()) == 1
    store.close()


def delivered(client: redis.Redis) -> int:
    """How far the group has read."""
    groups = client.xinfo_groups("事件")
    return int(groups[0].get("entries-read") or 0) if groups else 0


def test_killed_in_mid_stream(folder: Path, client: redis.Redis, redis_server: Server) -> None:
    killed_in_the_middle(folder, client, redis_server, kills=2, events=2_000)


@pytest.mark.slow
def test_killed_twenty_times_in_mid_stream(folder: Path, client: redis.Redis, redis_server: Server) -> None:
    killed_in_the_middle(folder, client, redis_server, kills=20, events=10_000)


def test_it_stops_when_it_is_told_to(folder: Path, client: redis.Redis, redis_server: Server) -> None:
    send(client, range(5))
    process = start(folder, redis_server)
    until = time.monotonic() + 60
    while not client.exists("事件") or not client.xinfo_groups("事件") or pending(client) or delivered(client) < 5:
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "接收 5 条" in out
    assert client.xinfo_consumers("事件", "kuajie") == [], "it owes nothing and says goodbye"


def test_what_is_wrong_is_said_in_a_sentence(folder: Path, kuajie: Callable[..., Outcome]) -> None:
    for wrong in (
        kuajie("consume", "--from", "http://x", "-w", folder),
        kuajie("consume", "-w", folder, "--lang", "zh"),
    ):
        assert wrong.code == 2
        assert "[consume]" in wrong.err
        assert "Traceback" not in wrong.err
