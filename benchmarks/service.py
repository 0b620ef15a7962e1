"""Requests a second of `kuajie serve` in one process: lists, single events, batches of 20, over SQLite.

    python -m benchmarks.service [--workspace DIR] [--seconds 5] [--connections 32] [--people 1000]

Closed loop from one process on the same machine, which takes its share of the processor. Without a workspace the seed
world of car parts is made, imported and trained first. People are drawn at random, so histories are met cold and warm.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Row, show
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import latest_snapshot

KUAJIE = (sys.executable, "-c", "from kuajie.cli.main import run; run()")
GOALS = {"recommend": "2,500", "event": "2,500", "batch of 20": "15,000 events"}


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Host, port, and seconds until the first answer."""
    began = time.perf_counter()
    command = [*KUAJIE, "serve", "--workspace", str(folder), "--port", "0", "--lang", "en", "--demo"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
        yield "127.0.0.1", port, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes) -> None:
    """One request on a kept connection."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    writer.write("\r\n".join((*lines, "", "")).encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in answer[:20], answer + await reader.read(500)
    length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)


async def load(
    address: tuple[str, int], path: str, body: Callable[[], bytes], seconds: float, connections: int
) -> tuple[float, list[float]]:
    """Requests a second and the milliseconds of each."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection(*address)
        while time.perf_counter() < until:
            content = body()
            began = time.perf_counter()
            await ask(reader, writer, path, content)
            times.append((time.perf_counter() - began) * 1_000)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return len(times) / (time.perf_counter() - began), times


def measured(folder: Path, seconds: float, connections: int, people: int) -> Iterator[Row]:
    dataset = JointDataset.open(latest_snapshot(folder / "warehouse").path)
    rng = random.Random(0)
    domains = dataset.space.domains
    accounts = list(dataset.accounts.select("domain", "user").sample(people, seed=0).iter_rows())

    def recommend() -> bytes:
        domain, user = rng.choice(accounts)
        target = rng.choice([name for name in domains if name != domain])
        return json.dumps({"domain": domain, "user": user, "target": target, "k": 10}).encode()

    def event() -> dict[str, str]:
        domain, user = rng.choice(accounts)
        item = rng.choice(dataset.catalog.ids[domain].all)
        return {"event_id": uuid.uuid4().hex, "domain": domain, "user": user, "item": item, "kind": "view"}

    kinds: dict[str, tuple[str, Callable[[], bytes], int]] = {
        "recommend": ("/v1/recommend", recommend, 1),
        "event": ("/v1/events", lambda: json.dumps(event()).encode(), 1),
        "batch of 20": ("/v1/events", lambda: json.dumps({"events": [event() for _ in range(20)]}).encode(), 20),
    }
    with serving(folder) as (host, port, started):
        print(f"start to first answer: {started:.1f} s")
        for name, (path, body, _) in kinds.items():
            rate, times = asyncio.run(load((host, port), path, body, seconds, connections))
            cuts = statistics.quantiles(times, n=100)
            what = f"{name}: requests/s, p50 and p99 in ms, {connections} connections, closed loop"
            yield Row(what, f"{rate:,.0f}  {cuts[49]:.1f}  {cuts[98]:.1f}", GOALS[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--people", type=int, default=1_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = told.workspace or Path(made) / "world"
        if told.workspace is None:
            for command in (["init", str(folder), "--scenario", "car-parts", "--size", "seed"], ["import"], ["train"]):
                where = [] if command[0] == "init" else ["--workspace", str(folder)]
                subprocess.run([*KUAJIE, *command, *where], check=True, stdout=subprocess.DEVNULL)
        show(list(measured(folder, told.seconds, told.connections, told.people)))


if __name__ == "__main__":
    main()
