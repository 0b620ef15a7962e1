"""Observing: every request has an id, is counted, and leaves one line in the log; none of it names a person.

The id is the caller's `X-Request-Id` where it is of a strict form, else a new one; the answer carries it back, errors
and every line of the log too. Routes are named by their template, since paths hold the ids of people.
"""

import re
import secrets
import time
from contextvars import ContextVar
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kuajie.service.logs import RequestLog
from kuajie.service.metrics import Metrics
from kuajie.service.tracing import Tracing

GIVEN = re.compile(rb"[A-Za-z0-9._-]{8,64}")
"""A caller's own id that is taken over."""
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"})


class Seen:
    """What is noted of one request.

    Attributes:
        request_id: to find it by.
        route: the template of its path; empty where there is none.
        status: of the answer; 499 where the caller left before.
        organisation, key_id: who asked; empty without a key.
        model_version: that answered.
        refused: why it was told to come again.
    """

    __slots__ = ("key_id", "model_version", "organisation", "refused", "request_id", "route", "seconds", "status")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.route = self.organisation = self.key_id = self.model_version = self.refused = ""
        self.status, self.seconds = 499, 0.0


_NOW: ContextVar[Seen] = ContextVar("kuajie_request")


def seen() -> Seen:
    """What is noted of the request that is being answered here; outside of one, notes that nobody reads."""
    return _NOW.get(None) or Seen("")


class Observer:
    """ASGI middleware around the routes.

    Args:
        app: answers.
        metrics: counts.
        log: takes one line a request.
        tracing: takes one span a request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log: RequestLog, tracing: Tracing) -> None:
        self._app, self._metrics, self._log, self._tracing = app, metrics, log, tracing
        self._prefix, self._numbers = secrets.token_hex(6), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        noted = Seen(self._id(scope["headers"]))
        _NOW.set(noted)  # each request is answered in a context of its own
        named = (b"x-request-id", noted.request_id.encode())

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                noted.status, noted.seconds = message["status"], time.perf_counter() - started
                message["headers"] = [*message["headers"], named]
            await send(message)

        self._metrics.in_progress.inc()
        try:
            with self._tracing.request(scope, noted):
                await self._app(scope, receive, sending)
        finally:
            self._metrics.in_progress.dec()
            self._end(scope["method"], noted, time.perf_counter() - started)

    def _id(self, headers: list[tuple[bytes, bytes]]) -> str:
        for name, value in headers:
            if name == b"x-request-id":
                if GIVEN.fullmatch(value):
                    return value.decode()
                break
        return f"{self._prefix}{next(self._numbers):08x}"

    def _end(self, method: str, noted: Seen, seconds: float) -> None:
        seconds = noted.seconds or seconds
        method = method if method in METHODS else "other"
        self._metrics.answered(method, noted.route or "none", noted.status, seconds)
        if noted.status in {429, 503}:
            self._metrics.refused(noted.refused or "other")
        self._log.request(method, noted, seconds)
