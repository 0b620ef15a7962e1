"""Whether what is meant for cold and sparse people helps, with and without it in one run, on validation rows alone.

    python -m benchmarks.cold_start FOLDER ...         # split folders
    python -m benchmarks.cold_start demo               # the small demo world (also what is run without arguments)

Each way of inventing entries (`kuajie.models.augment`) is put before two models; the rows are those of `auto`'s
choosing, with people who have nothing in the target among them. Seasons and groups are compared with popularity, on
people of whom nothing else is used. Intervals are of the paired difference, over people.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.worlds import THREADS
from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.side import Labels
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.compare import bootstrap_interval
from kuajie.evaluation.metrics import row_metrics
from kuajie.evaluation.protocols import COLD_SHARE, Split, leave_one_out, validation_split
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.als import ALSConfig
from kuajie.models.augment import GPConfig, KNNConfig, PredictedConfig, SyntheticConfig, augment
from kuajie.models.gaussian import fit_process
from kuajie.models.groups import GroupPopularity
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.registry import build
from kuajie.models.seasonal import SeasonalConfig
from kuajie.worlds import make_world
from kuajie.worlds.people import AGE_BANDS, CITY_TIERS, People

METRIC = "ndcg@10"
ROWS, FEW, GP_PEOPLE = 3_000, 5, 400
OPTIONS = FitOptions(threads=THREADS)
MODELS: tuple[Config, ...] = (ItemKNNConfig(k=200), ALSConfig(iterations=8))
WAYS = {
    "predicted": PredictedConfig(model=ALSConfig(iterations=5)),
    "knn": KNNConfig(),
    "gp": GPConfig(people=GP_PEOPLE),
    "synthetic": SyntheticConfig(),
}
Score = Callable[[Histories], np.ndarray]


def ndcg(task: RankingTask, score: Score) -> np.ndarray:
    """NDCG@10 of each row."""
    return row_metrics(rank_task(task, score, threads=THREADS), [METRIC])[METRIC]


def line(what: str, domain: str, task: RankingTask, without: np.ndarray, found: np.ndarray) -> None:
    """Print means and the paired difference of everybody, of people with few entries, and of those with none."""
    known = task.target_lengths
    for group, rows in (("all", known >= 0), ("1-4", (known > 0) & (known < FEW)), ("none", known == 0)):
        if rows.sum() < 30:
            continue
        low, high = bootstrap_interval((found - without)[rows], task.people[rows], np.random.default_rng(0))
        verdict = "helps" if low > 0 else "hurts" if high < 0 else "no difference"
        print(f"{what:28} {domain:12} {group:5} {rows.sum():6d} rows  {without[rows].mean():.4f} -> "
              f"{found[rows].mean():.4f}  {low:+.4f} .. {high:+.4f}  {verdict}", flush=True)  # fmt: skip


def augmenting(split: Split, tasks: dict[str, RankingTask], ways: list[str]) -> None:
    """Two models with and without what each way invents."""
    without: dict[tuple[str, str], np.ndarray] = {}
    for name, way in {"": None, **{name: WAYS[name] for name in ways}}.items():
        train = split.train if way is None else augment(split.train, way, OPTIONS)
        for config in MODELS:
            model: Recommender = build(config).fit(train, OPTIONS)
            for domain, task in tasks.items():
                values = ndcg(task, lambda h, model=model, domain=domain: model.score(h, domain))
                key = (config.kind, domain)  # type: ignore[attr-defined]
                if way is None:
                    without[key] = values
                else:
                    line(f"{name} -> {key[0]}", domain, task, without[key], values)
    if "gp" not in ways:
        return
    process = fit_process(split.train, GP_PEOPLE, 0)
    for domain, task in tasks.items():
        values = ndcg(task, lambda h, domain=domain: process.score(h, domain))
        line("gp alone, against itemknn", domain, task, without["itemknn", domain], values)


def beside_popularity(split: Split, tasks: dict[str, RankingTask]) -> None:
    """Seasons, and what is known of people with a source history alone, against popularity."""
    rivals: dict[str, Config] = {
        "seasonal": SeasonalConfig(),
        "recent popularity (30 days)": PopularityConfig(half_life_days=30.0),
        "itemknn": MODELS[0],
    }
    if split.train.side is not None and "category" in split.train.side.labels:
        rivals["seasonal by category"] = SeasonalConfig(field="category")
    popular = build(PopularityConfig()).fit(split.train, OPTIONS)
    fitted = {name: build(config).fit(split.train, OPTIONS) for name, config in rivals.items()}
    for domain, task in tasks.items():
        values = ndcg(task, lambda h, domain=domain: popular.score(h, domain))
        for name, model in fitted.items():
            found = ndcg(task, lambda h, domain=domain, model=model: model.score(h, domain))
            line(f"{name} / popularity", domain, task, values, found)


def groups(split: Split, tasks: dict[str, RankingTask], attributes: dict[str, Labels]) -> None:
    """Popularity by group for people of whom attributes alone are known, against popularity."""
    model = GroupPopularity.fit(split.train, attributes)
    for domain, task in tasks.items():
        everybody = model.score({}, domain)[0]
        values = ndcg(task, lambda h, popular=everybody: np.repeat(popular[None], h.n_rows, axis=0))
        for name, labels in attributes.items():
            whose = np.zeros(task.histories.n_rows, np.int64)
            whose[task.history_of] = task.people
            mine = Labels(labels.names, labels.matrix[whose])
            scores = model.score({name: mine}, domain, len(whose))
            found = _in_order(task, scores)
            line(f"by {name} / popularity", domain, task, values, found)


def _in_order(task: RankingTask, scores: np.ndarray) -> np.ndarray:
    """NDCG of scores that were made for the task's histories in their order."""
    place = 0

    def score(histories: Histories) -> np.ndarray:
        nonlocal place
        place += histories.n_rows
        return scores[place - histories.n_rows : place]

    return row_metrics(rank_task(task, score, threads=1), [METRIC])[METRIC]


def some(task: RankingTask) -> RankingTask:
    """At most so many rows."""
    if task.n_rows <= ROWS:
        return task
    return task.take(np.sort(np.random.default_rng(6).choice(task.n_rows, ROWS, replace=False)))


def demo() -> tuple[Split, dict[str, Labels]]:
    """The small car-parts world, and what is known of its people beside what they did."""
    world = make_world("car-parts", "small", seed=0)
    data = world.interactions()
    split = leave_one_out(data, np.random.default_rng(5), cold_share=COLD_SHARE)
    return split, attributes_of(world.people)


def attributes_of(people: People) -> dict[str, Labels]:
    """What the world's people declare, and a place that says nothing."""
    rng = np.random.default_rng(9)
    return {
        "age band": Labels.of([AGE_BANDS[number] for number in people.age]),
        "city tier": Labels.of([CITY_TIERS[number] for number in people.city]),
        "buying tier": Labels.of([f"tier {number}" for number in people.buying]),
        "strongest interest": Labels.of([f"interest {number}" for number in people.interests[:, 0]]),
        "random place": Labels.of([f"place {number}" for number in rng.integers(0, 20, people.n_people)]),
    }


def main() -> None:
    """Print one line for each comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=["demo"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="of inventing entries")
    given = parser.parse_args()
    for folder in given.folders:
        attributes: dict[str, Labels] = {}
        if folder == "demo":
            split, attributes = demo()
        else:
            split = validation_split(open_split_folder(Path(folder)), np.random.default_rng([0, 1]))
        tasks = {domain: some(task) for domain, task in split.tasks.items() if task.n_rows}
        print(f"\n{Path(folder).name}: {split.train.n_people} people, {len(split.train.histories.items)} entries")
        beside_popularity(split, tasks)
        if attributes:
            groups(split, tasks, attributes)
        augmenting(split, tasks, given.ways)


if __name__ == "__main__":
    main()
