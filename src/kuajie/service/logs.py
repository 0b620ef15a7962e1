"""Logs: one JSON object a line on standard error, without personal data.

Written with msgspec: structlog's chain of processors costs several times as much for every line and is configured for
the whole process. No line holds a path, a query, a body, a header or the message of an exception, for all of them may
hold ids of people: an exception is its kind and the places in the code that it passed.
"""

import logging
import sys
import threading
import time
import traceback
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Literal, Protocol

import msgspec

from kuajie.core.clock import system_clock

LogLevel = Literal["off", "errors", "all"]
OURS = ("kuajie", "uvicorn")
MOST_FRAMES = 20
MOST_LINES = 10_000
"""That wait to be written; more are lost, and counted."""
GATHER_SECONDS = 0.05
CLOSE_SECONDS = 2.0


class Noted(Protocol):
    """What is known of a request."""

    request_id: str
    route: str
    status: int
    organisation: str
    key_id: str
    model_version: str
    refused: str


class RequestLine(msgspec.Struct, omit_defaults=True):
    """One request."""

    time: datetime
    level: str
    request_id: str
    method: str
    route: str
    status: int
    ms: float
    organisation: str = ""
    key: str = ""
    model_version: str = ""
    refused: str = ""


class EventLine(msgspec.Struct, omit_defaults=True):
    """Something that happened beside the requests, or within one."""

    time: datetime
    level: str
    logger: str
    message: str
    request_id: str = ""
    exception: str = ""
    at: list[str] = []


class RequestLog:
    """One line a request, written by a thread: whoever reads the lines slowly, or not at all, delays no answer.

    Args:
        level: off: none; errors: requests that failed through no fault of their sender (5xx); all.
        stream: takes bytes; left out: standard error.

    Attributes:
        lost: lines that nobody took in time.
    """

    def __init__(self, level: LogLevel = "off", stream: IO[bytes] | None = None) -> None:
        self._least = {"off": 1_000, "errors": 500, "all": 0}[level]
        self._stream = stream
        self._encode = msgspec.json.Encoder().encode
        self._waiting: deque[bytes] = deque()
        self._some, self._closed = threading.Event(), False
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self.lost = 0

    def request(self, method: str, noted: Noted, seconds: float) -> None:
        """A request was answered."""
        if noted.status < self._least:
            return
        line = RequestLine(
            time=system_clock(),
            level="error" if noted.status >= 500 else "info",
            request_id=noted.request_id,
            method=method,
            route=noted.route,
            status=noted.status,
            ms=round(seconds * 1_000, 3),
            organisation=noted.organisation,
            key=noted.key_id,
            model_version=noted.model_version,
            refused=noted.refused,
        )
        if len(self._waiting) >= MOST_LINES:
            self.lost += 1
            return
        self._waiting.append(self._encode(line))
        if not self._some.is_set():
            self._wake()

    def flush(self) -> None:
        """Write what waits."""
        stream = self._stream if self._stream is not None else sys.stderr.buffer
        with self._writing:
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if lines:
                stream.write(b"\n".join(lines) + b"\n")
                stream.flush()

    def close(self) -> None:
        """Write what waits, if somebody takes it; nobody is waited for long."""
        self._closed = True
        self._some.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _wake(self) -> None:
        self._some.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="kuajie-log", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while not self._closed:
            self._some.wait()
            time.sleep(GATHER_SECONDS)  # so that many lines are one write
            self._some.clear()
            with suppress(OSError, ValueError):  # the stream is closed: there is nobody to tell
                self.flush()
        with suppress(OSError, ValueError):
            self.flush()


class JsonFormatter(logging.Formatter):
    """What the code logs with the standard library."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        from kuajie.service.observing import seen

        line = EventLine(
            time=datetime.fromtimestamp(record.created, UTC),
            level=record.levelname.lower(),
            logger=record.name,
            message=_message(record),
            request_id=seen().request_id,
        )
        if record.exc_info and record.exc_info[1] is not None:
            line.exception, line.at = type(record.exc_info[1]).__name__, places_of(record.exc_info[1])
        return msgspec.json.encode(line).decode()


def log_as_json(stream: IO[str] | None = None) -> None:
    """Let everything that is logged in this process become JSON lines."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("kuajie").setLevel(logging.INFO)


def _message(record: logging.LogRecord) -> str:
    """Of libraries that do not know what must not be said, only what they always say."""
    if record.name.partition(".")[0] in OURS:
        return record.getMessage()
    return (str(record.msg).splitlines() or [""])[0][:200]


def places_of(error: BaseException) -> list[str]:
    """Where an exception has been, the innermost last, without any value."""
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
