"""Open loop: requests leave by the clock, whether or not earlier ones were answered.

    python -m benchmarks.load.openloop --port 8000 --path /v1/recommend --bodies FILE --rate 1000 --seconds 10

Each latency counts from the moment when the request should have left (no coordinated omission): a request that waits
for a free connection, or for a generator that is late, waits in its latency. A process of its own; prints JSON.
"""

import argparse
import asyncio
import json
import math
from collections import deque
from pathlib import Path

from benchmarks.load.figures import Tally
from benchmarks.load.wire import Connection, connect, now, requests, run

GIVEN_UP_SECONDS = 10.0
"""After the end, so long answers are waited for."""


class OpenLoop:
    """Sends by the clock over some connections."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._requests = requests(options.path, options.bodies, options.key)
        self._free: list[Connection] = []
        self._waiting: deque[float] = deque()
        self._open = self._sent = self._lost = 0
        self._late: list[float] = []
        self._tally = Tally(0.0)
        self._tasks: set[asyncio.Future[None]] = set()

    async def run(self) -> None:
        options = self._options
        self._free = [await connect(options.host, options.port, self._answered) for _ in range(options.connections)]
        start = self._tally.start = now()
        wanted = round(options.rate * options.seconds)
        while self._sent < wanted:
            due = min(wanted, math.floor((now() - start) * options.rate) + 1)
            for number in range(self._sent, due):
                self._waiting.append(start + number / options.rate)
            self._sent = max(self._sent, due)
            self._leave()
            await asyncio.sleep(max(0.0, start + self._sent / options.rate - now()))
        seconds = now() - start
        until = now() + GIVEN_UP_SECONDS
        while self._open + len(self._waiting) > 0 and now() < until:
            await asyncio.sleep(0.02)
        result = self._tally.result(seconds)
        late = sorted(self._late)
        result |= {
            "rate": options.rate,
            "connections": options.connections,
            "unanswered": self._open + len(self._waiting),
            "left_late_p99_ms": round(1_000 * late[int(0.99 * (len(late) - 1))], 2),
        }
        print(json.dumps(result), flush=True)

    def _leave(self) -> None:
        while self._waiting and self._free:
            connection = self._free.pop()
            if not connection.usable:
                self._replace()
                continue
            due = self._waiting.popleft()
            self._late.append(now() - due)
            self._open += 1
            connection.send(next(self._requests), due)

    def _answered(self, connection: Connection, status: int, due: float) -> None:
        self._tally.add(status, due, now())
        self._open -= 1
        if connection.usable:
            self._free.append(connection)
            if self._waiting:
                self._leave()
        else:
            self._replace()

    def _replace(self) -> None:
        async def again() -> None:
            for _ in range(100):
                try:
                    self._free.append(await connect(self._options.host, self._options.port, self._answered))
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    self._leave()
                    return

        task = asyncio.ensure_future(again())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--key")
    run(OpenLoop(parser.parse_args()).run())


if __name__ == "__main__":
    main()
