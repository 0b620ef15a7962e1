"""Durable events a second: single appends and batches of 20 from 32 concurrent callers, on each database.

    python -m benchmarks.stores [--seconds 5] [--databases sqlite,mariadb,postgresql]

Event ids are random, as clients make them, so that indexes are met in random places. Databases that the machine lacks
are named and left out. Every acknowledged event is counted again at the end.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from benchmarks.measure import Row, show
from kuajie.core.records import Event
from kuajie.storage.sql.address import address
from kuajie.storage.sql.store import SqlStore
from kuajie.storage.sql.tables import events
from kuajie.testing import servers

CALLERS = 32
PEOPLE, ITEMS = 100_000, 1_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOALS = {("sqlite", 1): "2,500", ("sqlite", 20): "15,000"}


def sync_ms(folder: Path) -> float:
    """Median time of an fsync of 4 KiB: what a commit cannot be faster than."""
    times = []
    with (folder / "sync").open("wb") as file:
        for _ in range(50):
            file.write(bytes(4_096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return 1_000 * statistics.median(times)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        yield str(folder / "bench.db")
        return
    with {"mariadb": servers.mariadb, "postgresql": servers.postgresql}[kind]() as server:
        yield server.new_database()


def batch(size: int, seed: int) -> list[Event]:
    """Views of somebody."""
    return [
        Event(
            event_id=uuid.uuid4().hex,
            domain="courses",
            user=f"u{(seed * 7_919 + place * 104_729) % PEOPLE}",
            item=f"i{(seed + place) % ITEMS}",
            kind="view",
            occurred_at=NOW,
        )
        for place in range(size)
    ]


def throughput(store: SqlStore, size: int, seconds: float) -> tuple[float, float, int]:
    """Events a second, the 99th percentile of an append in milliseconds, and how many were acknowledged."""
    taken: list[list[float]] = [[] for _ in range(CALLERS)]
    end = time.perf_counter() + seconds

    def work(caller: int) -> None:
        number = 0
        while time.perf_counter() < end:
            rows = batch(size, caller * 1_000_003 + number)
            start = time.perf_counter()
            verdicts = store.events.append(rows, NOW)
            taken[caller].append(time.perf_counter() - start)
            assert all(verdict.status == "accepted" for verdict in verdicts)
            number += 1

    threads = [threading.Thread(target=work, args=(caller,)) for caller in range(CALLERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - start
    waits = sorted(wait for own in taken for wait in own)
    return len(waits) * size / spent, 1_000 * waits[int(0.99 * (len(waits) - 1))], len(waits) * size


def measure(kind: str, seconds: float) -> Iterator[Row]:
    """One database."""
    with tempfile.TemporaryDirectory(prefix="kuajie-bench-") as temporary:
        folder = Path(temporary)
        yield Row(f"{kind}: fsync of the disk, median", f"{sync_ms(folder):.2f} ms")
        with database(kind, folder) as url:
            store = SqlStore.open(address(url, None, folder))
            total = 0
            for size in (1, 20):
                throughput(store, size, 0.5)  # prepares statements
                with store.reader.connection() as connection:
                    total = connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()
                rate, wait, acknowledged = throughput(store, size, seconds)
                name = "single events" if size == 1 else f"events in batches of {size}"
                yield Row(
                    f"{kind}: {name}, {CALLERS} callers",
                    f"{rate:,.0f}/s, p99 {wait:.0f} ms",
                    GOALS.get((kind, size), ""),
                )
                with store.reader.connection() as connection:
                    stored = connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()
                assert stored == total + acknowledged, "an acknowledged event is missing"
            store.close()


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--databases", default="sqlite,mariadb,postgresql")
    options = parser.parse_args()
    for kind in options.databases.split(","):
        try:
            show(measure(kind, options.seconds))
        except servers.MissingProgram as missing:
            print(missing, file=sys.stderr)


if __name__ == "__main__":
    main()
