"""How long things take, and on what machine."""

import os
import platform
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        what: in words.
        value: as printed.
        goal: what it should be, as printed.
    """

    what: str
    value: str
    goal: str = ""


def seconds(work: Callable[[], object], repeats: int = 3, warm: bool = True) -> float:
    """The shortest of several runs; the first, which compiles, is not counted."""
    if warm:
        work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_gb() -> float:
    """Highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def machine() -> str:
    """Processor, cores, memory and the libraries that matter."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba", "polars", "implicit"))
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB; Python {platform.python_version()}, {libraries}"


def show(rows: Iterable[Row]) -> None:
    """Print measurements."""
    for row in rows:
        goal = f"   (goal: {row.goal})" if row.goal else ""
        print(f"{row.what:75} {row.value:>30}{goal}", flush=True)
