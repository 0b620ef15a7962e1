"""Training with `auto`, and one person from history to ten items with reasons.

python -m benchmarks.training [--size small|seed|large]
"""

import argparse
import time

import numpy as np
import polars as pl

from benchmarks.measure import Row, peak_gb, show
from benchmarks.worlds import THREADS
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.records import Account
from kuajie.data.catalog import Catalog
from kuajie.models.blend import Blend
from kuajie.models.merged import Merged, merge
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.recommend import Engine
from kuajie.workflows.train import choosing_split
from kuajie.worlds import World, make_world

PEOPLE = 2_000
GOALS = {"small": "", "seed": "60 s", "large": "600 s, 12 GB"}


def run(size: str = "seed") -> list[Row]:
    """Measure."""
    made = make_world("car-parts", size, seed=0)
    world, options, config = made.interactions(), FitOptions(threads=THREADS, memory_bytes=12 * 2**30), ChooseConfig()
    start = time.perf_counter()
    split = choosing_split(world, config, options.seed)
    choice = choose(split.train, split.tasks, options, config=config)
    chosen = time.perf_counter()
    model = merge(Blend(choice.blend).fit(world, options))
    fitted = time.perf_counter()
    times = latencies(model, made, world) * 1_000
    members = ", ".join(member.name for member in choice.blend.members)
    return [
        Row(f"{size}: {world.n_people:,} people, {len(world.histories.items):,} entries", ""),
        Row("train with auto: choosing", f"{chosen - start:.1f} s"),
        Row("train with auto: the final fit, merged for serving", f"{fitted - chosen:.1f} s"),
        Row("train with auto, together", f"{fitted - start:.1f} s, {peak_gb():.1f} GB", GOALS[size]),
        Row(f"chosen: {members}", ""),
        Row(
            "one person, history to ten items with reasons",
            f"median {np.median(times):.2f} ms, 99 % {np.quantile(times, 0.99):.2f} ms",
            "median 0.5 ms",
        ),
    ]


def latencies(model: Merged, world: World, interactions: Interactions) -> np.ndarray:
    """Seconds of each of many calls, both ways in turn."""
    tables = world.catalogues
    items = [(name, item) for name in interactions.space.domains for item in tables[name].table["item"]]
    engine = Engine(
        model=model,
        catalog=catalog_of(items, interactions.space.domains),
        popularity=interactions.support(),
        model_version="bench",
    )
    account = Account(domain="courses", user="x")
    histories = [interactions.histories.take([row]) for row in range(PEOPLE)]
    times = np.empty(PEOPLE)
    for warm in (True, False):
        for row in range(100 if warm else PEOPLE):
            target = interactions.space.domains[row % 2]
            start = time.perf_counter()
            engine.recommend(account, histories[row], target)
            times[row] = time.perf_counter() - start
    return times


def catalog_of(items: list[tuple[str, str]], domains: tuple[str, ...]) -> Catalog:
    """A catalogue of bare ids."""
    return Catalog.of(pl.DataFrame(items, schema=["domain", "item"], orient="row"), domains)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=GOALS, default="seed")
    show(run(parser.parse_args().size))
