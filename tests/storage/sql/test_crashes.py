"""What is acknowledged is there exactly once, whoever is killed and whenever."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from kuajie.core.errors import StoreError
from kuajie.core.records import Event
from kuajie.testing.servers import Server
from kuajie.testing.stores import NOW, event

from .conftest import Open

APPENDER = Path(__file__).with_name("appender.py")
CALLERS = 16


def append_and_kill(database: str, first: int, seconds: float) -> list[str]:
    """The ids that a process acknowledged before it was killed."""
    command = [sys.executable, str(APPENDER), database, str(first), str(CALLERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.extend(process.stdout))
        reading.start()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        reading.join()
    whole = [line.split() for line in lines if line.endswith("\n")]
    assert {status for _, status in whole} <= {"accepted", "duplicate"}
    return [event_id for event_id, _ in whole]


def everything(store) -> list[str]:
    found: list[str] = []
    last = 0
    while rows := store.events.after(last):
        found += [row.event.event_id for row in rows]
        last = rows[-1].sequence
    return found


def crash(database: str, opening: Open, times: int) -> None:
    """Kill the writer again and again; the next one sends some events of the last one again, as senders do."""
    acknowledged: set[str] = set()
    for round_ in range(times):
        acknowledged.update(append_and_kill(database, round_ * 3, 0.15 + 0.05 * (round_ % 7)))
    assert len(acknowledged) > 10 * times
    store = opening(database)
    counted = Counter(everything(store))
    assert acknowledged <= counted.keys(), "an acknowledged event is missing"
    assert set(counted.values()) == {1}, "an event is there twice"
    assert all(finding.ok for finding in store.check())
    assert store.events.append([event("after")], NOW)[0].status == "accepted"


def test_a_killed_writer_loses_nothing_acknowledged(database: str, opening: Open) -> None:
    crash(database, opening, 2)


@pytest.mark.slow
def test_a_writer_killed_twenty_times(database: str, opening: Open) -> None:
    crash(database, opening, 20)


def test_a_killed_server_loses_nothing_acknowledged(server: Server, opening: Open) -> None:
    """Callers send again what was not acknowledged, as clients do; the service is back within 5 s of the server."""
    store = opening(server.new_database())
    acknowledged: list[str] = []
    ended = threading.Event()

    def work(caller: int) -> None:
        number = 0
        while not ended.is_set():
            row = event(f"{caller}.{number}")
            try:
                store.events.append([row], NOW)
            except StoreError:
                time.sleep(0.05)
                continue
            acknowledged.append(row.event_id)
            number += 1

    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            time.sleep(0.4)
            server.kill()
            time.sleep(0.2)
            server.start()
            before, began = len(acknowledged), time.monotonic()
            while len(acknowledged) < before + 20:
                assert time.monotonic() - began < 5, "it did not recover within 5 s"
                time.sleep(0.01)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    counted = Counter(everything(store))
    assert set(acknowledged) <= counted.keys()
    assert len(acknowledged) == len(set(acknowledged))
    assert set(counted.values()) == {1}


def test_a_connection_that_is_cut_before_the_commit(server: Server, opening: Open) -> None:
    store = opening(server.new_database())
    store.events.append([event("before")], NOW)
    import sqlalchemy as sa

    def cut(transaction, payloads: list[Event]) -> list[None]:
        if server.kind == "postgresql":
            transaction.connection.execute(sa.select(sa.func.pg_terminate_backend(sa.func.pg_backend_pid())))
        else:
            transaction.connection.exec_driver_sql("KILL CONNECTION_ID()")
        return [None for _ in payloads]

    together = [store.events.submit([event("lost")], NOW), store.writer.submit(cut, None)]
    outcomes = [future.exception(20) for future in together]
    assert isinstance(outcomes[1], StoreError)
    kept = [row.event.event_id for row in store.events.after(0)]
    assert ("lost" in kept) == (outcomes[0] is None)
    assert store.events.append([event("next")], NOW)[0].status == "accepted"
