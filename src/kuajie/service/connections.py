"""Connections that end: whoever sends too slowly, says nothing or does not read is let go; uvicorn waits for ever.

headers not whole in `header_seconds`, body not whole in `body_seconds`, answer not read in `READ_SECONDS`, more than
`MOST_PIPELINED` requests before the first was answered -> closed

Where a process has as many connections as it may, a newcomer takes the place of whoever has been half-open for longest.
"""

import sys
from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any

from kuajie.service.overload import GatedProtocol
from kuajie.service.streams import ENDS

READ_SECONDS = 30.0
MOST_PIPELINED = 16
"""Requests that wait behind the one that is answered; each takes more memory than its sender."""
LATER_SECONDS = 2.0
"""So much later than the application, which tells the sender what was wrong."""
SPARE_FILES = 200
"""Files that a process needs for other things than connections."""


class JoiningTransport:
    """A transport that sends what is written in one turn of the loop together: headers and body in one packet."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send soon."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        """Send, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, []
            if not self._transport.is_closing():  # nobody is there any more
                self._transport.writelines(held)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)


class PunctualProtocol(GatedProtocol):
    """HTTP on a connection that does not wait for ever."""

    late: TimerHandle | None = None
    unread: TimerHandle | None = None
    headers_read = waits_for_body = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start to wait for the first headers."""
        super().connection_made(JoiningTransport(transport, self.loop))  # type: ignore[arg-type]
        if self.gate is None:
            return
        self._wait(self.gate.header_seconds)
        if len(self.connections) > self.gate.most_connections:
            oldest: PunctualProtocol = next(iter(self.gate.half_open), self)
            self.gate.half_open.pop(oldest, None)
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read, and wait for the rest where something is missing."""
        super().data_received(data)
        if self.gate is None or self.transport.is_closing():
            return
        if not self.mid_request:
            if self.late is None and self.timeout_keep_alive_task is None and self.is_idle():
                self._keep_alive()  # an empty line is no request, and no reason to stay
        elif self.headers_read:
            if not self.waits_for_body:
                self._stop_waiting()
                self._wait(self.gate.body_seconds + LATER_SECONDS)
                self.waits_for_body = True
        elif self.late is None:
            self._wait(self.gate.header_seconds)

    def on_message_begin(self) -> None:
        """Another request begins."""
        self.headers_read = self.waits_for_body = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are here."""
        self.headers_read = True
        if len(self.pipeline) >= MOST_PIPELINED:
            self.transport.abort()
            raise ConnectionAbortedError  # the parser stops in the middle of what it was given
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here; what follows has its own time."""
        if self.late is not None:
            self._stop_waiting()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The caller does not read."""
        super().pause_writing()
        if self.unread is None:
            self.unread = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The caller reads again."""
        if self.unread is not None:
            self.unread.cancel()
            self.unread = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Stop: an answer may be finished, a stream ends now."""
        super().shutdown()
        scope: dict[str, Any] | None = self.scope  # type: ignore[assignment] # None before the first request
        end = (scope or {}).get(ENDS)
        if end is not None:
            end()

    def _wait(self, seconds: float) -> None:
        self.late = self.loop.call_later(seconds, self._give_up)
        if self.gate is not None:
            self.gate.half_open[self] = None

    def _stop_waiting(self) -> None:
        if self.late is not None:
            self.late.cancel()
            self.late = None
        if self.gate is not None:
            self.gate.half_open.pop(self, None)

    def _give_up(self) -> None:
        self._stop_waiting()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()


def most_connections(wanted: int) -> int:
    """How many connections this process may have; the limit of open files is raised as far as it goes."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - SPARE_FILES))
