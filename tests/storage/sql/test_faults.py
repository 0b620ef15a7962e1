"""Down, slow, full, exhausted: writes are refused, never acknowledged falsely; nothing hangs; no password is told."""

import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from kuajie.core.errors import BusyError, ConfigError, KuajieError, MissingExtraError, StoreError
from kuajie.storage.sql import writer as writer_module
from kuajie.storage.sql.address import address
from kuajie.storage.sql.engine import Limits
from kuajie.storage.sql.store import SqlStore
from kuajie.storage.sql.tables import counters, events
from kuajie.testing.servers import PASSWORD, Server
from kuajie.testing.stores import NOW, event

from .conftest import Open

IMPATIENT = Limits(connections=1, wait_seconds=0.2, statement_seconds=1, lock_seconds=1)


def test_sqlite_has_one_writer(tmp_path: Path, opening: Open) -> None:
    first = opening("a.db", tmp_path)
    first.events.append([event("1")], NOW)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"is being written by another process \(pid \d+\).*MySQL or PostgreSQL"):
            opening("a.db", tmp_path)
    reader = opening("a.db", tmp_path, write=False)
    first.events.append([event("2")], NOW)
    assert [row.event.event_id for row in reader.events.after(0)] == ["1", "2"]
    with pytest.raises(StoreError, match="opened for reading"):
        reader.events.append([event("3")], NOW)
    first.close()
    assert opening("a.db", tmp_path).events.append([event("3")], NOW)[0].status == "accepted"


def test_a_killed_writer_gives_the_lock_back(tmp_path: Path, opening: Open) -> None:
    code = (
        "import os, sys; from pathlib import Path; from kuajie.storage.sql.address import address;"
        "from kuajie.storage.sql.store import SqlStore; SqlStore.open(address('a.db', None, Path(sys.argv[1])));"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert opening("a.db", tmp_path).check()[0].ok


def test_a_full_queue_says_so_at_once(tmp_path: Path, opening: Open) -> None:
    store = opening("a.db", tmp_path, most_waiting=10)
    go_on, waiting = threading.Event(), threading.Event()

    def wait(transaction, payloads):
        waiting.set()
        go_on.wait(20)
        return payloads

    slow = store.writer.submit(wait, "done")
    waiting.wait(20)
    taken = store.events.submit([event(str(number)) for number in range(9)], NOW)
    with pytest.raises(BusyError, match="9 rows waiting"):
        store.events.submit([event("a"), event("b")], NOW)
    fits = store.events.submit([event("c")], NOW)
    with pytest.raises(BusyError):
        store.events.append([event("d")], NOW)
    go_on.set()
    assert slow.result(20) == "done"
    assert len(taken.result(20)) == 9
    assert fits.result(20)[0].status == "accepted"
    assert len(store.events.after(0)) == 10
    assert len(store.events.append([event(f"large {number}") for number in range(50)], NOW)) == 50


def test_who_waits_too_long_is_told_and_nothing_is_written(
    tmp_path: Path, opening: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opening("a.db", tmp_path)
    go_on, waiting = threading.Event(), threading.Event()

    def wait(transaction, payloads):
        waiting.set()
        go_on.wait(20)
        return payloads

    store.writer.submit(wait, None)
    waiting.wait(20)
    monkeypatch.setattr(writer_module, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(StoreError, match=r"did not answer within 0.1 s"):
        store.events.append([event("late")], NOW)
    monkeypatch.undo()
    go_on.set()
    assert store.events.append([event("1")], NOW)[0].status == "accepted"
    assert [row.event.event_id for row in store.events.after(0)] == ["1"]


def test_closing_writes_what_is_queued(tmp_path: Path, opening: Open) -> None:
    store = opening("a.db", tmp_path)
    futures = [store.events.submit([event(str(number))], NOW) for number in range(500)]
    store.close()
    assert all(future.result(0)[0].status == "accepted" for future in futures)
    with pytest.raises(StoreError, match="is closed"):
        store.events.append([event("x")], NOW)
    assert len(opening("a.db", tmp_path, write=False).events.after(0)) == 500


def test_a_full_disk(tmp_path: Path, opening: Open) -> None:
    store = opening("a.db", tmp_path)
    with store.engines.writing.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")
    large = {"x": "中" * 2_000}
    acknowledged: list[str] = []

    def fill() -> None:
        for number in range(100):
            store.events.append([event(str(number), properties=large)], NOW)
            acknowledged.append(str(number))

    with pytest.raises(StoreError, match="full"):
        fill()
    assert acknowledged
    assert [row.event.event_id for row in store.events.after(0)] == acknowledged
    with store.engines.writing.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert store.events.append([event(str(len(acknowledged)), properties=large)], NOW)[0].status == "accepted"


FULL = """
import resource, sys
from pathlib import Path
from kuajie.core.errors import StoreError
from kuajie.storage.sql.address import address
from kuajie.storage.sql.store import SqlStore
from kuajie.testing.stores import NOW, event
store = SqlStore.open(address("a.db", None, Path(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
number = 0
try:
    while number < 2_000:
        store.events.append([event(str(number), properties={"x": "y" * 500})], NOW)
        number += 1
except StoreError as error:
    print(number, error)
"""


def test_a_file_that_may_not_grow(tmp_path: Path, opening: Open) -> None:
    assert resource.RLIMIT_FSIZE
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    acknowledged, said = done.stdout.split(" ", 1)
    assert "not acknowledged" in said
    kept = [row.event.event_id for row in opening("a.db", tmp_path).events.after(0, most=5_000)]
    assert kept == [str(number) for number in range(int(acknowledged))]


def test_a_database_that_is_down(server: Server, opening: Open) -> None:
    store = opening(server.new_database(), limits=IMPATIENT)
    store.events.append([event("1")], NOW)
    server.stop()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(StoreError, match="not acknowledged") as caught:
            store.events.append([event("2")], NOW)
        with pytest.raises(StoreError):
            store.events.after(0)
        assert time.monotonic() - began < 4
        assert PASSWORD not in str(caught.value)
    finding = store.check()[0]
    assert not finding.ok
    assert PASSWORD not in finding.detail
    server.start()
    assert store.events.append([event("2"), event("1")], NOW)[0].status == "accepted"
    assert [row.event.event_id for row in store.events.after(0)] == ["1", "2"]


def test_a_frozen_mariadb_is_given_up(mariadb: Server, opening: Open) -> None:
    store = opening(mariadb.new_database(), limits=IMPATIENT)
    store.events.append([event("1")], NOW)
    mariadb.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(StoreError):
            store.events.append([event("2")], NOW)
        with pytest.raises(StoreError):
            store.events.after(0)
        assert time.monotonic() - began < 15
    finally:
        mariadb.thaw()
    assert store.events.append([event("2")], NOW)[0].status in {"accepted", "duplicate"}
    assert len(store.events.after(0)) == 2


def test_another_process_that_holds_the_lock_for_too_long(server: Server, opening: Open) -> None:
    store = opening(server.new_database(), limits=IMPATIENT)
    other = sa.create_engine(store.engines.url)
    with other.begin() as connection:
        connection.execute(sa.select(counters.c.value).with_for_update())
        began = time.monotonic()
        with pytest.raises(StoreError):
            store.events.append([event("1")], NOW)
        assert time.monotonic() - began < 5
        assert store.events.after(0) == []
    other.dispose()
    assert store.events.append([event("1")], NOW)[0].status == "accepted"


def test_readers_never_take_the_writers_connection(tmp_path: Path, opening: Open) -> None:
    store = opening("a.db", tmp_path, limits=IMPATIENT)
    with store.reader.connection() as held:
        held.execute(sa.select(events)).fetchall()
        with pytest.raises(BusyError, match="no free connection"):
            store.events.after(0)
        assert store.events.append([event("1")], NOW)[0].status == "accepted"
    assert len(store.events.after(0)) == 1


def test_two_writers_have_one_order(server: Server, opening: Open) -> None:
    """Who reads the tail by sequence misses nothing, although two processes write at once."""
    database = server.new_database()
    stores = [opening(database) for _ in range(2)]
    reader = opening(database, write=False)
    seen: list[str] = []
    wanted = 2 * 4 * 20

    def write(store: SqlStore, name: str) -> None:
        for number in range(20):
            store.events.append([event(f"{name}.{number}"), event(f"shared {number}")], NOW)

    def tail() -> None:
        last, deadline = 0, time.monotonic() + 30
        while len(seen) < wanted + 20 and time.monotonic() < deadline:
            for row in reader.events.after(last):
                last = row.sequence
                seen.append(row.event.event_id)

    threads = [
        threading.Thread(target=write, args=(store, f"{place}-{caller}"))
        for place, store in enumerate(stores)
        for caller in range(4)
    ]
    threads.append(threading.Thread(target=tail))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len(set(seen)) == wanted + 20


@pytest.mark.parametrize("options", ["", "?charset=utf8mb4&password=sesame"])
def test_passwords_are_never_told(
    server: Server, opening: Open, options: str, caplog: pytest.LogCaptureFixture
) -> None:
    if options and server.kind == "postgresql":
        options = "?application_name=sesame"
    wrong = server.new_database().replace(PASSWORD, "sesame-wrong") + options
    with pytest.raises(KuajieError) as caught:
        opening(wrong)
    assert "sesame" not in str(caught.value)
    assert "sesame" not in repr(caught.value)
    assert "sesame" not in caplog.text


@pytest.mark.parametrize(
    ("database", "sentence"),
    [
        ("klingon://user:secret@host/db", "'klingon' is not one of sqlite, mysql"),
        ("mysql+nodriver://user:secret@host/db", "there is no driver"),
        ("mysql://user:secret@host:port/db", "not a URL such as"),
        ("://", "not a URL such as"),
    ],
)
def test_addresses_that_are_none(database: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        SqlStore.open(address(database, None, tmp_path))
    assert "secret" not in str(caught.value)


def test_addresses(tmp_path: Path) -> None:
    assert address("a.db", None, tmp_path).database == str(tmp_path / "a.db")
    assert address("sqlite:///b.db", None, tmp_path).database == str(tmp_path / "b.db")
    assert address("mysql://u:p@h/d", None, tmp_path).drivername == "mysql+pymysql"
    assert address("x", "DB", tmp_path, {"DB": "postgres://h/d"}).drivername == "postgresql+psycopg"
    with pytest.raises(ConfigError, match="DB, which is not set"):
        address("x", "DB", tmp_path, {})


def test_a_missing_driver_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kuajie\[postgres\]"'):
        SqlStore.open(address("postgresql://u:secret@h/d", None, Path()))
