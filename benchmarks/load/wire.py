"""HTTP on kept connections, as little of it as a load generator needs."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count, cycle
from pathlib import Path
from typing import cast

from benchmarks.load.bodies import UNUSED

Answered = Callable[["Connection", int, float], None]


def requests(path: str, bodies: Path, key: str | None = None) -> Iterator[bytes]:
    """Whole requests, for ever."""
    lines = ["Host: 127.0.0.1", "Content-Type: application/json"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    head = "\r\n".join((f"POST {path} HTTP/1.1", *lines, "Content-Length: ")).encode()
    place, fresh, prefix = UNUSED.encode(), count(), uuid.uuid4().hex[:12]
    for body in cycle(bodies.read_bytes().splitlines()):
        parts = body.split(place)
        sent = parts[0] + b"".join(f"{prefix}-{next(fresh)}".encode() + part for part in parts[1:])
        yield head + str(len(sent)).encode() + b"\r\n\r\n" + sent


class Connection(asyncio.Protocol):
    """One request at a time.

    Args:
        answered: told the status (0: the connection broke) and when the request should have been sent.
    """

    transport: asyncio.Transport

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._received = b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    @property
    def usable(self) -> bool:
        return not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            head = data[:end].lower()
            start = head.index(b"content-length: ") + 16
            stop = head.find(b"\r\n", start)
            if len(data) >= end + 4 + int(head[start : stop if stop > 0 else None]):
                self._received = b""
                self._end(int(data[9:12]))
                return
        self._received = data

    def connection_lost(self, error: Exception | None) -> None:
        if self._due is not None:
            self._end(0)

    def _end(self, status: int) -> None:
        due, self._due = self._due, None
        assert due is not None
        self._answered(self, status, due)


async def connect(host: str, port: int, answered: Answered) -> Connection:
    """An open connection."""
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(answered), host, port)
    return connection


def run(main: "asyncio._CoroutineLike[None]") -> None:
    """Run on uvloop where there is one."""
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(main)
    else:
        uvloop.run(main)


now = time.perf_counter
