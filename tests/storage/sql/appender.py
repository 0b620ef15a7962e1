"""Appends events to a store until it is killed, and says of each on standard output when it was acknowledged.

Run: python appender.py DATABASE FIRST CALLERS
"""

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from kuajie.core.records import Event
from kuajie.storage.sql.address import address
from kuajie.storage.sql.store import SqlStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main(database: str, first: int, callers: int) -> None:
    store = SqlStore.open(address(database, None, Path()))
    saying = threading.Lock()

    def work(caller: int) -> None:
        number = first
        while True:
            ids = [f"{caller}.{number}.{part}" for part in range(3)]
            rows = [
                Event(event_id=id_, domain="课程", user="张三", item="i", kind="view", occurred_at=NOW) for id_ in ids
            ]
            verdicts = store.events.append(rows, NOW)
            with saying:
                sys.stdout.write("".join(f"{each.id} {each.status}\n" for each in verdicts))
                sys.stdout.flush()
            number += 1

    print("ready", flush=True)
    for caller in range(callers):
        threading.Thread(target=work, args=(caller,)).start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
