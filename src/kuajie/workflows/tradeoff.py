"""Tradeoff: what a re-ranker moves, at which cost in NDCG, as a curve over its strength.

    model -> candidates of held-out rows -> re-ranker at strengths 0 .. 1 -> (NDCG@10, metric) of each

The curve and the strength that is chosen from it (the best value of the metric that costs no more NDCG than allowed)
are of validation rows; what it does then is measured on test rows, which nothing was chosen on.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie import __version__
from kuajie.core import columns as c
from kuajie.core.config import Config
from kuajie.core.errors import DataError, UsageError
from kuajie.core.language import message
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Text
from kuajie.data.dataset import JointDataset
from kuajie.data.split_folder import open_split_folder
from kuajie.data.split_side import read_items
from kuajie.evaluation.compare import bootstrap_interval
from kuajie.evaluation.protocols import Split, final_split, validation_split
from kuajie.rerank.base import StepConfig, kind_of
from kuajie.rerank.registry import config_type
from kuajie.workflows.arena import ArenaOptions, Chooser, Entrant, default_chooser, parse_entrant
from kuajie.workflows.asked_lists import Asked, Describe, K, ask
from kuajie.workflows.evaluate import MOST_PEOPLE, asked_rows
from kuajie.workflows.item_facts import facts_of_catalog, facts_of_table
from kuajie.workflows.results import plain
from kuajie.workflows.train import refuse_weightless
from kuajie.workflows.unlinked import linked_people

STRENGTHS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MOST_ROWS = 10_000
MOST_LOSS = 0.02
NDCG = "ndcg@10"


@dataclass(frozen=True)
class Goal:
    """What a re-ranker is for.

    Attributes:
        metric: its name in the results.
        title: for people.
        higher: whether more of it is better.
        settings: of the step, beside its strength.
    """

    metric: str
    title: str
    higher: bool
    settings: Mapping[str, Any]


GOALS: Mapping[str, Goal] = {
    "mmr": Goal("diversity", message("diversity of a list"), True, {}),
    "dpp": Goal("diversity", message("diversity of a list"), True, {}),
    "calibration": Goal("miscalibration", message("distance to history's mix"), False, {}),
    "discount": Goal("popularity", message("mean popularity"), False, {}),
    "xquad": Goal("tail", message("places for the tail"), True, {"personal": False}),
    "fairness": Goal("floors", message("brands' floors kept"), True, {}),
    "limits": Goal("most_of_one", message("largest category's share"), False, {"most": {"category": 3}}),
    "epsilon": Goal("coverage", message("coverage of the catalogue"), True, {}),
}
"""Re-rankers that have a strength, and the metric that each is to move."""
MIXED_GOALS: Mapping[str, Goal] = {
    **GOALS,
    "calibration": Goal(
        "domain_miscalibration", message("distance to history's mix of domains"), False, {"by": "domain"}
    ),
}
"""The same where lists hold items of all domains."""


@dataclass(frozen=True)
class Point:
    """A re-ranker at one strength."""

    strength: float
    ndcg: float
    metrics: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"strength": self.strength, NDCG: self.ndcg, **self.metrics}


@dataclass(frozen=True)
class Curve:
    """What a re-ranker does to the lists of one target.

    Attributes:
        kind, goal: the re-ranker and what it is for.
        points: on validation rows, by strength.
        strength: chosen on them.
        before, after: on test rows, without and with it.
        loss: 95 % interval of the change of NDCG@10 on test rows, over people.
    """

    kind: str
    goal: Goal
    points: tuple[Point, ...]
    strength: float
    before: Point
    after: Point
    loss: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "metric": self.goal.metric,
            "title": self.goal.title,
            "higher_is_better": self.goal.higher,
            "points": [point.to_json() for point in self.points],
            "chosen": self.strength,
            "test": {
                "before": self.before.to_json(),
                "after": self.after.to_json(),
                "change_ci95": {NDCG: list(self.loss)},
            },
        }


@dataclass(frozen=True)
class TradeoffResult:
    """What re-rankers do, by target.

    Attributes:
        model: whose lists they are.
        factor: candidates for each place.
        most_loss: part of NDCG that a chosen strength may cost.
        rows: of validation and test, by target.
        curves: by target.
        skipped: re-ranker -> why it has no curve.
        seconds: of everything.
    """

    model: str
    factor: int
    most_loss: float
    rows: Mapping[str, tuple[int, int]]
    curves: Mapping[str, tuple[Curve, ...]]
    skipped: Mapping[str, Text]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not known is null."""
        domains = {
            target: {
                "validation_rows": self.rows[target][0],
                "test_rows": self.rows[target][1],
                "rerankers": {curve.kind: curve.to_json() for curve in curves},
            }
            for target, curves in self.curves.items()
        }
        result = {
            "model": self.model,
            "factor": self.factor,
            "most_loss": self.most_loss,
            "kuajie": __version__,
            "domains": domains,
            "skipped": dict(self.skipped),
            "seconds": self.seconds,
        }
        return plain(result)  # type: ignore[no-any-return]


def tradeoff(
    valid: Split,
    final: Split,
    describe: Describe,
    kinds: Sequence[str] = tuple(GOALS),
    model: str = "itemknn",
    *,
    factor: int = 10,
    most_loss: float = MOST_LOSS,
    most_rows: int = MOST_ROWS,
    mixed: bool = False,
    seed: int = 0,
    options: ArenaOptions | None = None,
    chooser: Chooser | None = None,
    progress: Progress = silent,
) -> TradeoffResult:
    """Draw the curves of re-rankers.

    Args:
        valid: what strengths are chosen on.
        final: the final fit, and the test rows.
        describe: what is known of items.
        kinds: names of re-rankers that have a strength.
        model: whose lists: a model's name as in a benchmark.
        factor: a list of ten is chosen from ten times so many candidates.
        most_loss: part of NDCG@10 that the chosen strength may cost on validation rows.
        most_rows: of each target.
        mixed: whether lists hold items of all domains; calibration then is to their mix in the history.
        seed: of everything random.
        options: threads and memory.
        chooser: what "auto" does.
        progress: told stages.

    Raises:
        UsageError: no such model or re-ranker, or one without a strength.
        DataError: there are no rows to ask for.
    """
    begun, options = time.monotonic(), options or ArenaOptions()
    goals = MIXED_GOALS if mixed else GOALS
    steps = {kind: step_of(kind, goals) for kind in dict.fromkeys(kinds)}
    entrant = parse_entrant(model)
    config = chosen_config(entrant, valid, options, seed, chooser or default_chooser, progress)
    how: dict[str, Any] = {
        "factor": factor,
        "most_rows": most_rows,
        "mixed": mixed,
        "seed": seed,
        "options": options,
        "progress": progress,
    }
    tuned = ask(valid, config, entrant, describe, **how)
    tested = ask(final, config, entrant, describe, **how)
    both = [target for target in tuned if target in tested]
    if not both:
        raise DataError("there is no target domain with both validation and test rows. Import more history.")
    curves: dict[str, tuple[Curve, ...]] = {}
    skipped: dict[str, Text] = {}
    for target in both:
        sides = tuned[target], tested[target]
        curves[target], blind = curves_of(target, steps, goals, *sides, most_loss, seed, options, progress)
        skipped |= dict.fromkeys(blind, Text("nothing is known of the items that it could read"))
    rows = {target: (len(tuned[target].people), len(tested[target].people)) for target in both}
    return TradeoffResult(model, factor, most_loss, rows, curves, skipped, time.monotonic() - begun)


def curves_of(
    target: str,
    steps: Mapping[str, StepConfig],
    goals: Mapping[str, Goal],
    tuned: Asked,
    tested: Asked,
    most_loss: float,
    seed: int,
    options: ArenaOptions,
    progress: Progress,
) -> tuple[tuple[Curve, ...], list[str]]:
    """The curve of each re-ranker on one target, and the names of those whose metric nothing is known for."""
    known = tested.metrics(tested.lists(None))
    found: list[Curve] = []
    blind: list[str] = []
    for kind, step in steps.items():
        progress(Text("re-rank {domain}", domain=target), len(found), len(steps))
        if goals[kind].metric in known:
            found.append(curve_of(step, goals[kind], tuned, tested, most_loss, seed, options))
        else:
            blind.append(kind)
    return tuple(found), blind


def step_of(kind: str, goals: Mapping[str, Goal] = GOALS) -> StepConfig:
    """A re-ranker whose strength can be tried out.

    Raises:
        UsageError: there is none of this name, or it has no strength.
    """
    made = config_type(kind)
    if kind not in goals:
        raise UsageError("'{kind}' has no strength that could be tried out", kind=kind)
    return made.parse(dict(goals[kind].settings))


def chosen_config(
    entrant: Entrant, valid: Split, options: ArenaOptions, seed: int, chooser: Chooser, progress: Progress
) -> Config:
    """The config of a named model, or what `auto` chooses on validation rows."""
    if entrant.config is not None:
        return entrant.config
    tasks = {domain: task for domain, task in valid.tasks.items() if task.n_rows}
    return chooser(valid.train, tasks, options.fit_options(seed), progress, linked_people(valid.train)).config


def curve_of(
    step: StepConfig, goal: Goal, tuned: Asked, tested: Asked, most_loss: float, seed: int, options: ArenaOptions
) -> Curve:
    """The curve of one re-ranker on one target, and what the chosen strength does to test rows."""
    points = tuple(point_of(step, strength, tuned, options.threads)[0] for strength in STRENGTHS)
    strength = best_strength(points, goal, most_loss)
    before, gains = point_of(step, 0.0, tested, options.threads)
    after, changed = point_of(step, strength, tested, options.threads)
    rng = np.random.default_rng([seed, 6])
    low, high = bootstrap_interval(changed - gains, tested.people, rng, resamples=options.resamples)
    return Curve(kind_of(step), goal, points, strength, before, after, (float(low), float(high)))


def point_of(step: StepConfig, strength: float, asked: Asked, threads: int) -> tuple[Point, npt.NDArray[np.float64]]:
    """A re-ranker at one strength, and the NDCG of each row."""
    lists = asked.lists(step.at(strength, K) if strength else None, threads)
    gains = asked.gains(lists)
    return Point(strength, float(gains.mean()), asked.metrics(lists)), gains


def best_strength(points: Sequence[Point], goal: Goal, most_loss: float) -> float:
    """The strength with the best value of the metric among those that cost little enough; the weaker of equals."""
    allowed = [point for point in points if point.ndcg >= (1 - most_loss) * points[0].ndcg]
    sign = 1 if goal.higher else -1
    return max(allowed, key=lambda point: (sign * point.metrics[goal.metric], -point.strength)).strength


def tradeoff_of_folder(folder: Path | str, *, seed: int = 0, **how: Any) -> TradeoffResult:  # noqa: ANN401
    """The curves on a split folder; the rest as in `tradeoff`."""
    data = open_split_folder(folder)
    table = read_items(Path(folder), data.space, {domain.name: domain.item_ids for domain in data.domains})
    facts = facts_of_table(table.drop(c.DOMAIN), data.space)
    valid = validation_split(data, np.random.default_rng([seed, 1]), seed=seed)
    return tradeoff(valid, final_split(data, seed=seed), facts.items, seed=seed, **how)


def tradeoff_of_snapshot(dataset: JointDataset, *, seed: int = 0, **how: Any) -> TradeoffResult:  # noqa: ANN401
    """The curves on a workspace's own data, asked as in `workflows.evaluate`; the rest as in `tradeoff`."""
    interactions = dataset.interactions()
    refuse_weightless(interactions)
    facts = facts_of_catalog(dataset.catalog)
    rows = partial(asked_rows, candidates="full", seed=seed, most_people=MOST_PEOPLE)
    final = rows(interactions, 11)
    return tradeoff(rows(final.train, 12), final, facts.items, seed=seed, **how)
