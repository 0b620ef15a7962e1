"""Rows held out of the training data, to stop on: one entry of some people, and never a test row.

The newest entry where there is one order, the newest of one random domain where the order holds inside domains, a
random one otherwise.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories, Interactions

LEAST_ENTRIES = 3
"""People with fewer give none."""
SHARE = 5
"""At most every fifth person gives one."""
PLACES = 10
Score = Callable[[Histories, str], npt.NDArray[np.float32]]
"""(histories, domain) -> scores of the domain's items."""


@dataclass(frozen=True, eq=False)
class Holdout:
    """Histories, and the item that each of them is asked for.

    Attributes:
        histories: without the held-out entry; `at` is its time, where there are times.
        items: int32 (n_rows,), joint numbers.
        weights: float32 (n_rows,), of the held-out entries.
    """

    histories: Histories
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    def take(self, rows: npt.NDArray[np.integer]) -> "Holdout":
        """Some of them."""
        return Holdout(self.histories.take(rows), self.items[rows], self.weights[rows])


def hold_out(interactions: Interactions, people: int, rng: np.random.Generator) -> tuple[Interactions, Holdout]:
    """Take an entry of at most `people` people away.

    Items that nobody else used stay in training, and so do items that a person used twice: a history must not hold
    what it is asked for.
    """
    histories = interactions.histories
    entries = _candidates(histories, interactions, rng)
    people = min(people, interactions.n_people // SHARE)
    entries = np.sort(rng.permutation(entries)[:people])
    rows = histories.rows()[entries]
    kept = np.ones(len(histories.items), dtype=bool)
    kept[entries] = False
    known = histories.keep(kept)
    asked = known.take(rows)
    if histories.times is not None:
        asked = replace(asked, at=histories.times[entries])
    return replace(interactions, histories=known), Holdout(asked, histories.items[entries], histories.weights[entries])


def _candidates(histories: Histories, interactions: Interactions, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The entry that each person would give; none of those who may give none."""
    rows, n_domains = histories.rows(), len(interactions.space.domains)
    if not len(rows):
        return rows
    positions = np.arange(len(rows), dtype=np.float64)
    chance = np.zeros(len(rows))
    if histories.order == "none":
        positions = rng.random(len(rows))
    elif histories.order == "domain":
        chance = rng.random((histories.n_rows, n_domains))[rows, interactions.space.domain_of(histories.items)]
    last = np.lexsort((positions, chance, rows))[histories.indptr[1:][histories.lengths > 0] - 1]
    support = interactions.support()
    pairs = rows * histories.n_items + histories.items
    _, pair, uses = np.unique(pairs, return_inverse=True, return_counts=True)
    allowed = (
        (histories.lengths[rows[last]] >= LEAST_ENTRIES)
        & (support[histories.items[last]] > 1)
        & (uses[pair[last]] == 1)
        & (histories.weights[last] > 0)
    )
    return last[allowed]


def ndcg(
    scores: npt.NDArray[np.float32], positives: npt.NDArray[np.integer], negatives: npt.NDArray[np.bool_]
) -> float:
    """Sum over rows of NDCG@10 with one positive: 1 / log2(rank + 1); tied items share their places.

    Args:
        scores: (n_rows, n_items); NaN ranks last.
        positives: int (n_rows,), columns.
        negatives: bool (n_rows, n_items), what the positive is ranked among; its own column is ignored.
    """
    rows = np.arange(len(scores))
    scores = np.nan_to_num(scores, nan=-np.inf)
    others = negatives.copy()
    others[rows, positives] = False
    own = scores[rows, positives][:, None]
    above, equal = ((scores > own) & others).sum(axis=1), ((scores == own) & others).sum(axis=1)
    ranks = above + equal / 2 + 1
    return float(np.where(ranks <= PLACES, 1 / np.log2(ranks + 1), 0.0).sum())


class Validation(Protocol):
    """A number that says how good a network is, larger for better ones.

    Attributes:
        metric: its name.
    """

    metric: str

    @property
    def n_rows(self) -> int:
        """How many held-out rows it reads."""

    def only(self, domain: str) -> "Validation":
        """The same of one domain's rows."""

    def __call__(self, score: Score) -> float:
        """The number, of `score(histories, domain)`."""


class Judge:
    """Ranks the held-out items with the same candidates after every epoch."""

    metric = "ndcg@10"

    def __init__(
        self, holdout: Holdout, interactions: Interactions, candidates: int | None, rng: np.random.Generator
    ) -> None:
        self.holdout, self.space = holdout, interactions.space
        self.candidates, self.seed = candidates, int(rng.integers(2**62))
        self.trained = interactions.support() > 0
        self.domains = self.space.domain_of(holdout.items)

    def only(self, domain: str) -> "Judge":
        """A judge of one domain's rows."""
        judge, rows = copy.copy(self), np.flatnonzero(self.domains == self.space.index(domain))
        judge.holdout = self.holdout.take(rows)
        judge.domains = self.domains[rows]
        return judge

    @property
    def n_rows(self) -> int:
        """How many are asked."""
        return len(self.domains)

    def __call__(self, score: Score, batch: int = 256) -> float:
        """Mean NDCG@10 of `score(histories, domain)` over all held-out rows; 0 where there are none."""
        total, rng = 0.0, np.random.default_rng(self.seed)
        for number in np.unique(self.domains):
            name = self.space.domains[number]
            part, rows = self.space.slice(name), np.flatnonzero(self.domains == number)
            for start in range(0, len(rows), batch):
                chosen = rows[start : start + batch]
                histories = self.holdout.histories.take(chosen)
                negatives = self._negatives(histories, part, rng)
                total += ndcg(score(histories, name), self.holdout.items[chosen] - part.start, negatives)
        return total / max(len(self.domains), 1)

    def _negatives(self, histories: Histories, part: slice, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        size = part.stop - part.start
        allowed = np.tile(self.trained[part], (histories.n_rows, 1))
        seen = (histories.items >= part.start) & (histories.items < part.stop)
        allowed[histories.rows()[seen], histories.items[seen] - part.start] = False
        if self.candidates is None or self.candidates >= size:
            return allowed
        drawn = np.zeros_like(allowed)
        drawn[np.arange(len(allowed))[:, None], rng.integers(0, size, (len(allowed), self.candidates))] = True
        return allowed & drawn
