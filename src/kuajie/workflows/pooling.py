"""Pooling: one result from the arenas of all folds (or of a single split).

Rows of all folds count alike: means, intervals and tests are over all of them, resampling people. Every person gives
rows in one fold only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.texts import Text
from kuajie.evaluation.ranking import Ranks
from kuajie.evaluation.slices import slices_of
from kuajie.evaluation.summary import METRICS, TaskSummary, summarise
from kuajie.workflows.arena import Arena, Run


def pooled_summaries(
    arenas: Sequence[Arena], baselines: Sequence[str], twins: npt.NDArray[np.int64], metrics: Sequence[str] = ()
) -> dict[str, TaskSummary]:
    """The results of every domain, compared with the best of the baselines.

    Args:
        arenas: one for each fold, over the same domains.
        baselines: models that may be the baseline.
        twins: joint numbers of items with a twin in another domain.
        metrics: further means beside those that are always there.
    """
    first, found = arenas[0], {}
    for number, domain in enumerate(first.ranks):
        if not common(arenas, domain):
            continue
        slices = [slices_of(arena.final.tasks[domain], arena.final.train, twins) for arena in arenas]
        found[domain] = summarise(
            np.concatenate([arena.final.tasks[domain].people for arena in arenas]),
            {name: Ranks.joined([arena.ranks[domain][name] for arena in arenas]) for name in common(arenas, domain)},
            {name: np.concatenate([part[name] for part in slices]) for name in slices[0]},
            np.random.default_rng([first.seed, 2, number]),
            baselines=baselines,
            metrics=tuple(dict.fromkeys([*METRICS, *metrics])),
            resamples=first.options.resamples,
        )
    return found


def pooled_runs(arenas: Sequence[Arena]) -> dict[tuple[str, str], Run]:
    """By (model, domain): seconds added, list metrics averaged; what was chosen, fold by fold where it differs."""
    return {
        (name, domain): _together([arena.runs[name, domain] for arena in arenas])
        for domain in arenas[0].ranks
        for name in common(arenas, domain)
    }


def pooled_skips(arenas: Sequence[Arena]) -> dict[str, Text]:
    """Model -> why it has no result; one that a single fold skipped has none."""
    return {name: reason for arena in reversed(arenas) for name, reason in arena.skipped.items()}


def common(arenas: Sequence[Arena], domain: str) -> list[str]:
    """Models that every fold ranked."""
    return [name for name in arenas[0].ranks[domain] if all(name in arena.ranks.get(domain, {}) for arena in arenas)]


def _together(runs: Sequence[Run]) -> Run:
    chosen = [run.chosen for run in runs]
    return Run(
        sum(run.fit_seconds for run in runs),
        sum(run.score_seconds for run in runs),
        chosen[0] if all(each == chosen[0] for each in chosen) else {"folds": chosen},
        mean_lists([run.lists for run in runs]),
        mean_reasons([run.reasons for run in runs]),
    )


def mean_lists(lists: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """List metrics averaged over folds; people are counted, k is the same in all."""
    means = {name: float(np.mean([fold[name] for fold in lists])) for name in lists[0]}
    return means | {"people": sum(fold["people"] for fold in lists), "k": lists[0]["k"]}


def mean_reasons(reasons: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Fidelity over folds: means weighted by people; of several folds no interval is told."""
    people = np.array([fold["people"] for fold in reasons])
    if len(reasons) == 1 or not people.any():
        return dict(reasons[0])
    asked = [fold for fold in reasons if fold["people"]]
    means = {name: float(np.average([fold[name] for fold in asked], weights=people[people > 0])) for name in asked[0]}
    return means | {"people": int(people.sum()), "low": float("nan"), "high": float("nan")}
