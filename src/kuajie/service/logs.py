"""Logs: one JSON object a line on standard error, without personal data.

Written with msgspec: structlog's chain of processors costs several times as much for every line and is configured for
the whole process. No line holds a path, a query, a body, a header or the message of an exception, for all of them may
hold ids of people: an exception is its kind and the places in the code that it passed.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import IO, Literal, Protocol

import msgspec

from kuajie.core.clock import system_clock

LogLevel = Literal["off", "errors", "all"]
OURS = ("kuajie", "uvicorn")
MOST_FRAMES = 20


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
    """One line a request.

    Args:
        level: off: none; errors: requests that failed through no fault of their sender (5xx); all.
        stream: takes bytes; left out: standard error.
    """

    def __init__(self, level: LogLevel = "off", stream: IO[bytes] | None = None) -> None:
        self._least = {"off": 1_000, "errors": 500, "all": 0}[level]
        self._stream = stream
        self._encode = msgspec.json.Encoder().encode

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
        stream = self._stream if self._stream is not None else sys.stderr.buffer
        stream.write(self._encode(line) + b"\n")
        stream.flush()


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
