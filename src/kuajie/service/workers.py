"""Several processes that answer on one socket, forked from one that has imported everything and started no thread.

What was imported is in memory once for all of them: a page is copied when somebody writes to it. Models and snapshots
are not loaded before the fork, for the libraries that read them start threads, which do not survive one; each worker
maps their files into its memory instead, which shares them too.
"""

import gc
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger("kuajie.service")
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers of one port put their numbers; prometheus-client reads it when it is imported."""
STOPS = (signal.SIGTERM, signal.SIGINT)
LOOK_SECONDS = 0.25
PAUSE_SECONDS = 0.5
"""Before one that has ended is replaced: what ended it may go on for a while."""
STARTUP_FAILURE = 3
"""Uvicorn's exit code where the same would happen again."""


@contextmanager
def shared_numbers() -> Iterator[None]:
    """A folder for the numbers of all workers, until they have ended; before anything imports prometheus-client."""
    folder = os.environ[FOLDER] = tempfile.mkdtemp(prefix="kuajie-metrics-")
    try:
        yield
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(eq=False)
class Workers:
    """Processes that do the same until this one is told to stop; in the place of one that dies another is started.

    Attributes:
        work: what each does; it returns when its process has been told to stop (SIGTERM).
        count: how many.
        patience: seconds until one that was told to stop is killed.
    """

    work: Callable[[], None]
    count: int
    patience: float
    _told: bool = field(default=False, init=False)

    def run(self) -> None:
        """Start them and keep their number; returns when all have stopped.

        Raises:
            RuntimeError: this process has threads; what they hold would be held for ever in the workers.
        """
        if threading.active_count() > 1:
            raise RuntimeError(f"threads run before the fork: {threading.enumerate()}")
        gc.collect()
        gc.freeze()  # workers that collect need not write to what they share
        before = {number: signal.signal(number, self._tell) for number in STOPS}
        workers = [self._start() for _ in range(self.count)]
        try:
            while not self._told:
                wait([each.sentinel for each in workers], LOOK_SECONDS)
                workers = [each if each.is_alive() else self._replaced(each) for each in workers]
        finally:
            self._stop(workers)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _tell(self, number: int, frame: "FrameType | None") -> None:
        self._told = True

    def _start(self) -> ForkProcess:
        """A worker; a signal that comes while it begins reaches it when it can answer."""
        process = get_context("fork").Process(target=self._begin)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        return process

    def _begin(self) -> None:
        for number in STOPS:
            signal.signal(number, _stopped)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        self.work()

    def _replaced(self, dead: ForkProcess) -> ForkProcess:
        dead.join()
        if dead.exitcode == STARTUP_FAILURE:
            log.error("worker %s could not start, so no other is started", dead.pid)
            self._told = True
        if self._told:
            return dead
        log.error("worker %s has ended with code %s; another takes its place", dead.pid, dead.exitcode)
        time.sleep(PAUSE_SECONDS)
        return self._start()

    def _stop(self, workers: list[ForkProcess]) -> None:
        until = time.monotonic() + self.patience
        for each in workers:
            each.terminate()
        for each in workers:
            each.join(max(0.0, until - time.monotonic()))
            if each.is_alive():
                log.error("worker %s did not stop in time and is killed", each.pid)
                each.kill()
                each.join()


def _stopped(number: int, frame: "FrameType | None") -> None:
    """Uvicorn, which has ended by then, raises the signal again; there is nothing left to do.

    Before uvicorn listens there is nothing to let end either.
    """
    raise SystemExit(0)
