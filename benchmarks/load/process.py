"""The service as a process of its own, and how much memory is only its own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KUAJIE = (sys.executable, "-c", "from kuajie.cli.main import run; run()")


@dataclass(frozen=True)
class Served:
    """A running service.

    Attributes:
        port: on 127.0.0.1.
        pid: of its process.
        started: seconds from the command to the first line that says it answers.
        worked: seconds of processor time until then, which other work on the machine disturbs less.
    """

    port: int
    pid: int
    started: float
    worked: float

    @property
    def private_mb(self) -> float:
        """Memory that no other process shares."""
        return private_mb(self.pid)


@contextmanager
def serving(folder: Path, *more: str, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """Run `kuajie serve` on a free port until the end, over an empty SQLite store unless `environment` names another.

    What one measurement stored would make histories longer, and so the next one slower.
    """
    with tempfile.TemporaryDirectory() as made:
        store = {"KUAJIE_STORE__DATABASE": str(Path(made) / "bench.db")} if environment is None else environment
        with _running(folder, *more, environment=store) as served:
            yield served


@contextmanager
def _running(folder: Path, *more: str, environment: dict[str, str]) -> Iterator[Served]:
    began = time.perf_counter()
    command = [*KUAJIE, "serve", "--workspace", str(folder), "--port", "0", "--lang", "en", "--demo", *more]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(  # as it is installed: compiled once, not at every start
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**compiled, **environment}
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "127.0.0.1:" in said, f"kuajie serve did not start: {said!r}"
        port = int(said.split("127.0.0.1:")[1].split()[0])
        yield Served(port, process.pid, time.perf_counter() - began, processor_seconds(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def processor_seconds(pid: int) -> float:
    """Processor time of all threads of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def private_mb(pid: int) -> float:
    """Private memory of a process, clean and dirty (Linux)."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {name: int(rest.split()[0]) for name, _, rest in (row.partition(":") for row in rows[1:])}
    return (sizes["Private_Clean"] + sizes["Private_Dirty"]) / 1_024


def children(pid: int) -> list[int]:
    """Processes that a process has started (Linux)."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def make_world(folder: Path, size: str, train_seconds: float) -> None:
    """A trained workspace of the car-parts world."""
    commands = (["init", str(folder), "--scenario", "car-parts", "--size", size], ["import"], ["train"])
    for command in commands:
        where = [] if command[0] == "init" else ["--workspace", str(folder)]
        subprocess.run([*KUAJIE, *command, *where], check=True, stdout=subprocess.DEVNULL)
        if command[0] == "init":
            with (folder / "kuajie.toml").open("a", encoding="utf-8") as config:
                config.write(f"\n[training]\nseconds = {train_seconds:g}\n")
