"""Run the benchmarks that were named, or all, one process each."""

import subprocess
import sys

from benchmarks.measure import machine

NAMES = (
    "neighbours",
    "content",
    "als",
    "training",
    "bench_import",
    "world_difficulty",
    "stores",
    "service",
    "search",
    "incremental",
    "profiles",
    "ranker",
    "cold_start",
    "new_items",
    "rerank",
    "learning",
    "graph",
)


def main(names: list[str]) -> int:
    """Measure in fresh processes, so that memory and compiled code of one do not help another."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"there is no benchmark '{unknown[0]}'; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(machine())
    codes = []
    for name in names or NAMES:
        print(f"\n{name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
