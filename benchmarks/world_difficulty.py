"""How hard the demo worlds are, for each scenario and target domain.

    python benchmarks/world_difficulty.py [--size small] [--scenarios car-parts,film] [--seed 0]

Wanted: popularity alone reaches 15 to 35 % of the oracle's NDCG@10; the best target-only yardstick reaches at most
80 % of the best joint one for people with source history and 0 or 1 to 4 target rows.
"""

import argparse

from kuajie.worlds import SCENARIOS, SIZES, make_world
from kuajie.worlds.difficulty import GROUPS, Difficulty, measure


def line(scenario: str, found: Difficulty) -> str:
    """One row of the table."""
    joint = max(value for name, value in found.ndcg.items() if name.endswith("joint"))
    shares = "  ".join(f"{found.target_share(group):6.0%} ({found.rows[group]})".rjust(14) for group in GROUPS)
    return (
        f"{scenario:13}{found.domain:14}{found.ndcg['oracle']:7.3f}{found.popularity_share:11.0%}"
        f"{joint / found.ndcg['oracle']:7.0%}  {shares}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="small")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    heads = "  ".join(f"target/joint {group}".rjust(14) for group in GROUPS)
    print(f"{'scenario':13}{'target':14}{'oracle':>7}{'popularity':>11}{'joint':>7}  {heads}  (people)")
    for scenario in options.scenarios.split(","):
        for found in measure(make_world(scenario, options.size, options.seed), options.seed):
            print(line(scenario, found), flush=True)


if __name__ == "__main__":
    main()
