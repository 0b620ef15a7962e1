"""How long an import takes and how much memory it needs.

    python -m benchmarks.bench_import --people 1000000 --events 20000000 --format csv

Makes two domains of linked people in a temporary folder (not counted), imports them in a process of its own, loads the
result, and prints one table. Every 200th event is repeated and every 1,000th row is bad, so that cleaning has work.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from kuajie.data.config import DataConfig
from kuajie.data.dataset import JointDataset
from kuajie.workflows.ingest import ingest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 365
KINDS = ["view", "play", "collect", "purchase", "rate"]
BLOCK = 1_000_000
ITEMS = {"courses": 10_000, "parts": 5_000}


def write_events(path: Path, items: int, people: int, events: int, seed: int) -> None:
    """A log in order of time: long-tailed people and items, text ids."""
    rng = np.random.default_rng(seed)
    start = int(NOW.timestamp()) - DAYS * 86_400
    frames = (_block(rng, items, people, events, at, start) for at in range(0, events, BLOCK))
    if path.suffix == ".parquet":
        pl.concat(list(frames)).write_parquet(path)
        return
    with path.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0)


def _block(rng: np.random.Generator, items: int, people: int, events: int, at: int, start: int) -> pl.DataFrame:
    n = min(BLOCK, events - at)
    seconds = start + (at + np.arange(n)) * DAYS * 86_400 // events
    frame = pl.DataFrame(
        {
            "user": (people * rng.random(n) ** 1.5).astype(np.int64),
            "item": (items * rng.random(n) ** 3).astype(np.int64),
            "kind": rng.choice(KINDS, n, p=[0.6, 0.2, 0.1, 0.05, 0.05]),
            "at": seconds,
            "value": rng.integers(1, 6, n),
        }
    ).select(
        pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(7)).alias("user"),
        pl.format("item-{}", pl.col("item").cast(pl.String).str.zfill(6)).alias("item"),
        "kind",
        pl.from_epoch("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("occurred_at"),
        "value",
    )
    bad = pl.int_range(pl.len()) % 1_000 == 7
    repeated = pl.concat([frame, frame.gather_every(200)])
    return repeated.with_columns(pl.when(bad).then(pl.lit("")).otherwise("user").alias("user"))


def config_for(suffix: str) -> DataConfig:
    """Two domains that share ids."""
    domains = {name: {"events": [{"path": f"{name}.{suffix}"}]} for name in ITEMS}
    return DataConfig.parse({"domains": domains})


def measured_import(folder: Path, suffix: str, queue: "multiprocessing.Queue[list[tuple[str, str]]]") -> None:
    """Import, load, and send the table."""
    before = _peak_mb()
    stages: dict[str, float] = {}
    began = last = time.perf_counter()
    cpu = time.process_time()

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[stage] = stages.get(stage, 0.0) + now - last
        last = now

    result = ingest(config_for(suffix), folder, clock=lambda: NOW, progress=progress)
    seconds, peak, cpu = time.perf_counter() - began, _peak_mb(), time.process_time() - cpu
    began = time.perf_counter()
    dataset = JointDataset.open(result.folder)
    opened = time.perf_counter() - began
    interactions = dataset.interactions()
    total = result.account.total
    size = sum(path.stat().st_size for path in result.folder.iterdir())
    table = [
        ("rows read", f"{total.read:,}"),
        ("kept / merged / quarantined", f"{total.kept:,} / {total.merged:,} / {total.bad:,}"),
        ("people, linked", f"{result.snapshot.people:,}, {result.snapshot.linked_people:,}"),
        *((f"  {stage}", f"{spent:.1f} s") for stage, spent in stages.items()),
        ("import", f"{seconds:.1f} s, {total.read / seconds:,.0f} rows/s"),
        ("processor time of the import", f"{cpu:.1f} s on all cores together"),
        ("peak memory of the import", f"{peak:,.0f} MB ({before:,.0f} MB before it)"),
        ("threads of Polars", f"{pl.thread_pool_size()}"),
        ("snapshot", f"{size / 1e6:,.0f} MB"),
        ("open the snapshot", f"{opened:.1f} s"),
        (
            "interactions",
            f"{time.perf_counter() - began - opened:.1f} s, {len(interactions.histories.items):,} entries",
        ),
        ("peak memory with the load", f"{_peak_mb():,.0f} MB"),
    ]
    queue.put(table)


def _peak_mb() -> float:
    """Peak of this process alone; `getrusage` would count what the parent held when it started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kuajie-bench-") as temporary:
        folder = Path(temporary)
        for number, (name, items) in enumerate(ITEMS.items()):
            path = folder / f"{name}.{options.format}"
            write_events(path, items, options.people, options.events // len(ITEMS), options.seed + number)
        size = sum(path.stat().st_size for path in folder.iterdir())
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=measured_import, args=(folder, options.format, queue))
        process.start()
        while True:
            try:
                table = queue.get(timeout=1)
                break
            except Exception:
                if not process.is_alive():
                    raise SystemExit("the import failed") from None
        process.join()
    print(f"import of {options.events:,} events of {options.people:,} people, {options.format}, {size / 1e6:,.0f} MB")
    for label, value in table:
        print(f"{label:<32}{value}")


if __name__ == "__main__":
    main()
