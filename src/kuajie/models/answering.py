"""From one history to its best items and their terms, as quickly as it goes.

`Plain` asks any recommender. `Fast` knows how merged models are made: it reads their arrays once and works on the few
entries of one history, without forming rows of matrices. Both give the same answers, which is how `Fast` is tested.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories
from kuajie.core.recommender import Explanation, Recommender
from kuajie.core.space import ItemSpace
from kuajie.models.als import ALS
from kuajie.models.als_single import Folded, SingleALS
from kuajie.models.blend import fit_key, removal_changes_mix, scoped
from kuajie.models.merged import Merged
from kuajie.models.merging import Block, MergedMix, Phi
from kuajie.models.ranker import Ranker
from kuajie.numerics.single import (
    add_factor_scores,
    add_factor_terms,
    add_row_terms,
    add_rows,
    add_sparse_row_terms,
    add_sparse_rows,
    best_of,
    count_between,
    distinct_entries,
    usable_places,
)

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Answer:
    """The best items of one history.

    Attributes:
        places: int64 (<= k,), numbers inside the target, best first.
        scores: float32, theirs.
        explanation: where the scores came from; None if nobody asked.
    """

    places: Ints
    scores: F32
    explanation: Explanation | None


class Answering(Protocol):
    """Answers for one history at a time."""

    def answer(
        self, history: Histories, target: str, k: int, *, explain: bool = True, seen: Items | None = None
    ) -> Answer | None:
        """The k best items of the target that were not seen; None if the history holds nothing known.

        Args:
            history: one row.
            target: domain to recommend from.
            k: how many.
            explain: whether terms are wanted.
            seen: joint numbers of items that are no candidates; left out: those of the history.
        """

    def scores(self, history: Histories, target: str) -> F32 | None:
        """The score of every item of the target, NaN where it is not known; None if the history holds nothing known."""

    def explain(self, history: Histories, target: str, places: Ints) -> Explanation | None:
        """Where the scores of some places of the target come from; None if the history holds nothing known."""


def answering(model: Recommender) -> Answering:
    """The quickest way to ask a model about one history."""
    if isinstance(model, Merged) and (model.rest_ is None or all_als(model)):
        return Fast(model)
    return TwoStages(model) if isinstance(model, Ranker) else Plain(model)


def all_als(model: Merged) -> bool:
    """Whether what could not be merged are ALS alone."""
    return model.rest_ is not None and all(isinstance(fit, ALS) for fit in model.rest_.fits_.values())


@dataclass(frozen=True, eq=False)
class Plain:
    """Any recommender; `space` is what it was fitted on."""

    model: Recommender

    def answer(
        self, history: Histories, target: str, k: int, *, explain: bool = True, seen: Items | None = None
    ) -> Answer | None:
        """See `Answering`."""
        scores = self.scores(history, target)
        if scores is None:
            return None
        part = self.model.space_.slice(target)  # type: ignore[attr-defined]
        scores[seen_places(history.items if seen is None else seen, part)] = np.nan
        places = best_places(scores, k)
        return Answer(places, scores[places], self.said(history, target, places, scores[places]) if explain else None)

    def said(self, history: Histories, target: str, places: Ints, scores: F32) -> Explanation:
        """Where the scores of some places came from."""
        return self.model.explain(history, target, places)

    def scores(self, history: Histories, target: str) -> F32 | None:
        """See `Answering`."""
        scores = self.model.score(history, target)[0]
        return None if np.isnan(scores).all() else scores

    def explain(self, history: Histories, target: str, places: Ints) -> Explanation | None:
        """See `Answering`."""
        return self.model.explain(history, target, places)


@dataclass(frozen=True, eq=False)
class TwoStages(Plain):
    """A ranker, which need not score what it explains once more."""

    model: Ranker

    def said(self, history: Histories, target: str, places: Ints, scores: F32) -> Explanation:
        """See `Plain`."""
        return self.model.explain(history, target, places, scores)


@dataclass(frozen=True, eq=False)
class TargetModel:
    """What answers for one target: known items, and for each mix merged blocks and (coefficient, ALS, what it sees)."""

    part: slice
    known: npt.NDArray[np.bool_]
    unknown: npt.NDArray[np.bool_]
    limits: tuple[int, ...]
    mixes: tuple[MergedMix, ...]
    members: tuple[tuple[tuple[float, SingleALS, str], ...], ...]


@dataclass(frozen=True, eq=False)
class Entries:
    """The distinct trained items of a history: items (h,), summed weights (h,), places among all distinct items."""

    items: npt.NDArray[np.int32]
    weights: F64
    places: Ints

    def inside(self, part: slice, scope: str) -> "Entries":
        """What a scope sees."""
        if scope == "joint":
            return self
        mask = (self.items >= part.start) & (self.items < part.stop)
        mask = mask if scope == "target" else ~mask
        return Entries(self.items[mask], self.weights[mask], self.places[mask])


@dataclass(frozen=True, eq=False)
class Scored:
    """One history and what each part of a blend makes of it.

    Attributes:
        model: of the target.
        mix: that its length chose.
        distinct: its items.
        weighed: what they weigh for each merged block.
        folded: coefficient, entries and factors of each ALS.
        total: the sum of the scores, 0 where nothing is known.
    """

    model: TargetModel
    mix: MergedMix
    distinct: Items
    weighed: list[tuple[F64, Block]]
    folded: list[tuple[float, Entries, Folded]]
    total: F32


class Fast:
    """See the module."""

    def __init__(self, model: Merged) -> None:
        self.space: ItemSpace = model.space_
        self.trained = model.support_ > 0
        self.targets = {target: target_model(model, target) for target in model.config.blend.targets}

    def answer(
        self, history: Histories, target: str, k: int, *, explain: bool = True, seen: Items | None = None
    ) -> Answer | None:
        """See `Answering`."""
        person = self.person(history, target)
        if person is None:
            return None
        model = person.model
        items = history.items if seen is None else seen
        places = best_of(person.total, model.unknown, items, model.part.start, k)
        scores = person.total[places]
        if not len(places) and not person.total.any():
            return None
        return Answer(places, scores, self.explained(history, person, places) if explain else None)

    def scores(self, history: Histories, target: str) -> F32 | None:
        """See `Answering`."""
        person = self.person(history, target)
        if person is None or not person.total.any():
            return None
        person.total[person.model.unknown] = np.nan
        return person.total

    def explain(self, history: Histories, target: str, places: Ints) -> Explanation | None:
        """See `Answering`."""
        person = self.person(history, target)
        return None if person is None else self.explained(history, person, places)

    def person(self, history: Histories, target: str) -> "Scored | None":
        """A history with the sum of all members' scores; None where nothing in it was trained."""
        model = self.targets[target]
        items, part = history.items, model.part
        distinct, weights = distinct_entries(items, history.weights, items.argsort(kind="stable"))
        if not len(usable_places(distinct, weights, model.known)):
            return None
        usable = usable_places(distinct, weights, self.trained)
        entries = Entries(distinct[usable], weights[usable], usable)
        number = self.mix_number(items, model)
        mix = model.mixes[number]
        total = mix.base.copy()
        weighed = [
            (weights if phi.weighing.is_plain else self.weighed(phi, history, target, distinct), block)
            for phi, block in mix.blocks.items()
        ]
        for factors, block in weighed:
            add_block(total, block, distinct, factors)
        folded: list[tuple[float, Entries, Folded]] = []
        for coefficient, single, scope in model.members[number]:
            own = entries.inside(part, scope)
            if len(own.items):
                member = single.fold(own.items, own.weights, target)
                folded.append((coefficient, own, member))
                add_factor_scores(total, member.factors, part.start, member.person, coefficient)
        return Scored(model, mix, distinct, weighed, folded, total)

    @staticmethod
    def explained(history: Histories, person: "Scored", places: Ints) -> Explanation:
        """The terms of some places' scores."""
        model, distinct = person.model, person.distinct
        terms = np.zeros((len(places), len(distinct)))
        base = person.mix.base[places].astype(np.float64)
        for factors, block in person.weighed:
            add_block_terms(terms, block, distinct, factors, places)
        rows = places + model.part.start
        for coefficient, own, member in person.folded:
            add_factor_terms(
                terms, base, member.factors, rows, member.responses, own.places, member.offset, coefficient
            )
        exact = not person.folded and plain_places(person.mix)
        exact = exact and not removal_changes_mix(history.items, model.part, model.limits)
        return Explanation(distinct, terms, base, exact)

    @staticmethod
    def mix_number(items: npt.NDArray[np.int32], model: TargetModel) -> int:
        """Which mix a history with so many entries in the target takes."""
        if len(model.limits) == 1:
            return 0
        return bisect_right(model.limits, count_between(items, model.part.start, model.part.stop)) - 1

    def weighed(self, phi: Phi, history: Histories, target: str, distinct: npt.NDArray[np.int32]) -> F64:
        """What the distinct items of a history weigh in one way of weighing."""
        seen = phi.weighing.apply(scoped(history, self.space, phi.scope, target), self.space)
        summed = np.bincount(np.searchsorted(distinct, seen.items), seen.weights, len(distinct))
        return np.asarray(summed, dtype=np.float64)


def add_block(total: F32, block: Block, items: npt.NDArray[np.int32], factors: F64) -> None:
    """`total += factors @ block[items]`, of either form of block."""
    if isinstance(block, np.ndarray):
        add_rows(total, block, items, factors)
    else:
        add_sparse_rows(total, block.data, block.indices, block.indptr, items, factors)


def add_block_terms(terms: F64, block: Block, items: npt.NDArray[np.int32], factors: F64, places: Ints) -> None:
    """`terms += (factors[:, None] * block[items][:, places]).T`, of either form of block."""
    if isinstance(block, np.ndarray):
        add_row_terms(terms, block, items, factors, places)
    else:
        add_sparse_row_terms(terms, block.data, block.indices, block.indptr, items, factors, places)


def target_model(model: Merged, target: str) -> TargetModel:
    """What a merged model has for one target."""
    part = model.space_.slice(target)
    mixes = model.config.blend.mixes_of(target)
    members: list[tuple[tuple[float, SingleALS, str], ...]] = [() for _ in mixes]
    rest = model.rest_
    if rest is not None and target in rest.config.targets:
        singles = {
            member.name: SingleALS(rest.fits_[fit_key(member, target)])  # type: ignore[arg-type]
            for member in rest.members_of(target)
        }
        members = [
            tuple(
                (mix.weights[member.name] / rest.scales_[member.name, target], singles[member.name], member.scope)
                for member in rest.members_of(target)
                if mix.weights.get(member.name)
            )
            for mix in rest.config.mixes_of(target)
        ]
    limits = tuple(mix.at_least for mix in mixes)
    known = model.known_[target]
    return TargetModel(part, known, ~known[part], limits, tuple(model.mixes_[target]), tuple(members))


def plain_places(mix: MergedMix) -> bool:
    """Whether removing an entry moves no other entry's position."""
    return all(phi.weighing.half_life_positions is None for phi in mix.blocks)


def seen_places(items: npt.NDArray[np.int32], part: slice) -> npt.NDArray[np.int32]:
    """Numbers inside the target of the items that lie in it."""
    return np.asarray(items[(items >= part.start) & (items < part.stop)] - part.start, dtype=np.int32)


def best_places(scores: F32, k: int) -> Ints:
    """The k largest scores, NaN never, ties by item number: (<= k,)."""
    sortable = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    if k < len(scores):
        limit = np.partition(sortable, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(sortable >= limit)
    else:
        places = np.arange(len(scores))
    best = places[np.argsort(-sortable[places], kind="stable")][:k]
    return best[sortable[best] > -np.inf]
