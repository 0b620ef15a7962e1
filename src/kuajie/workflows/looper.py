"""Looper: starts the rounds of the loop when they are due, each in a process of its own.

A process of its own leaves the service alone: it has its own memory, few threads, and runs when nobody else needs the
processor. Whoever dies, the other goes on.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import ResourceError
from kuajie.workflows.schedule import LoopConfig, LoopLog, Round
from kuajie.workflows.workspace import Workspace

log = logging.getLogger("kuajie.loop")
NICENESS = "KUAJIE_NICENESS"
POOLS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
LOOK_SECONDS = 1.0
STOP_SECONDS = 5.0


class Child(Protocol):
    """A started process; `subprocess.Popen` is one."""

    def poll(self) -> int | None:
        """Its exit code, None as long as it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""


def start(workspace: Workspace) -> Child:
    """One round in a process of its own."""
    config = workspace.config.loop
    code = "from kuajie.cli.main import run; run()"
    command = [sys.executable, "-c", code, "loop", "--once", "--workspace", str(workspace.root.resolve())]
    limits = {**dict.fromkeys(POOLS, str(config.threads)), NICENESS: str(config.niceness)}
    return subprocess.Popen(  # noqa: S603 - our own words
        command, env={**os.environ, **limits}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


@dataclass(eq=False)
class Looper:
    """Looks at the clock; `look` never waits.

    Attributes:
        workspace: whose loop.
        start: begins a round.
        clock: tells the time.
        monotonic: seconds, for how long a round takes.
    """

    workspace: Workspace
    start: Callable[[Workspace], Child] = start
    clock: Clock = system_clock
    monotonic: Callable[[], float] = time.monotonic
    child: Child | None = None
    log: LoopLog = field(init=False)
    _since: datetime = field(init=False)
    _began: float = field(init=False, default=0.0)
    _looked: float = field(init=False, default=-LOOK_SECONDS)

    def __post_init__(self) -> None:
        self.log, self._since = LoopLog(self.workspace.models), self.clock()

    @property
    def config(self) -> LoopConfig:
        """The section `[loop]`."""
        return self.workspace.config.loop

    def look(self) -> Round | None:
        """Start a round if one is due; returns the one that has just ended."""
        now = self.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        try:
            return self._look(now)
        except (OSError, ResourceError) as error:  # no process, or no disk: the next look tries again
            log.warning("the loop cannot run: %s", error)
            return None

    def _look(self, now: float) -> Round | None:
        if self.child is not None:
            if self.child.poll() is None:
                if now - self._began > 60 * self.config.most_minutes:
                    log.warning("a round of the loop took more than %g minutes and is ended", self.config.most_minutes)
                    self.stop()
                return None
            self.child = None
            self.log.settle()
            return self.log.last()
        if self.config.scheduled and self.log.claim(self.config, self._since, self.clock()):
            self.child, self._began = self.start(self.workspace), now
        return None

    def stop(self) -> None:
        """End the round that runs; nothing of it serves."""
        child, self.child = self.child, None
        if child is None or child.poll() is not None:
            return
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self.log.settle()
