"""`kuajie serve` under load: peak, latency at a steady rate, overload, memory, start. Goals are beside the figures.

    python -m benchmarks.service                                   # all, on a new seed-size world: about 8 minutes
    python -m benchmarks.service --world DIR --seconds 3 --overload-seconds 5 --only recommend,event

The world is the car-parts world at seed size, trained with a small budget; `--world DIR` keeps it for the next time.
Load comes from processes of its own on the same machine: `wrk` (or Python where it is missing) in a closed loop, and a
generator of our own in an open loop, whose latencies count from when a request should have left. The machine, what
generated the load, and every single run are in `--json FILE`.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.load.bodies import Kind, kinds
from benchmarks.load.overload import closed, opened, overload
from benchmarks.load.process import children, make_world, private_mb, serving
from benchmarks.measure import Row, machine, show
from kuajie.testing import servers

PARTS = ("start", "recommend", "anew", "event", "batch", "overload", "workers")
OPEN_RATE = 1_000.0
WARM_SECONDS = 8.0
"""Until everybody who asks was loaded and code is compiled."""
DEFAULTS = {"recommend": "p99 10 ms"}


def started(world: Path, data: dict[str, Any]) -> Iterator[Row]:
    """Three starts; memory once somebody was answered."""
    times, worked = [], []
    for _ in range(3):
        with serving(world) as served:
            times.append(served.started)
            worked.append(served.worked)
            data["private_mb"] = round(served.private_mb, 1)
    data["start_seconds"] = [round(each, 2) for each in times]
    data["start_processor_seconds"] = [round(each, 2) for each in worked]
    yield Row("start to first answer, best and worst of 3", f"{min(times):.2f} s  {max(times):.2f} s", "3 s")
    yield Row("   of it processor time", f"{min(worked):.2f} s  {max(worked):.2f} s")
    yield Row("private memory of the process", f"{data['private_mb']:.0f} MB")


def loaded(world: Path, kind: Kind, options: argparse.Namespace, data: dict[str, Any]) -> Iterator[Row]:
    """Peak in a closed loop, then a steady rate in an open one."""
    more = ["--python"] if options.python else []
    with serving(world) as served:
        closed(served, kind, WARM_SECONDS, options.connections, *more)
        peak = closed(served, kind, options.seconds, options.connections, *more)
        data["peak"] = peak
        events = f" ({peak['served_per_second'] * kind.rows:,.0f} events)" if kind.rows > 1 else ""
        what = f"{kind.name}: closed loop, {options.connections} connections ({peak['by']}), p50 and p99"
        value = f"{peak['served_per_second']:,.0f}/s{events}  {peak['p50_ms']:.1f}  {peak['p99_ms']:.1f} ms"
        yield Row(what, value, f"{kind.goal:,.0f}/s")
        if peak["failed"] or peak["broken"]:
            yield Row(f"{kind.name}: refused and broken", f"{peak['failed']}  {peak['broken']}", "0")
        rate = OPEN_RATE / (kind.rows or 1)
        steady = opened(served, kind, options.seconds, rate)
        data["open"] = steady
        other = sum(number for status, number in steady["statuses"].items() if status != "200")
        value = f"{steady['served_per_second']:,.0f}/s  {steady['p50_ms']:.1f}  {steady['p99_ms']:.1f} ms"
        yield Row(f"{kind.name}: open loop at {rate:,.0f}/s, p50 and p99", value, DEFAULTS.get(kind.name, ""))
        if other or steady["unanswered"]:
            yield Row(f"{kind.name}: not answered 200, not at all", f"{other}  {steady['unanswered']}", "0")
        yield Row("   the generator was late, p99 (part of the latency)", f"{steady['left_late_p99_ms']:.1f} ms")


def overloaded(world: Path, kind: Kind, options: argparse.Namespace, data: dict[str, Any]) -> Iterator[Row]:
    """Five times the peak."""
    more = ["--python"] if options.python else []
    with serving(world) as served:
        closed(served, kind, WARM_SECONDS, options.connections, *more)
        peak = closed(served, kind, options.seconds, options.connections, *more)
        seen = overload(served, kind, peak, options.overload_seconds)
    data |= seen.data()
    name = f"{kind.name}: {options.overload_seconds:g} s of 5 times the peak"
    over = seen.overloaded
    yield Row(f"{name}: answered of sent", f"{over['served_per_second']:,.0f} of {over['rate']:,.0f}/s")
    if over["unanswered"] or over["statuses"].get("0"):
        broken = f"{over['unanswered']}  {over['statuses'].get('0', 0)}"
        yield Row(f"{name}: never answered, connections broken", broken, "0")
    yield Row(f"{name}: goodput, share of the peak", f"{seen.goodput:.0%}", "80 %")
    value = f"{seen.slower:.2f}  ({seen.overloaded['p99_ms']:.0f} ms, {seen.peak['p99_ms']:.0f} ms)"
    yield Row(f"{name}: p99 of what was answered, times that of the peak", value, "2")
    yield Row(f"{name}: p99 of refusals", f"{seen.overloaded['refused_p99_ms']:.0f} ms")
    yield Row(f"{name}: memory", f"{seen.more_memory:+.1%} of {seen.memory[0]:.0f} MB", "+20 %")
    well = seen.well_after
    yield Row(f"{name}: as before after", "never" if well is None else f"{well} s", "10 s")


def workers(world: Path, kind: Kind, options: argparse.Namespace, data: dict[str, Any]) -> Iterator[Row]:
    """Private memory of each of two worker processes over MariaDB, after they answered."""
    with servers.mariadb() as database, tempfile.TemporaryDirectory() as made:
        copy = Path(made) / "world"
        copy.mkdir()
        for path in world.iterdir():
            if path.name != "kuajie.toml" and not path.name.startswith("kuajie.db"):
                (copy / path.name).symlink_to(path.resolve())
        config = (world / "kuajie.toml").read_text(encoding="utf-8")
        (copy / "kuajie.toml").write_text(config + '\n[store]\ndatabase_env = "BENCH_STORE"\n', encoding="utf-8")
        port = servers._free_port()
        environment = {"BENCH_STORE": database.new_database()}
        with serving(copy, "--port", str(port), "--workers", "2", environment=environment) as served:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    peak = closed(served, kind, options.seconds, options.connections)
                except SystemExit:
                    time.sleep(0.5)
                    continue
                if peak["requests"] > 100:
                    break
            each = sorted(private_mb(pid) for pid in children(served.pid))
    data |= {"private_mb": [round(size, 1) for size in each], "peak": peak}
    yield Row("two workers over MariaDB: requests/s together", f"{peak['served_per_second']:,.0f}")
    yield Row("private memory of each worker", "  ".join(f"{size:.0f} MB" for size in each), "150 MB")


def measured(world: Path, options: argparse.Namespace, data: dict[str, Any]) -> Iterator[Row]:
    """The parts that were asked for."""
    with tempfile.TemporaryDirectory() as folder:
        asked = kinds(world, Path(folder), options.people)
        for part in options.only.split(","):
            own: dict[str, Any] = {}
            data[part] = own
            if part == "start":
                yield from started(world, own)
            elif part == "overload":
                for name in options.overload_kinds.split(","):
                    own[name] = {}
                    yield from overloaded(world, asked[name], options, own[name])
            elif part == "workers":
                try:
                    yield from workers(world, asked["recommend"], options, own)
                except servers.MissingProgram as missing:
                    yield Row(str(missing), "-")
            else:
                yield from loaded(world, asked[part], options, own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, help="a trained workspace; made where it is missing")
    parser.add_argument("--size", default="seed", choices=("small", "seed", "large"))
    parser.add_argument("--train-seconds", type=float, default=20.0)
    parser.add_argument("--people", type=int, default=1_000, help="who asks, drawn at random")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--overload-seconds", type=float, default=60.0)
    parser.add_argument("--overload-kinds", default="recommend,event")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--python", action="store_true", help="not wrk, even if it is there")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {sorted(unknown)}; there are {', '.join(PARTS)}")
    data: dict[str, Any] = {"machine": machine(), "load": list(os.getloadavg()), "people": options.people}
    with tempfile.TemporaryDirectory() as made:
        world = options.world or Path(made) / "world"
        if not (world / "kuajie.toml").is_file():
            make_world(world, options.size, options.train_seconds)
        print(f"{data['machine']}; load average {data['load'][0]:.1f}")
        show(measured(world, options, data))
    if options.json is not None:
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
