"""Evaluate: an honest offline comparison on a workspace's own data, in every direction.

The newest item of each person and domain is asked for (or everything after a moment), a tenth of the linked people
lose what they have in one domain so that cold start is measured too, and `auto` chooses without these rows.
Small data can be cross-validated: everybody is asked once, and in each fold the people of the others stay whole.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from kuajie import __version__
from kuajie.core.errors import DataError, JobError, UsageError
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Joined, Text
from kuajie.data.dataset import JointDataset
from kuajie.evaluation.candidates import Candidates
from kuajie.evaluation.leaks import find_twins
from kuajie.evaluation.metrics import check_metrics
from kuajie.evaluation.protocols import COLD_SHARE, Split, leave_one_out, person_folds, rows_of, time_split
from kuajie.evaluation.summary import TaskSummary
from kuajie.workflows.arena import Arena, ArenaOptions, Chooser, Run, default_chooser, parse_entrant
from kuajie.workflows.pooling import common, pooled_runs, pooled_skips, pooled_summaries
from kuajie.workflows.results import domain_results
from kuajie.workflows.train import refuse_weightless

DEFAULT_MODELS = ("auto", "itemknn", "itemknn:target", "popularity")
MOST_PEOPLE = 20_000


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        protocol: one sentence.
        candidates: how rows were ranked.
        folds: of the cross-validation; 1 without.
        summaries: by target domain.
        runs: by (model, domain); of `auto` with what was chosen and the transfer gain.
        twin_items: items of one domain whose people nearly equal those of an item of another.
        skipped: model -> why it has no result.
        seconds: of everything.
    """

    protocol: Text
    candidates: Candidates
    folds: int
    summaries: Mapping[str, TaskSummary]
    runs: Mapping[tuple[str, str], Run]
    twin_items: int
    skipped: Mapping[str, Text]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; `domains` as in the JSON of a benchmark."""
        return {
            "protocol": self.protocol,
            "candidates": self.candidates,
            "folds": self.folds,
            "kuajie": __version__,
            "domains": domain_results(self.summaries, self.runs),
            "twin_items": self.twin_items,
            "skipped": dict(self.skipped),
            "seconds": self.seconds,
        }


def evaluate(
    dataset: JointDataset,
    models: Sequence[str] = DEFAULT_MODELS,
    *,
    since: datetime | None = None,
    folds: int = 1,
    metrics: Sequence[str] = (),
    candidates: Candidates = "full",
    seed: int = 0,
    options: ArenaOptions | None = None,
    most_people: int = MOST_PEOPLE,
    chooser: Chooser | None = None,
    progress: Progress = silent,
) -> EvaluationResult:
    """Compare models on the newest behaviour of a snapshot.

    Args:
        dataset: an open snapshot.
        models: as in `benchmark`: names, with ":target" or ":source", and "auto".
        since: ask for everything from this moment on; None: the newest item of each person and domain.
        folds: cross-validate with so many folds of people; everything, choices too, is done again in each.
        metrics: further ones beside those that are always reported, such as "precision@5".
        candidates: how to rank.
        seed: of everything random.
        options: threads and memory.
        most_people: rows are asked of at most so many people; models are fitted on everybody.
        chooser: what "auto" does; left out: `kuajie.workflows.choose.choose`.
        progress: told stages.

    Raises:
        UsageError: no such model or metric, or folds together with `since`.
        DataError: no event has any strength, or nobody has enough history to ask for.
        JobError: no model could be fitted.
    """
    start = time.monotonic()
    options = options or ArenaOptions()
    entrants = [parse_entrant(name) for name in dict.fromkeys(models)]
    check_metrics(metrics)
    if folds > 1 and since is not None:
        raise UsageError("folds of people and a split by time exclude each other. Leave out one of the two.")
    interactions = dataset.interactions()
    refuse_weightless(interactions)
    splits = final_splits(interactions, since, folds, candidates, seed, most_people)
    arenas = []
    for number, split in enumerate(splits):
        blind = partial(asked_rows, split.train, 12, candidates, seed, most_people, None)
        arenas.append(Arena(split, blind, seed, options, chooser or default_chooser, progress))
        arenas[-1].enter_all(entrants, number, len(splits))
    skipped = pooled_skips(arenas)
    if not any(common(arenas, domain) for domain in arenas[0].ranks):
        raise JobError("no model could be measured: {reasons}", reasons=Joined(skipped.values()))
    twins = find_twins(rows_of(interactions), interactions.space)
    baselines = [entrant.name for entrant in entrants if entrant.target_only]
    return EvaluationResult(
        protocol_of(since, folds),
        candidates,
        folds,
        pooled_summaries(arenas, baselines, twins.items, metrics),
        pooled_runs(arenas),
        len(twins.items),
        skipped,
        time.monotonic() - start,
    )


def protocol_of(since: datetime | None, folds: int) -> Text:
    """What was asked for, in one sentence."""
    if since is not None:
        return Text("Everything from {since:%Y-%m-%d} on is asked for.", since=since)
    if folds > 1:
        return Text(
            "The newest item of each person and domain is asked for, fold by fold: the people of the other folds "
            "stay whole in the training data."
        )
    return Text("The newest item of each person and domain is asked for.")


def final_splits(
    interactions: Interactions,
    since: datetime | None,
    folds: int,
    candidates: Candidates,
    seed: int,
    most_people: int,
) -> list[Split]:
    """The rows that are asked in the end, and what may be trained on; one split for each fold.

    Raises:
        DataError: there are no rows to ask for.
    """
    if since is not None:
        splits = [time_split(interactions, since.timestamp(), candidates, seed)]
    elif folds > 1:
        rng = np.random.default_rng([seed, 11])
        splits = list(person_folds(interactions, folds, rng, candidates, seed, COLD_SHARE))
    else:
        splits = [asked_rows(interactions, 11, candidates, seed, most_people)]
    if not any(task.n_rows for split in splits for task in split.tasks.values()):
        raise DataError(
            "nobody has three different items in one domain, so there is nothing to ask for. Import more history."
        )
    return splits


def asked_rows(
    interactions: Interactions,
    purpose: int,
    candidates: Candidates,
    seed: int,
    most_people: int,
    cold_share: float | None = COLD_SHARE,
) -> Split:
    """Leave one out for some people, drawn by seed and purpose; everybody else stays whole in the training data.

    `cold_share` as in `leave_one_out`.
    """
    rng = np.random.default_rng([seed, purpose])
    asked = np.zeros(interactions.n_people, dtype=bool)
    active = np.flatnonzero(interactions.histories.lengths)
    asked[rng.choice(active, min(most_people, len(active)), replace=False)] = True
    return leave_one_out(interactions, rng, candidates, seed, people=asked, cold_share=cold_share)
