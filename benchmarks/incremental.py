"""One step of members against fits on everything: seconds, and whether the result is the same.

python -m benchmarks.incremental [--size small|seed]

2 % of the people have used three more things each, which the model before has not seen.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import Row, show
from benchmarks.worlds import THREADS
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.statistics import Updatable, WarmStart, changed_rows, updated
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import Split, leave_one_out
from kuajie.evaluation.ranking import rank_task
from kuajie.models.als import ALSConfig
from kuajie.models.ease import EASEConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.registry import build
from kuajie.models.ridge import RidgeConfig
from kuajie.worlds import make_world

SHARE, MORE = 0.02, 3
OPTIONS = FitOptions(threads=THREADS)
METRIC = "recall@10"


def before(world: Interactions, rng: np.random.Generator) -> Interactions:
    """The world before some people used the last things they used."""
    histories = world.histories
    chosen = np.zeros(world.n_people, bool)
    chosen[rng.choice(world.n_people, int(SHARE * world.n_people), replace=False)] = True
    last = histories.reversed_positions() < MORE
    return Interactions(world.space, histories.keep(~(last & chosen[histories.rows()])))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the shorter of two runs after the first, which compiles, and the result."""
    work()
    times = []
    for _ in range(2):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def difference(got: Recommender, wanted: Recommender, world: Interactions) -> float:
    """Largest difference of scores, relative to the largest score."""
    people = world.histories.take(np.arange(1_000))
    worst = 0.0
    for domain in world.space.domains:
        expected = np.nan_to_num(wanted.score(people, domain))
        worst = max(worst, float(np.abs(np.nan_to_num(got.score(people, domain)) - expected).max() / expected.max()))
    return worst


def recall(model: Recommender, split: Split) -> str:
    """Of each target."""
    found = []
    for domain, task in split.tasks.items():
        some = task.take(np.arange(min(task.n_rows, 10_000)))
        ranks = rank_task(some, lambda h, domain=domain: model.score(h, domain), threads=THREADS)
        found.append(f"{domain} {mean_metrics(ranks, [METRIC])[METRIC]:.4f}")
    return ", ".join(found)


def exact(config: ItemKNNConfig | EASEConfig | RidgeConfig, old: Interactions, new: Interactions) -> list[Row]:
    """A member that follows from sums."""
    same = np.arange(new.space.n_items)
    sums = build(config).statistics(old)  # type: ignore[attr-defined]

    def step() -> Recommender:
        model = build(config)
        assert isinstance(model, Updatable)
        changes = changed_rows(old, new, same, binary=model.binary)
        return model.fit_statistics(updated(model, sums, changes, same), OPTIONS)

    fit_seconds, wanted = timed(lambda: build(config).fit(new, OPTIONS))
    sum_seconds, _ = timed(lambda: build(config).statistics(new))  # type: ignore[attr-defined]
    step_seconds, got = timed(step)
    return [
        Row(f"{config.kind}: fit on everything", f"{fit_seconds:.2f} s"),
        Row(f"{config.kind}: all sums anew", f"{sum_seconds:.2f} s"),
        Row(f"{config.kind}: step", f"{step_seconds:.2f} s"),
        Row(f"{config.kind}: largest difference of scores", f"{difference(got, wanted, new):.1e}"),
    ]


def warm(config: ALSConfig, old: Interactions, split: Split) -> list[Row]:
    """A member that goes on from its factors."""
    start = build(config).fit(old, OPTIONS)
    same = np.arange(old.space.n_items)

    def step() -> Recommender:
        model = build(config)
        assert isinstance(model, WarmStart)
        assert isinstance(start, WarmStart)
        return model.fit_from(start, same, split.train, OPTIONS)

    fit_seconds, full = timed(lambda: build(config).fit(split.train, OPTIONS))
    step_seconds, got = timed(step)
    name = "als with prior" if config.prior else "als"
    return [
        Row(f"{name}: fit on everything", f"{fit_seconds:.2f} s"),
        Row(f"{name}: step from the factors before", f"{step_seconds:.2f} s"),
        Row(f"{name}: {METRIC}, fit on everything", recall(full, split)),
        Row(f"{name}: {METRIC}, step", recall(got, split)),
        Row(f"{name}: {METRIC}, model before", recall(start, split)),
    ]


def run(size: str = "seed") -> list[Row]:
    """Measure."""
    rng = np.random.default_rng(0)
    world = make_world("car-parts", size, seed=0).interactions()
    split = leave_one_out(world, rng)
    old = before(split.train, rng)
    changes = changed_rows(old, split.train, np.arange(world.space.n_items), binary=True)
    rows = [Row(f"{size}: {world.n_people:,} people, {changes.added.n_people:,} of whom have changed", "")]
    for config in (ItemKNNConfig(), EASEConfig(), RidgeConfig()):
        rows += exact(config, old, split.train)
    for als in (ALSConfig(), ALSConfig(prior=True)):
        rows += warm(als, old, split)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "seed"), default="seed")
    show(run(parser.parse_args().size))
