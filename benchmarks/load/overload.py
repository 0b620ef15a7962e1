"""Five times what the service can do: what it still does, how long that takes, and how soon it is well again.

peak (closed loop) -> as often as half of it, calm -> five times it, overload -> half of it again, afterwards
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.load.bodies import Kind
from benchmarks.load.process import Served

TIMES = 5.0
CALM_SHARE = 0.5
CROWD = 512
"""Connections of the overload: in one turn the service answers each once, and a turn is as long as what it let in."""
WELL = 1.5
"""A second is as before where its p99 is at most so many times that of the calm, or below `WELL_MS`."""
WELL_MS = 20.0


def closed(served: Served, kind: Kind, seconds: float, connections: int, *more: str) -> dict[str, Any]:
    """A closed loop in a process of its own."""
    return _run("closedloop", served, kind, seconds, "--connections", str(connections), *more)


def opened(served: Served, kind: Kind, seconds: float, rate: float, connections: int = 256) -> dict[str, Any]:
    """An open loop in a process of its own."""
    return _run("openloop", served, kind, seconds, "--connections", str(connections), "--rate", f"{rate:g}")


def _run(module: str, served: Served, kind: Kind, seconds: float, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"benchmarks.load.{module}", "--port", str(served.port), "--path", kind.path,
               "--bodies", str(kind.bodies), "--seconds", f"{seconds:g}", *more]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{module} failed: {done.stdout[-500:]} {done.stderr[-2_000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@dataclass(frozen=True)
class Overload:
    """What happened.

    Attributes:
        peak, calm, overloaded, afterwards: results of the runs.
        memory: private megabytes before, at the end of the overload.
    """

    peak: dict[str, Any]
    calm: dict[str, Any]
    overloaded: dict[str, Any]
    afterwards: dict[str, Any]
    memory: tuple[float, float]

    @property
    def goodput(self) -> float:
        """Share of the peak that is still answered."""
        return float(self.overloaded["served_per_second"] / self.peak["served_per_second"])

    @property
    def slower(self) -> float:
        """How many times the p99 of the peak the p99 of what is answered is."""
        return float(self.overloaded["p99_ms"] / self.peak["p99_ms"])

    @property
    def more_memory(self) -> float:
        """Growth of memory, as a share."""
        return self.memory[1] / self.memory[0] - 1

    @property
    def well_after(self) -> int | None:
        """Seconds after the end of the overload until everything is as in the calm, and stays so; None: never."""
        limit = max(WELL_MS, WELL * self.calm["p99_ms"])
        enough = 0.9 * self.afterwards["rate"]
        seconds = [row["served"] >= enough and row["p99_ms"] <= limit for row in self.afterwards["timeline"][:-1]]
        bad = [second for second, well in enumerate(seconds) if not well]
        after = bad[-1] + 1 if bad else 0
        return after if after < len(seconds) else None

    def data(self) -> dict[str, Any]:
        """For machines."""
        return {
            "peak": self.peak,
            "calm": self.calm,
            "overloaded": self.overloaded,
            "afterwards": self.afterwards,
            "memory_mb": self.memory,
            "goodput": round(self.goodput, 3),
            "slower": round(self.slower, 3),
            "more_memory": round(self.more_memory, 3),
            "well_after_seconds": self.well_after,
        }


def overload(
    served: Served, kind: Kind, peak: dict[str, Any], seconds: float, say: Callable[[str], None] = lambda _: None
) -> Overload:
    """Measure it."""
    most = peak["served_per_second"]
    short = max(3.0, min(12.0, seconds))
    calm = opened(served, kind, short / 2, CALM_SHARE * most)
    before = served.private_mb
    say(f"{TIMES:g} times {most:,.0f}/s for {seconds:g} s")
    overloaded = opened(served, kind, seconds, TIMES * most, CROWD)
    after = served.private_mb
    afterwards = opened(served, kind, short, CALM_SHARE * most)
    return Overload(peak, calm, overloaded, afterwards, (before, after))
