"""Held-out rows with what a model ranks first for them, and what lists made of it are like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.progress import Progress
from kuajie.core.recommender import Recommender
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.evaluation.balance import floors_kept, mean_support, miscalibration, most_of_one, share_of, topics
from kuajie.evaluation.lists import coverage, gini, intra_list_diversity, people_of_items
from kuajie.evaluation.protocols import Split
from kuajie.evaluation.tasks import Ragged, RankingTask
from kuajie.models.blend import fit_scoped, scoped
from kuajie.numerics.topk import top_k
from kuajie.rerank.base import Candidates, Context, Items, People, StepConfig
from kuajie.rerank.pipeline import rerank
from kuajie.workflows.arena import ArenaOptions, Entrant
from kuajie.workflows.item_facts import people_of

K = 10
ALL = "*"
"""Stands for all domains, where their items are in one list."""
Describe = Callable[[npt.NDArray[np.float64]], Items]
"""(n_items,) how many people used each item -> what is known of items."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Held-out rows of one target with what the model ranked first for them.

    Attributes:
        target: the domain.
        candidates: (n, m).
        positives: int32 (n,), joint numbers of the items that are asked for.
        people: int64 (n,).
        context: what is known of items and people.
        support: float64 (n_items,), people who used each item of the joint space.
        part: the target's slice.
    """

    target: str
    candidates: Candidates
    positives: npt.NDArray[np.int32]
    people: npt.NDArray[np.int64]
    context: Context
    support: npt.NDArray[np.float64]
    part: slice

    def lists(self, step: StepConfig | None, threads: int = 1) -> npt.NDArray[np.int32]:
        """The first K after a step, joint numbers: int32 (n, K)."""
        order = rerank([] if step is None else [step], self.candidates, K, self.context, threads).order
        items = np.take_along_axis(self.candidates.items, np.maximum(order, 0), axis=1)
        return np.where(order >= 0, items, np.int32(-1)).astype(np.int32)

    def gains(self, lists: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """NDCG@K of each row, which asks for one item: (n,)."""
        found = lists == self.positives[:, None]
        return np.asarray((found / np.log2(np.arange(2, K + 2))).sum(axis=1))

    def metrics(self, lists: npt.NDArray[np.int32]) -> dict[str, float]:
        """Everything that lists are judged by beside NDCG; what is not known of the items is left out."""
        items, own = self.context.items, np.where(lists >= 0, lists - self.part.start, -1)
        size = self.part.stop - self.part.start
        values = {
            "coverage": coverage(own, size),
            "gini": gini(own, size),
            "popularity": mean_support(lists, self.support),
            "tail": share_of(lists, np.asarray(items.group("tail").matrix[:, [1]].toarray()).ravel() > 0),
            "diversity": intra_list_diversity(lists, items.vector("content")),
        }
        if "category" in items.labels:
            groups = items.group("category").matrix
            values["topics"] = topics(lists, groups)
            values["miscalibration"] = miscalibration(lists, groups, self.context.people.mixes["category"])
            values["most_of_one"] = most_of_one(lists, items.label("category").codes)
        if "domain" in self.context.people.mixes:
            mix = self.context.people.mixes["domain"]
            values["domain_miscalibration"] = miscalibration(lists, items.group("domain").matrix, mix)
        if "brand" in items.labels:
            brands = items.label("brand")
            values["floors"] = floors_kept(own, brands.codes[self.part], len(brands.names))
        return values


def ask(
    split: Split,
    config: Config,
    entrant: Entrant,
    describe: Describe,
    *,
    factor: int,
    most_rows: int,
    seed: int,
    mixed: bool,
    options: ArenaOptions,
    progress: Progress,
) -> dict[str, Asked]:
    """Fit a model and let it rank the candidates of held-out rows, for each target that has some.

    With `mixed` the candidates are of all domains, and the rows of all targets stand together under `ALL`.

    Raises:
        UsageError: mixed lists of a model that sees one domain alone.
    """
    if mixed and entrant.scope != "joint":
        raise UsageError(
            "'{name}' does not see all domains, so it can mix none. Use it without :scope.", name=entrant.name
        )
    space = split.train.space
    support = np.concatenate([people_of_items(split.train, domain) for domain in space.domains])
    items, found = describe(support), dict[str, Asked]()
    model: Recommender | None = None
    for domain, task in split.tasks.items():
        if not task.n_rows:
            continue
        progress(Text("fit and score {model}", model=entrant.name), len(found), len(split.tasks))
        if model is None or entrant.scope == "target":
            model = fit_scoped(
                config, domain if entrant.scope == "target" else None, split.train, options.fit_options(seed)
            )
        rng = np.random.default_rng([seed, 5, task.domain_index])
        if task.n_rows > most_rows:
            task = task.take(np.sort(rng.choice(task.n_rows, most_rows, replace=False)))  # noqa: PLW2901
        ranker = Ranker(model, entrant, space, factor * K, options)
        candidates = ranker.mixed(task) if mixed else ranker.best(task, domain)
        part = slice(0, space.n_items) if mixed else space.slice(domain)
        histories = task.histories.take(task.history_of)
        names = [name for name in ("category", "tail", *(["domain"] if mixed else [])) if has(items, name)]
        people = people_of(histories, items, names, space, None if mixed else domain)
        context = Context(items, people, part=part)
        positives = (task.positives + task.first_item).astype(np.int32)
        found[domain] = Asked(domain, candidates, positives, task.people, context, support, part)
    return {ALL: together(list(found.values()))} if mixed and found else found


@dataclass(frozen=True, eq=False)
class Ranker:
    """A fitted model that names the m best candidates of rows."""

    model: Recommender
    entrant: Entrant
    space: ItemSpace
    m: int
    options: ArenaOptions

    def best(self, task: RankingTask, domain: str) -> Candidates:
        """Of one domain, without what a row's person knows of it: (n_rows, m), joint numbers."""
        part = self.space.slice(domain)
        histories = task.histories.take(task.history_of)
        best = np.full((task.n_rows, self.m), -1, np.int32)
        scores = np.full((task.n_rows, self.m), np.nan)
        size = max(1, self.options.batch_bytes // (4 * max(1, part.stop - part.start)))
        for low in range(0, task.n_rows, size):
            rows = np.arange(low, min(low + size, task.n_rows))
            own = histories.take(rows)
            scored = self.model.score(scoped(own, self.space, self.entrant.scope, domain), domain)
            asked = domain == task.domain
            known = as_histories(task.excluded.take(rows), part.start, self.space.n_items) if asked else own
            top = top_k(scored, self.m, known, part.start)
            best[rows] = np.where(top.items >= 0, top.items + part.start, -1)
            scores[rows] = top.scores
        return Candidates(best, scores)

    def mixed(self, task: RankingTask) -> Candidates:
        """Of all domains, the scores of each in units of its mean best score: (n_rows, m)."""
        parts = [self.best(task, domain) for domain in self.space.domains]
        scaled = []
        for each in parts:
            first = each.scores[:, 0][each.present[:, 0]]
            unit = float(np.abs(first).mean()) if len(first) else 1.0
            scaled.append(each.scores / (unit if unit > 0 else 1.0))
        items, scores = np.hstack([each.items for each in parts]), np.hstack(scaled)
        order = np.argsort(np.where(np.isfinite(scores), -scores, np.inf), axis=1, kind="stable")[:, : self.m]
        return Candidates(np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1))


def together(parts: Sequence[Asked]) -> Asked:
    """The rows of several targets, whose candidates are of all domains."""
    first = parts[0]
    candidates = Candidates(
        np.concatenate([each.candidates.items for each in parts]),
        np.concatenate([each.candidates.scores for each in parts]),
    )
    mixes = {
        name: sparse.csr_array(sparse.vstack([each.context.people.mixes[name] for each in parts], format="csr"))
        for name in first.context.people.mixes
    }
    return replace(
        first,
        target=ALL,
        candidates=candidates,
        positives=np.concatenate([each.positives for each in parts]),
        people=np.concatenate([each.people for each in parts]),
        context=replace(first.context, people=People(mixes)),
    )


def has(items: Items, name: str) -> bool:
    """Whether groups or a label of this name are known."""
    return name in items.groups or name in items.labels


def as_histories(excluded: Ragged, start: int, n_items: int) -> Histories:
    """What is no candidate of each row, as `top_k` takes it."""
    items = (excluded.items + start).astype(np.int32)
    return Histories(excluded.indptr, items, np.ones(len(items), np.float32), n_items)
