"""Closed loop: so many connections, each sends when it was answered. wrk where the machine has it, else Python.

    python -m benchmarks.load.closedloop --port 8000 --path /v1/recommend --bodies FILE --connections 32 --seconds 10

Both print JSON: requests a second, p50 and p99 in milliseconds, failures. Python is slower than wrk and takes more of
the processor from the service; the result says which it was.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

from benchmarks.load.figures import Tally
from benchmarks.load.wire import Connection, connect, now, requests, run

SCRIPT = Path(__file__).with_name("post.lua")


def by_wrk(wrk: str, options: argparse.Namespace) -> dict[str, Any]:
    """One thread: the other core is the service's."""
    url = f"http://{options.host}:{options.port}"
    told = [options.path, str(options.bodies), uuid.uuid4().hex[:12], *([options.key] if options.key else [])]
    command = [wrk, "-t1", f"-c{options.connections}", f"-d{whole(options.seconds)}", "--timeout", "10s",
               "-s", str(SCRIPT), url, "--", *told]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"wrk said: {done.stdout} {done.stderr}")
    result: dict[str, Any] = json.loads(lines[-1])
    good = result["requests"] - result["failed"]
    return {"by": "wrk", **result, "served_per_second": round(good / result["seconds"], 1)}


def whole(seconds: float) -> str:
    """As wrk reads them: whole ones."""
    return f"{max(1, round(seconds))}s"


async def by_python(options: argparse.Namespace) -> None:
    """The same without wrk."""
    made, ended = requests(options.path, options.bodies, options.key), asyncio.Event()
    tally = Tally(now())
    until = tally.start + options.seconds
    busy = options.connections

    def answered(connection: Connection, status: int, due: float) -> None:
        nonlocal busy
        at = now()
        tally.add(status, due, at)
        if at < until and connection.usable:
            connection.send(next(made), at)
            return
        busy -= 1
        if not busy:
            ended.set()

    connections = [await connect(options.host, options.port, answered) for _ in range(options.connections)]
    tally.start = now()
    until = tally.start + options.seconds
    for connection in connections:
        connection.send(next(made), now())
    await ended.wait()
    result = tally.result(now() - tally.start)
    failed = sum(number for status, number in tally.statuses.items() if status not in {0, 200})
    print(json.dumps({"by": "python", **result, "failed": failed, "broken": tally.statuses[0]}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--key")
    parser.add_argument("--python", action="store_true", help="not wrk, even if it is there")
    options = parser.parse_args()
    wrk = None if options.python else shutil.which("wrk")
    if wrk is None:
        run(by_python(options))
    else:
        print(json.dumps(by_wrk(wrk, options)), flush=True)


if __name__ == "__main__":
    main()
