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
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import TYPE_CHECKING

from kuajie.core.errors import JobError, KuajieError
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger("kuajie.service")
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers of one port put their numbers; prometheus-client reads it when it is imported."""
STOPS = (signal.SIGTERM, signal.SIGINT)
LOOK_SECONDS = 0.25
PAUSE_SECONDS = 0.5
"""Before one that has ended is replaced: what ended it may go on for a while."""
LONGEST_PAUSE_SECONDS = 30.0
"""The pause doubles, up to this, while those that take a place end before they answer."""
STARTUP_FAILURE = 3
"""Exit code of one that could not start; uvicorn's is the same."""


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
class Worker:
    """A process, and what it reports: True when it answers, or the sentence that says why it cannot start."""

    process: ForkProcess
    reports: Connection
    answered: bool = False
    refusal: Text | None = None

    def hear(self) -> None:
        """Take what it has reported since."""
        try:
            while self.reports.poll():
                report = self.reports.recv()
                if report is True:
                    self.answered = True
                else:
                    self.refusal = report
        except EOFError:  # it has ended
            pass


@dataclass(eq=False)
class Workers:
    """Processes that do the same until this one is told to stop; in the place of one that dies another is started.

    While none has ever answered, one that ends is the end of all: the next would end too. Later, others answer
    meanwhile, and a place is filled again with longer and longer pauses.

    Attributes:
        work: what each does; it calls what it is given when it answers, and returns when its process has been told to
            stop (SIGTERM).
        count: how many.
        patience: seconds until one that was told to stop is killed.
        announce: called once, when the first answers.
    """

    work: Callable[[Callable[[], None]], None]
    count: int
    patience: float
    announce: Callable[[], None] = lambda: None
    _told: bool = field(default=False, init=False)
    _answered: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)
    _due: float = field(default=0.0, init=False)

    def run(self) -> None:
        """Start them and keep their number; returns when all have stopped.

        Raises:
            JobError: none could start.
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
                wait([each.process.sentinel for each in workers], LOOK_SECONDS)
                workers = self._kept(workers)
        finally:
            self._stop([each.process for each in workers])
            for number, handler in before.items():
                signal.signal(number, handler)

    def _kept(self, workers: list[Worker]) -> list[Worker]:
        """Those that live, and another one if one is missing and its time has come.

        Raises:
            JobError: one ended and none has ever answered.
        """
        alive = [each for each in workers if each.process.is_alive()]
        for each in workers:
            each.hear()
        if not self._answered and any(each.answered for each in workers):
            self._answered = True
            self.announce()
        for each in workers:
            if each not in alive and not self._told:
                self._missed(each)
        if len(alive) < self.count and not self._told and time.monotonic() >= self._due:
            alive.append(self._start())
        return alive

    def _missed(self, dead: Worker) -> None:
        """Say what ended, and when its place is filled again."""
        dead.process.join()
        why = dead.refusal or Text("a process ended with code {code}", code=dead.process.exitcode)
        if not self._answered:
            raise JobError("no process could start, so nothing is served: {why}", why=why)
        self._failures = 0 if dead.answered else self._failures + 1
        pause = min(PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        self._due = time.monotonic() + pause
        log.error("worker %s has ended (%s); another takes its place in %g s", dead.process.pid, why, pause)

    def _tell(self, number: int, frame: "FrameType | None") -> None:
        self._told = True

    def _start(self) -> Worker:
        """A worker; a signal that comes while it begins reaches it when it can answer."""
        here, there = get_context("fork").Pipe(duplex=False)
        process = get_context("fork").Process(target=self._begin, args=(there,))
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            there.close()
        return Worker(process, here)

    def _begin(self, reports: Connection) -> None:
        for number in STOPS:
            signal.signal(number, _stopped)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        try:
            self.work(lambda: reports.send(True))
        except KuajieError as error:
            reports.send(error.text)
            raise SystemExit(STARTUP_FAILURE) from None

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
