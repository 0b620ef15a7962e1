"""Guard: a new model must not be worse than the one that serves before it takes its place.

    its snapshot has not lost a large part of the people, events or items
    recall@10 on what people did since the serving model's snapshot was frozen does not fall by more than a share

For the second, the candidate is fitted on what the new snapshot says of the time before that moment, and both are asked
for what was used since then, which neither has seen: the serving model by the histories of its own snapshot, so that
data that have gone wrong meanwhile are found. Where too little has happened since, both blends are fitted and asked on
one held-out row of each person; where they are the same blend, there is nothing to compare.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import DataError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.texts import Text
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import Manifest
from kuajie.evaluation.metrics import row_metric
from kuajie.evaluation.protocols import Split, leave_one_out, time_split
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.blend import Blend, BlendConfig
from kuajie.models.merged import Merged
from kuajie.workflows.step import numbers_in

METRIC = "recall@10"
MOST_ROWS = 20_000
"""Of each target, drawn at random."""
AFTER = 1e-3
"""Seconds after the newest event that the serving model may have learned."""
CERTAIN = 1.96
"""Standard errors by which a fall must be more than chance."""
F32 = npt.NDArray[np.float32]
Hits = npt.NDArray[np.float64]
Ranker = Callable[[RankingTask], Hits]
"""Recall of each row of a task."""


@dataclass(frozen=True)
class Limits:
    """What is worse.

    Attributes:
        fall: share by which recall may fall.
        shrink: share of people, events or items that may be missing.
        least_rows: a target with fewer rows is not compared.
    """

    fall: float = 0.05
    shrink: float = 0.2
    least_rows: int = 200


@dataclass(frozen=True, eq=False)
class Served:
    """What serves now: a model and its snapshot."""

    model: Recommender
    dataset: JointDataset

    @property
    def manifest(self) -> Manifest:
        """Of the snapshot."""
        return self.dataset.snapshot.manifest

    @property
    def blend(self) -> BlendConfig | None:
        """What it was merged from, if it was."""
        return self.model.config.blend if isinstance(self.model, Merged) else None


@dataclass(frozen=True)
class Verdict:
    """What the comparison said.

    Attributes:
        metrics: target -> recall of both and the number of rows.
        problem: why the candidate must not serve; None: it may.
        note: what could not be compared.
    """

    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    problem: Text | None = None
    note: Text | None = None


def compare(
    dataset: JointDataset, served: Served, candidate: BlendConfig, options: FitOptions, limits: Limits
) -> Verdict:
    """Compare a blend for a new snapshot with what serves.

    Raises:
        ResourceError: the candidate does not fit into memory.
    """
    problem = shrunk(served.manifest, dataset.snapshot.manifest, limits.shrink)
    if problem is not None:
        return Verdict(problem=problem)
    interactions, rng = dataset.interactions(), np.random.default_rng([options.seed, 21])
    fitted: tuple[Ranker, Ranker] | None = None
    split = since(interactions, served.dataset.now + AFTER, limits.least_rows)
    if split is not None:
        fitted = ranker(candidate, split, options), serving_ranker(served, dataset, options)
    elif served.blend == candidate:
        return Verdict(note=Text("too little has happened since to compare; the blend is the same"))
    elif served.blend is not None and set(served.blend.targets) == set(candidate.targets):
        split = leave_one_out(interactions, rng)
        fitted = ranker(candidate, split, options), ranker(served.blend, split, options)
    if split is None or fitted is None:
        return Verdict(note=Text("the model that serves cannot be compared with"))
    tasks = tasks_of(split, limits.least_rows, rng)
    hits = {target: (fitted[0](task), fitted[1](task)) for target, task in tasks.items()}
    return judged(hits, limits)


def tasks_of(split: Split, least: int, rng: np.random.Generator) -> dict[str, RankingTask]:
    """The targets with enough rows, each with at most `MOST_ROWS`."""
    known = {target: with_history(task) for target, task in split.tasks.items()}
    return {target: few(task, rng) for target, task in known.items() if task.n_rows >= max(least, 1)}


def with_history(task: RankingTask) -> RankingTask:
    """The rows of whom something was known before: the others say nothing of a model."""
    return task.take(task.histories.lengths[task.history_of] > 0)


def few(task: RankingTask, rng: np.random.Generator) -> RankingTask:
    """At most `MOST_ROWS` rows."""
    if task.n_rows <= MOST_ROWS:
        return task
    return task.take(np.sort(rng.choice(task.n_rows, MOST_ROWS, replace=False)))


def since(interactions: Interactions, at: float, least: int) -> Split | None:
    """What was known at a moment, and what was used from then on; None where that is too little for every target."""
    try:
        split = time_split(interactions, at)
    except DataError:
        return None
    return split if any(with_history(task).n_rows >= max(least, 1) for task in split.tasks.values()) else None


def ranker(config: BlendConfig, split: Split, options: FitOptions) -> Ranker:
    """A blend fitted on the training part of a split."""
    model = Blend(config).fit(split.train, options)
    return lambda task: hits_of(task, lambda histories: model.score(histories, task.domain), options)


def serving_ranker(served: Served, dataset: JointDataset, options: FitOptions) -> Ranker:
    """What serves, with the histories of its own snapshot, ranking the items of a newer catalogue."""
    own, old = served.dataset.interactions().histories, served.dataset.space
    number_of = numbers_in(served.dataset.catalog, dataset.catalog)

    def hits(task: RankingTask) -> Hits:
        people, history_of = np.unique(task.people, return_inverse=True)
        rows = np.array([row_in(served.dataset, dataset, person, task.domain) for person in people.tolist()])
        known = own.take(np.maximum(rows, 0))
        known = known.keep(np.repeat(rows >= 0, known.lengths))
        numbers = number_of[dataset.space.slice(task.domain)]
        there = numbers >= 0

        def score(histories: Histories) -> F32:
            scores = np.full((histories.n_rows, task.n_items), np.nan, np.float32)
            if task.domain in old.domains:
                columns = numbers[there] - old.slice(task.domain).start
                scores[:, there] = served.model.score(histories, task.domain)[:, columns]
            return scores

        return hits_of(replace(task, histories=known, history_of=history_of.astype(np.int64)), score, options)

    return hits


def row_in(old: JointDataset, new: JointDataset, person: int, domain: str) -> int:
    """The row of a person in an older snapshot, by the account of a domain first; -1: nobody knew them."""
    for account in sorted(new.accounts_of(person), key=lambda each: each.domain != domain):
        with suppress(UsageError):
            return old.person_of(account)
    return -1


def hits_of(task: RankingTask, score: Callable[[Histories], F32], options: FitOptions) -> Hits:
    """Recall of each row."""
    return row_metric(rank_task(task, score, threads=options.threads), METRIC)


def judged(hits: Mapping[str, tuple[Hits, Hits]], limits: Limits) -> Verdict:
    """Worse is who falls by more than the limit and by more than chance, for any target.

    Args:
        hits: target -> recall of each row of the candidate and of what serves.
        limits: how much.
    """
    metrics: dict[str, dict[str, float]] = {}
    problem = None
    for target, (new, old) in hits.items():
        recall, before = float(new.mean()), float(old.mean())
        metrics[target] = {METRIC: recall, f"serving_{METRIC}": before, "rows": float(len(new))}
        chance = CERTAIN * float((new - old).std(ddof=1)) / np.sqrt(len(new)) if len(new) > 1 else np.inf
        if before - recall > max(limits.fall * before, chance):
            problem = problem or Text(
                "{metric} for {target} would fall from {before:.4f} to {recall:.4f} on {rows} rows",
                metric=METRIC,
                target=target,
                before=before,
                recall=recall,
                rows=len(new),
            )
    return Verdict(metrics, problem)


def shrunk(old: Manifest, new: Manifest, limit: float) -> Text | None:
    """What a snapshot has lost against an older one, if it is much."""
    counts = [(Text("people"), old.people, new.people), (Text("events"), old.events, new.events)]
    counts += [
        (Text("items of {domain}", domain=domain), count, new.items.get(domain, 0))
        for domain, count in old.items.items()
    ]
    for what, before, now in counts:
        if now < before * (1 - limit):
            return Text(
                "the snapshot has {now:,} {what}, the one of the model that serves has {before:,}",
                now=now,
                what=what,
                before=before,
            )
    return None
