"""The first stage of a ranker: generators score everything, their best items become candidates with features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.recommender import Recommender
from kuajie.core.space import ItemSpace
from kuajie.models.blend import Blend, Member, scoped
from kuajie.models.ranker_facts import Facts
from kuajie.numerics.jit import F32, I64
from kuajie.numerics.topk import top_k

KEPT_BITS = 12
"""Bits of the mantissa that features keep: sums of another order then fall on the same side of a threshold."""

Profile = Callable[[Histories], npt.NDArray[np.floating]]
"""Further features of each history, which must know nothing later than its `at`: (n_rows, n_features)."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of a history and an item with what is known of them, by row.

    Attributes:
        rows, items: int64 (n_pairs,); items are numbers inside the target.
        features: float32 (n_pairs, n_features).
        base: float32 (n_rows, n_target), the first generator's scores: the order of everything else.
    """

    rows: I64
    items: I64
    features: F32
    base: F32


@dataclass(frozen=True, eq=False)
class FirstStage:
    """Fitted generators and facts.

    Attributes:
        space: the joint item space.
        generators: name -> what it may see, and its fitted model for a target.
        facts: of the items.
        depth: best items of each generator that become candidates.
        steps: in the graph.
        repeats: whether items of the history may be candidates.
        profile_features: columns that are passed from outside.
    """

    space: ItemSpace
    generators: Mapping[str, tuple[Member, Mapping[str, Recommender]]]
    facts: Facts
    depth: int
    steps: int
    repeats: bool
    profile_features: int

    def names(self, target: str) -> tuple[str, ...]:
        """Of the features of a target, in order."""
        voices = [f"{name} {what}" for name in self.generators for what in ("score", "share of the best score", "rank")]
        parts = [
            f"{name} > {member.name} {what}"
            for name, (_, models) in self.generators.items()
            if isinstance(blend := models[target], Blend)
            for member in blend.members_of(target)
            for what in ("score", "share of the best score")
        ]
        profile = [f"profile {number}" for number in range(self.profile_features)]
        return (*voices, *parts, *self.facts.names, *profile)

    def candidates(
        self,
        histories: Histories,
        target: str,
        profile: npt.NDArray[np.floating] | None = None,
        threads: int = 1,
        only: I64 | None = None,
    ) -> Candidates:
        """The best items of every generator, or the features that some items have beside them.

        Args:
            histories: one row for each person.
            target: the domain to recommend from.
            profile: (n_rows, profile_features); left out: unknown.
            threads: how many threads.
            only: int64 (n,), ascending numbers inside the target: these items alone, for every row.

        Raises:
            UsageError: the profile has another shape.
        """
        part = self.space.slice(target)
        lists, alone = self._scores(histories, target)
        seen, width = None if self.repeats else histories, part.stop - part.start
        best = [_keys(top_k(scores, self.depth, seen, part.start, threads).items, width) for scores in lists]
        pairs = np.unique(np.concatenate([keys for keys, _ in best]))
        beside = np.divmod(pairs, max(width, 1))
        if only is not None:
            pairs = (np.arange(histories.n_rows)[:, None] * width + only).reshape(-1)
        rows, items = np.divmod(pairs, max(width, 1))
        columns: list[F32] = []
        for scores, (keys, places) in zip(lists, best, strict=True):
            rank = np.full(len(pairs), self.depth + 1, np.float32)  # as if it stood after the list
            asked = np.isin(keys, pairs)
            rank[np.searchsorted(pairs, keys[asked])] = places[asked] + 1
            columns += [*_shares(scores, rows, items, beside), rank]
        for scores in alone:
            columns += _shares(scores, rows, items, beside)
        known = self.facts.pairs(histories, target, rows, items, self.steps)
        parts = [np.stack(columns, axis=1), known, self._profile(profile, histories.n_rows)[rows]]
        return Candidates(rows, items, rounded(np.concatenate(parts, axis=1)), lists[0])

    def _scores(self, histories: Histories, target: str) -> tuple[list[F32], list[F32]]:
        """Scores of the generators, and those of the members of blends among them."""
        lists: list[F32] = []
        alone: list[F32] = []
        for member, models in self.generators.values():
            seen, model = scoped(histories, self.space, member.scope, target), models[target]
            if isinstance(model, Blend):
                total, parts = model.score_parts(seen, target, keep=True)
                lists.append(total)
                alone += parts.values()
            else:
                lists.append(model.score(seen, target))
        return lists, alone

    def _profile(self, profile: npt.NDArray[np.floating] | None, n_rows: int) -> F32:
        shape = (n_rows, self.profile_features)
        if profile is None:
            return np.full(shape, np.nan, np.float32)
        if profile.shape != shape:
            raise UsageError("the ranker needs profile features of shape {shape}, got {got}", shape=shape,
                             got=profile.shape)  # fmt: skip
        return np.asarray(profile, np.float32)


def _shares(scores: F32, rows: I64, items: I64, beside: tuple[I64, I64]) -> tuple[F32, F32]:
    """The score of each pair, and as a share of the best score of its row's candidates, the pairs `beside`."""
    own = scores[rows, items]
    best = np.full(len(scores), -np.inf, np.float32)
    np.maximum.at(best, beside[0], np.nan_to_num(scores[beside], nan=-np.inf))
    top = best[rows]
    share = np.divide(own, top, out=np.full(len(own), np.nan, np.float32), where=np.isfinite(top) & (top > 0))
    return own, share


def _keys(ranked: npt.NDArray[np.int32], width: int) -> tuple[I64, I64]:
    """Lists of items (n_rows, depth) as numbers row * width + item, and the place of each from 0."""
    rows, places = np.nonzero(ranked >= 0)
    return rows * width + ranked[rows, places], places


def rounded(values: F32) -> F32:
    """Numbers with `KEPT_BITS` bits of their mantissa, NaN as it is; changes `values`."""
    unknown = np.isnan(values)
    bits = values.view(np.uint32)
    half = np.uint32(1 << (23 - KEPT_BITS - 1))
    np.add(bits, half, out=bits, where=~unknown)
    bits &= np.uint32(0xFFFFFFFF << (23 - KEPT_BITS) & 0xFFFFFFFF)
    values[unknown] = np.nan
    return values
