"""Training with `auto` at seed size, and one person from history to ten items with reasons."""

import time

import numpy as np
import polars as pl

from benchmarks.measure import Row, peak_gb, show
from benchmarks.worlds import THREADS, seed_interactions, seed_world
from kuajie.core.recommender import FitOptions
from kuajie.core.records import Account
from kuajie.data.catalog import Catalog
from kuajie.models.blend import Blend
from kuajie.models.merged import Merged, merge
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.recommend import Engine
from kuajie.workflows.train import choosing_split

PEOPLE = 2_000


def run() -> list[Row]:
    """Measure."""
    world, options, config = seed_interactions(), FitOptions(threads=THREADS), ChooseConfig()
    start = time.perf_counter()
    split = choosing_split(world, config, options.seed)
    choice = choose(split.train, split.tasks, options, config=config)
    chosen = time.perf_counter()
    model = merge(Blend(choice.config).fit(world, options))
    fitted = time.perf_counter()
    times = latencies(model) * 1_000
    members = ", ".join(member.name for member in choice.config.members)
    return [
        Row("train with auto: choosing", f"{chosen - start:.1f} s"),
        Row("train with auto: the final fit, merged for serving", f"{fitted - chosen:.1f} s"),
        Row("train with auto, together", f"{fitted - start:.1f} s, {peak_gb():.1f} GB", "60 s"),
        Row(f"chosen: {members}", ""),
        Row(
            "one person, history to ten items with reasons",
            f"median {np.median(times):.2f} ms, 99 % {np.quantile(times, 0.99):.2f} ms",
            "median 0.5 ms",
        ),
    ]


def latencies(model: Merged) -> np.ndarray:
    """Seconds of each of many calls, both ways in turn."""
    interactions = seed_interactions()
    tables = seed_world().catalogues
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
    show(run())
