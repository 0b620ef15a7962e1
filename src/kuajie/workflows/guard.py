"""Guard: a new model must not be worse than the one that serves before it takes its place.

    its snapshot has not lost a large part of the people, events or items
    recall@10 on what people did since the serving model's snapshot was frozen does not fall by more than a share

For the second, the candidate is fitted on what was known at that moment, as the serving model was, and both are asked
for what was used since then: neither has seen it. Where too little has happened since, both blends are fitted and asked
on one held-out row of each person; where they are the same blend, there is nothing to compare.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import DataError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.texts import Text
from kuajie.data.catalog import Catalog
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import Manifest
from kuajie.evaluation.metrics import row_metric
from kuajie.evaluation.protocols import Split, leave_one_out, time_split
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.blend import Blend, BlendConfig
from kuajie.models.merged import Merged

METRIC = "recall@10"
MOST_ROWS = 20_000
"""Of each target, drawn at random."""
CERTAIN = 1.96
"""Standard errors by which a fall must be more than chance."""
F32 = npt.NDArray[np.float32]
ScoreOf = Callable[[Histories, str], F32]


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


@dataclass(frozen=True)
class Served:
    """What serves now: a model over the catalogue and the manifest of its snapshot."""

    model: Recommender
    catalog: Catalog
    manifest: Manifest

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
    fitted: tuple[ScoreOf, ScoreOf] | None = None
    split = since(interactions, served.manifest.as_of.timestamp(), limits.least_rows)
    if split is not None:
        fitted = scorer(candidate, split, options), translated(served, dataset.catalog)
    elif served.blend == candidate:
        return Verdict(note=Text("too little has happened since to compare; the blend is the same"))
    elif served.blend is not None and set(served.blend.targets) == set(candidate.targets):
        split = leave_one_out(interactions, rng)
        fitted = scorer(candidate, split, options), scorer(served.blend, split, options)
    if split is None or fitted is None:
        return Verdict(note=Text("the model that serves cannot be compared with"))
    hits = {
        target: (hits_of(task, fitted[0], options), hits_of(task, fitted[1], options))
        for target, task in tasks_of(split, limits.least_rows, rng).items()
    }
    return judged(hits, limits)


def tasks_of(split: Split, least: int, rng: np.random.Generator) -> dict[str, RankingTask]:
    """The targets with enough rows, each with at most `MOST_ROWS`."""
    enough = {target: task for target, task in split.tasks.items() if task.n_rows >= max(least, 1)}
    return {target: few(task, rng) for target, task in enough.items()}


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
    return split if any(task.n_rows >= max(least, 1) for task in split.tasks.values()) else None


def scorer(config: BlendConfig, split: Split, options: FitOptions) -> ScoreOf:
    """A blend fitted on the training part of a split."""
    return Blend(config).fit(split.train, options).score


def translated(served: Served, catalog: Catalog) -> ScoreOf:
    """The scores of what serves in the numbers of a newer catalogue; what it does not know is NaN."""
    space, old = catalog.space, served.catalog.space
    number_of = np.full(space.n_items, -1, np.int32)
    for domain in space.domains:
        if domain in old.domains:
            found = served.catalog.ids[domain].numbers(catalog.ids[domain].all)
            number_of[space.slice(domain)] = np.where(found >= 0, found + old.slice(domain).start, -1)

    def score(histories: Histories, target: str) -> F32:
        known = histories.keep(number_of[histories.items] >= 0)
        scores = np.full((histories.n_rows, space.sizes[space.index(target)]), np.nan, np.float32)
        if target in old.domains:
            numbers = number_of[space.slice(target)]
            there = numbers >= 0
            moved = replace(known, items=number_of[known.items], n_items=old.n_items)
            scores[:, there] = served.model.score(moved, target)[:, numbers[there] - old.slice(target).start]
        return scores

    return score


def hits_of(task: RankingTask, score: ScoreOf, options: FitOptions) -> npt.NDArray[np.float64]:
    """Recall of each row."""
    ranks = rank_task(task, lambda histories: score(histories, task.domain), threads=options.threads)
    return row_metric(ranks, METRIC)


def judged(hits: Mapping[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]], limits: Limits) -> Verdict:
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
