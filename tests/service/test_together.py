"""Many at once: threads of one process, processes over one database, a store that hangs."""

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kuajie.bootstrap import operational_store
from kuajie.core.records import Account, Event
from kuajie.testing.servers import Server
from kuajie.workflows.workspace import Workspace

from .conftest import NOW, Running
from .test_process import COMMAND, ENVIRONMENT, Served


def test_an_acknowledged_event_is_always_in_the_next_history(fast: Running) -> None:
    """Loads, events and forgotten people race; what was learned is never missing."""
    service = fast.service
    live, events = service.deployment.now.live, service.store.events
    account = Account(domain="courses", user="竞争")
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            live.forget([account])

    def tell(sender: int) -> int:
        missing = 0
        for number in range(60):
            event = Event(
                event_id=f"{sender}-{number}", domain="courses", user="竞争", item="课1", kind="view", occurred_at=NOW
            )
            events.append([event], NOW)
            live.learn([event])
            person = live.ready(account, NOW) or live.load(account, NOW)
            missing += ("courses", event.event_id) not in person.events
        return missing

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        with ThreadPoolExecutor(6) as senders:
            assert sum(senders.map(tell, range(6))) == 0
    finally:
        stop.set()
        disturber.join()


def test_a_store_that_hangs_does_not_hang_the_lists(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    freed = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        freed.wait(20)
        return []

    with monkeypatch.context() as slow:
        slow.setattr(fast.service.store.catalogue, "links_of", hang)
        slow.setattr(fast.service.store.events, "after", hang)
        started = time.monotonic()
        ranked = fast.recommend("0011")
        assert time.monotonic() - started < 5
        assert (ranked["degraded"], ranked["fallback"]) == (True, "")
        time.sleep(1.5)  # the look at the tail is late by now
        started = time.monotonic()
        assert fast.recommend("0012")["degraded"]
        assert time.monotonic() - started < 0.5, "it is not even tried"
        freed.set()
    until = time.monotonic() + 5
    while fast.recommend("0012")["degraded"] and time.monotonic() < until:
        time.sleep(0.1)
    assert not fast.recommend("0012")["degraded"]


def test_two_processes_over_one_database_know_the_same(workspace: Workspace, mariadb: Server) -> None:
    config = workspace.root / "kuajie.toml"
    section = '[store]\ndatabase_env = "STORE_URL"\n'
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    environment = {**ENVIRONMENT, "STORE_URL": mariadb.new_database()}
    command = [*COMMAND, "serve", "-w", str(workspace.root), "--lang", "en"]
    ports = [free_port(), free_port()]
    single = subprocess.Popen([*command, "--port", str(ports[0])], env=environment, stdout=subprocess.DEVNULL)
    pair = subprocess.Popen(
        [*command, "--port", str(ports[1]), "--workers", "2"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        one, many = (
            Served(process, f"http://127.0.0.1:{port}", "") for process, port in zip((single, pair), ports, strict=True)
        )
        for served in (one, many):
            wait_for(served)
        for _ in range(8):
            assert many.recommend("两处")["fallback"] == "popular"
        event = {"event_id": "一", "domain": "courses", "user": "两处", "item": "课1", "kind": "purchase"}
        assert one.ask("/v1/events", event)[1]["accepted"] == 1
        assert not one.recommend("两处")["fallback"]
        time.sleep(1)
        assert not [served for served in [many] * 12 if served.recommend("两处")["fallback"]], "within a second"
        assert many.ask("/v1/events", event)[1]["duplicate"] == 1
    finally:
        for process in (single, pair):
            process.send_signal(signal.SIGTERM)
        for process in (single, pair):
            process.wait(30)
    assert single.returncode == 0
    store = operational_store(Workspace.open(workspace.root), environment={**os.environ, **environment})
    try:
        assert len(store.events.after(0)) == 1
    finally:
        store.close()


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(served: Served) -> None:
    for _ in range(300):
        try:
            if served.ask("/health/ready")[0] == 200:
                return
        except OSError:
            assert served.process.poll() is None
            time.sleep(0.1)
    raise AssertionError("it does not answer")
