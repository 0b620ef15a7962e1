"""The database is frozen, cut off, slow, down, exhausted: lists go on, events are never acknowledged falsely."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.testclient import TestClient

from kuajie.bootstrap import service_of
from kuajie.service.app import make_app
from kuajie.service.calls import Service
from kuajie.testing.proxy import Proxy
from kuajie.testing.servers import Server
from kuajie.workflows.workspace import Workspace

from .conftest import Running

RECOVERY_SECONDS = 5.0
GIVES_UP_SECONDS = 8.0
"""An outage that begins between two statements is met by a ping and by a new connection before somebody is told."""
LIST_SECONDS = 2.0
"""A list that meets the fault first waits for the store for one second."""
STORE = '[store]\ndatabase_env = "STORE_URL"\nconnections = 2\nstatement_seconds = {seconds}\n'


@dataclass
class Witness:
    """Sends events, again until they are acknowledged, and asks for lists; remembers what was said."""

    running: Running
    acknowledged: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    last_good: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def send(self, sender: int) -> None:
        number = 0
        while not self.ended.is_set():
            name = f"{sender}-{number}"
            event = {"event_id": name, "domain": "courses", "user": f"人{sender}", "item": "课1", "kind": "view"}
            answer = self.running.ask("POST", "/v1/events", event)
            self.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                assert answer.json()["rejected"] == 0
                self.acknowledged.append(name)
                self.last_good = time.monotonic()
                number += 1
            else:
                assert answer.status_code == 503, answer.text
                assert answer.headers["retry-after"]
                assert answer.json()["do"]
            time.sleep(0.02)

    def lists(self, seconds: float) -> list[bool]:
        """Ask for lists for so long; whether each was degraded."""
        degraded, until, number = [], time.monotonic() + seconds, 0
        while time.monotonic() < until:
            began = time.monotonic()
            ranked = self.running.recommend(f"{number % 40:04d}")
            assert time.monotonic() - began < LIST_SECONDS
            assert len(ranked["items"]) == 5
            degraded.append(ranked["degraded"])
            number += 1
            time.sleep(0.02)
        return degraded

    def recovers(self) -> float:
        """Seconds until events are stored and lists are whole again."""
        began = time.monotonic()
        while time.monotonic() - began < 3 * RECOVERY_SECONDS:
            if self.last_good > began and not self.running.recommend("0003")["degraded"]:
                return time.monotonic() - began
            time.sleep(0.05)
        pytest.fail("it does not recover")


@contextmanager
def over(workspace: Workspace, url: str, seconds: int) -> Iterator[Running]:
    config = workspace.root / "kuajie.toml"
    config.write_text(config.read_text(encoding="utf-8") + STORE.format(seconds=seconds), encoding="utf-8")
    parts = service_of(Workspace.open(workspace.root), {**os.environ, "STORE_URL": url})
    opened = Workspace.open(workspace.root)
    service = Service(opened, parts.store, parts.cache, parts.deployment, parts.tail, demo=True)
    with TestClient(make_app(service), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield Running(service, client)


def everything(service: Service) -> list[str]:
    found: list[str] = []
    last = 0
    while rows := service.store.events.after(last):
        found += [row.event.event_id for row in rows]
        last = rows[-1].sequence
    return found


@contextmanager
def watched(workspace: Workspace, url: str, seconds: int = 1) -> Iterator[Witness]:
    """A service with senders; at the end, what was acknowledged is in the store exactly once."""
    with over(workspace, url, seconds) as running:
        witness = Witness(running)
        senders = [threading.Thread(target=witness.send, args=(number,)) for number in range(3)]
        for sender in senders:
            sender.start()
        try:
            assert not any(witness.lists(0.5)), "all is well at first"
            yield witness
        finally:
            witness.ended.set()
            for sender in senders:
                sender.join(30)
        counted = Counter(everything(running.service))
        assert set(witness.acknowledged) <= counted.keys(), "an acknowledged event is missing"
        assert set(counted.values()) == {1}, "an event is there twice"
        assert len(witness.acknowledged) == len(set(witness.acknowledged)) > 5


Fault = tuple[Callable[[Proxy, Server], None], Callable[[Proxy, Server], None]]
FAULTS: dict[str, Fault] = {
    "network frozen": (lambda proxy, _: proxy.freeze(), lambda proxy, _: proxy.thaw()),
    "network swallows": (lambda proxy, _: proxy.freeze(), lambda proxy, _: (proxy.reset(), proxy.thaw())),
    "server frozen": (lambda _, server: server.freeze(), lambda _, server: server.thaw()),
    "server refuses": (lambda proxy, _: proxy.refuse(), lambda proxy, _: proxy.accept()),
}


def struck(workspace: Workspace, server: Server, name: str, seconds: float, statement_seconds: int) -> None:
    begin, end = FAULTS[name]
    with Proxy(server.port) as proxy:
        url = proxy.url(server.new_database())
        with watched(workspace, url, statement_seconds) as witness:
            begin(proxy, server)
            before = len(witness.acknowledged)
            try:
                witness.lists(1.5)
                assert all(witness.lists(seconds - 1.5)), "and lists say that something is missing"
                ready = witness.running.ask("GET", "/health/ready").json()
                assert (ready["ready"], ready["store"]) == (True, "down")
                assert len(witness.acknowledged) - before <= 3, "what was on its way when it began"
            finally:
                end(proxy, server)
            took = witness.recovers()
            assert took < RECOVERY_SECONDS, f"{name}: it took {took:.1f} s"
            assert witness.statuses[503] or seconds < GIVES_UP_SECONDS


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server in turn."""
    server: Server = request.getfixturevalue(request.param)
    yield server
    server.revive()


def test_a_network_that_swallows_everything(workspace: Workspace, mariadb: Server) -> None:
    struck(workspace, mariadb, "network swallows", 3.0, 1)


def test_a_frozen_server(workspace: Workspace, postgresql: Server) -> None:
    try:
        struck(workspace, postgresql, "server frozen", 3.0, 1)
    finally:
        postgresql.revive()


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_database_that_says_nothing_for_long(workspace: Workspace, server: Server, name: str) -> None:
    struck(workspace, server, name, 20.0, 5)


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back(workspace: Workspace, server: Server) -> None:
    with watched(workspace, server.new_database(), 5) as witness:
        for _ in range(3):
            server.kill()
            witness.lists(2.0)
            server.start()
            assert witness.recovers() < RECOVERY_SECONDS


def test_connections_that_are_cut(workspace: Workspace, postgresql: Server) -> None:
    with Proxy(postgresql.port) as proxy, watched(workspace, proxy.url(postgresql.new_database())) as witness:
        for _ in range(4):
            time.sleep(0.3)
            proxy.reset()
        assert witness.recovers() < RECOVERY_SECONDS


@pytest.mark.slow
def test_a_database_that_is_slow(workspace: Workspace, server: Server) -> None:
    """Half a second for each way: loads are not waited for, events take their time or are refused."""
    with Proxy(server.port) as proxy, watched(workspace, proxy.url(server.new_database()), 5) as witness:
        proxy.delay = 0.5
        witness.lists(1.5)
        assert any(witness.lists(1.0))
        proxy.delay = 0.0
        assert witness.recovers() < RECOVERY_SECONDS


def test_no_connection_is_free(workspace: Workspace, mariadb: Server) -> None:
    """All of the readers' connections are taken: lists say so, and events have a connection of their own."""
    with watched(workspace, mariadb.new_database()) as witness:
        reader: Any = witness.running.service.store
        with reader.reader.connection(), reader.reader.connection():
            before = len(witness.acknowledged)
            time.sleep(2.5)
            assert any(witness.lists(1.0))
            assert len(witness.acknowledged) > before + 10
        assert witness.recovers() < RECOVERY_SECONDS
