"""The service is killed in the middle of posts, again and again: what it acknowledged is stored exactly once."""

import json
import os
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from kuajie.bootstrap import operational_store
from kuajie.testing.servers import Server
from kuajie.workflows.workspace import Workspace

from .test_process import COMMAND, ENVIRONMENT
from .test_together import free_port

SENDERS, ROWS = 8, 5


@dataclass
class Sent:
    """What senders know: every post, and which of them were acknowledged."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    posts: int = 0
    sure: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, post: int, verdicts: list[dict[str, Any]]) -> None:
        with self.lock:
            self.posts += 1
            self.sure.add(post)
            for verdict in verdicts:
                assert verdict["status"] in {"accepted", "duplicate"}, verdict
                self.acknowledged[verdict["id"]] += verdict["status"] == "accepted"
                self.duplicates += verdict["status"] == "duplicate"


def body(post: int) -> bytes:
    """One post: a batch whose ids belong to it."""
    event = {"domain": "courses", "user": f"u{post % 97}", "item": "课1", "kind": "view"}
    return json.dumps({"events": [{**event, "event_id": f"{post}.{row}"} for row in range(ROWS)]}).encode()


def deliver(port: int, post: int, sent: Sent, connection: HTTPConnection) -> None:
    """Once; raises where nothing was heard."""
    connection.request("POST", "/v1/events", body(post), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    if answer.status == 200:
        sent.note(post, told["verdicts"])
    else:
        assert answer.status == 503, (answer.status, told)


def work(port: int, posts: Iterator[int], sent: Sent, ended: threading.Event) -> None:
    """A sender: sends each post until it is acknowledged or the process is gone, and does not know which arrived."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        for post in posts:
            while post not in sent.sure and not ended.is_set():
                deliver(port, post, sent, connection)
            if ended.is_set():
                return
    except (OSError, HTTPException, ValueError):
        return
    finally:
        connection.close()


@contextmanager
def served(folder: Path, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    command = [*COMMAND, "serve", "-w", str(folder), "--port", str(port), "--lang", "en"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
            yield process, port
        finally:
            process.kill()


def kill_again_and_again(workspace: Workspace, kills: int, posts: int, **environment: str) -> None:
    """In each round some posts are sent, a part of them again, and the process is killed in their middle."""
    told = {**ENVIRONMENT, **environment}
    rng, sent = random.Random(4), Sent()
    for round_ in range(kills):
        with served(workspace.root, told) as (process, port):
            first, most = round_ * posts, (round_ + 1) * posts
            again = [post for post in range(first) if post not in sent.sure][:200]  # what was never answered
            again += rng.sample(sorted(sent.sure), min(20, len(sent.sure)))  # and what was, as careful senders do
            lock = threading.Lock()
            numbers = iter([*again, *range(first, most)])
            sent.sure.difference_update(again)

            def shared(lock: threading.Lock = lock, numbers: Iterator[int] = numbers) -> Iterator[int]:
                while True:
                    with lock:
                        post = next(numbers, None)
                    if post is None:
                        return
                    yield post

            ended = threading.Event()
            senders = [threading.Thread(target=work, args=(port, shared(), sent, ended)) for _ in range(SENDERS)]
            before = sent.posts
            for sender in senders:
                sender.start()
            wanted = before + rng.randrange(len(again) + posts // 4, len(again) + posts * 3 // 4)
            until = time.monotonic() + 60
            while sent.posts < wanted and time.monotonic() < until:
                time.sleep(0.005)
            assert any(sender.is_alive() for sender in senders), "it is killed in the middle"
            process.kill()
            process.wait(20)
            ended.set()
            for sender in senders:
                sender.join(30)
    counted = stored(workspace, told)
    assert set(sent.acknowledged) <= counted.keys(), "an acknowledged event is missing"
    assert set(counted.values()) == {1}, "an event is there twice"
    assert max(sent.acknowledged.values()) == 1, "an event was called new twice"
    assert sent.duplicates, "some were sent again"
    assert sent.posts > kills * posts / 4
    whole = Counter(name.partition(".")[0] for name in counted)
    assert set(whole.values()) == {ROWS}, "a post is stored whole or not at all"


def stored(workspace: Workspace, environment: dict[str, str]) -> Counter[str]:
    """How often each event is in the store, which is sound."""
    store = operational_store(Workspace.open(workspace.root), environment={**os.environ, **environment})
    try:
        assert all(finding.ok for finding in store.check())
        found: Counter[str] = Counter()
        last = 0
        while rows := store.events.after(last):
            found.update(row.event.event_id for row in rows)
            last = rows[-1].sequence
        return found
    finally:
        store.close()


def over(workspace: Workspace, server: Server) -> dict[str, str]:
    config = workspace.root / "kuajie.toml"
    text = config.read_text(encoding="utf-8") + '[store]\ndatabase_env = "STORE_URL"\n'
    config.write_text(text, encoding="utf-8")
    return {"STORE_URL": server.new_database()}


def test_killed_twice_in_the_middle_of_posts(workspace: Workspace) -> None:
    kill_again_and_again(workspace, 2, 400)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_killed_twenty_times_in_the_middle_of_10000_posts(workspace: Workspace) -> None:
    kill_again_and_again(workspace, 20, 10_000)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_killed_over_mariadb(workspace: Workspace, mariadb: Server) -> None:
    kill_again_and_again(workspace, 4, 2_000, **over(workspace, mariadb))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_killed_over_postgresql(workspace: Workspace, postgresql: Server) -> None:
    kill_again_and_again(workspace, 4, 2_000, **over(workspace, postgresql))
