"""Landing: results of other threads come to the loop together.

One commit of the store answers many requests. Each result by itself would wake the loop once; here the first of a
bundle does, and the others are there when it looks.
"""

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Landing:
    """Where futures of threads become those of one loop."""

    def __init__(self) -> None:
        self._landed: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._told = False

    def wait_for(self, future: "Future[T]") -> "asyncio.Future[T]":
        """What a thread will give, for the loop that is running."""
        loop = asyncio.get_running_loop()
        awaited: asyncio.Future[T] = loop.create_future()

        def landed(done: "Future[T]") -> None:
            self._landed.append((awaited, done))
            if not self._told:  # appended before it was looked at, so that nobody is forgotten
                self._told = True
                loop.call_soon_threadsafe(self._take)

        future.add_done_callback(landed)
        return awaited

    def _take(self) -> None:
        self._told = False  # before the last is taken: who comes meanwhile wakes the loop again
        while self._landed:
            awaited, done = self._landed.popleft()
            if awaited.done():  # nobody waits any more
                continue
            if done.cancelled():
                awaited.cancel()
                continue
            error = done.exception()
            if error is None:
                awaited.set_result(done.result())
            else:
                awaited.set_exception(error)
