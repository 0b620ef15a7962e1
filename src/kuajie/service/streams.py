"""Streams: answers that go on. So many at once, none with a thread of its own, all ended when the service stops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from kuajie.core.texts import Text
from kuajie.service.refusals import Refusal

ENDS = "kuajie.ends"
"""Where a connection finds how to end its stream (see `connections.PunctualProtocol.shutdown`)."""
AGAIN_SECONDS = 10
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


class Pulse:
    """Wakes one stream, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self.ended = False

    def wake(self) -> None:
        """Something has changed."""
        with suppress(RuntimeError):  # the loop is gone, and the stream with it
            self._loop.call_soon_threadsafe(self._woken.set)

    def end(self) -> None:
        """There is nothing more to come."""
        self.ended = True
        self.wake()

    async def woken(self, seconds: float) -> bool:
        """Wait to be woken, for so long; returns whether it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        woken = self._woken.is_set()
        self._woken.clear()
        return woken


class Streams:
    """All streams of one process.

    Args:
        most: at the same time; half of them for one key, so that one page cannot shut out all others.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[Pulse, str] = {}

    def __len__(self) -> int:
        """How many there are now."""
        return len(self._open)

    def enter(self, key_id: str) -> Pulse:
        """A place for a stream; it must `leave`.

        Raises:
            Refusal: there are too many.
        """
        own = sum(each == key_id for each in self._open.values())
        if len(self._open) >= self._most or own >= max(1, self._most // 2):
            error = Text("too many pages are pushed to just now")
            raise Refusal(503, error, Text("Ask for single lists, or try again in a moment."), AGAIN_SECONDS)
        pulse = Pulse()
        self._open[pulse] = key_id
        return pulse

    def leave(self, pulse: Pulse) -> None:
        """The stream has ended."""
        self._open.pop(pulse, None)

    def wake(self) -> None:
        """Something has changed for everybody, such as the model."""
        for pulse in list(self._open):
            pulse.wake()


class PushResponse(StreamingResponse):
    """Server-sent events.

    Args:
        parts: what is sent.
        pulse: ends it.
        left: called when it has ended, whoever ended it.
        seconds: after which a reader that takes nothing any more is left.
    """

    def __init__(self, parts: AsyncIterator[bytes], pulse: Pulse, left: Callable[[], None], seconds: float) -> None:
        super().__init__(parts, media_type="text/event-stream", headers=HEADERS)
        self._pulse, self._left, self._seconds = pulse, left, seconds

    def for_origin(self, origin: str | None) -> "PushResponse":
        """The same, for a page of this origin to read."""
        if origin is not None:
            self.headers["Access-Control-Allow-Origin"] = origin
            self.headers["Vary"] = "Origin"
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        scope[ENDS] = self._pulse.end
        try:
            async with asyncio.timeout(self._seconds):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            pass  # the connection is closed by the server, since the answer is not whole
        finally:
            scope.pop(ENDS, None)
            self._left()
