"""Against the pull of what is popular: a discount on popularity, and xQuAD over the head and the tail.

`discount` orders by (1 - strength) relevance - strength log(1 + popularity) / log(1 + the largest of the list).

`xquad` chooses place by place

    argmax_i  (1 - strength) relevance(i) + strength sum_d P(d | person) P(i | d) (1 - covered(d))

where d are groups, by default head and tail, and covered is the share of the list so far that is of d (smooth), or
whether anything is (binary).

Source: Abdollahpouri, Burke and Mobasher (2019), "Managing popularity bias in recommender systems with personalized
re-ranking", FLAIRS, equations 1 to 3, after Santos et al. (2010). The smooth form takes the share once, where the paper
multiplies over the list.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F64, I32, I64, kernel
from kuajie.rerank.base import Candidates, Context, Outcome, Share, StepConfig, as_they_are, by_value, relevance
from kuajie.rerank.greedy import bring, by_groups, count_present, spread_row


class DiscountConfig(StepConfig):
    """How much popularity is held against an item.

    Attributes:
        strength: 0: relevance alone; 1: the least popular first.
        by: a number of items.
    """

    kind: Literal["discount"] = "discount"
    strength: Share = 0.2
    by: str = "popularity"


class XQuADConfig(StepConfig):
    """How much covering what the person knows counts.

    Attributes:
        strength: 0: relevance alone; 1: coverage alone.
        by: groups or a label of items.
        smooth: whether a group counts as covered by its share of the list, or wholly once it is there.
        personal: whether P(d | person) is the history's share of d, or every group is wanted alike.
    """

    kind: Literal["xquad"] = "xquad"
    strength: Share = 0.3
    by: str = "tail"
    smooth: bool = True
    personal: bool = True


@dataclass(frozen=True)
class Discount:
    """See the module."""

    config: DiscountConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`; the whole list is ordered, whatever k."""
        if not self.config.strength:
            return Outcome(as_they_are(candidates))
        known = np.nan_to_num(context.items.number(self.config.by, candidates.items))
        logs = np.where(candidates.present, np.log1p(np.maximum(known, 0.0)), 0.0)
        most = logs.max(axis=1, keepdims=True, initial=0.0)
        pull = logs / np.where(most > 0, most, 1.0)
        s = self.config.strength
        return Outcome(by_value((1 - s) * relevance(candidates.scores) - s * pull, candidates))


@dataclass(frozen=True)
class XQuAD:
    """See the module; people of whom no mix is known want every group alike."""

    config: XQuADConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        config = self.config
        if not config.strength:
            return Outcome(as_they_are(candidates))
        rows = context.items.group(config.by).matrix
        none = sparse.csr_array((len(candidates.items), rows.shape[1]))
        mix = context.people.mixes.get(config.by, none) if config.personal else none
        return Outcome(by_groups(_choose, candidates, k, (config.strength, config.smooth), rows, mix, threads))


@kernel
def _choose(
    low: int, high: int, k: int, strength: float, smooth: bool, items: I32, worth: F64,
    indptr: I64, columns: I32, values: F64, starts: I64, groups: I32, mix: F64, width: int, order: I32,
) -> None:  # fmt: skip
    wanted, sums = np.empty(width), np.empty(width)
    for number in range(low, high):
        first, last = starts[number], starts[number + 1]
        wanted[:] = 0.0 if last > first else 1.0 / width
        wanted[groups[first:last]] = mix[first:last]
        sums[:] = 0.0
        row, count = order[number], count_present(order[number])
        for at in range(min(k, count)):
            best, most = at, -np.inf
            for place in range(at, count):
                item, gain = items[number, row[place]], 0.0
                if item >= 0:
                    for entry in range(indptr[item], indptr[item + 1]):
                        covered = sums[columns[entry]] / max(at, 1) if smooth else min(sums[columns[entry]], 1.0)
                        gain += wanted[columns[entry]] * values[entry] * (1 - covered)
                value = (1 - strength) * worth[number, row[place]] + strength * gain
                if value > most + 1e-12:  # rounding must not part equals
                    best, most = place, value
            bring(row, at, best)
            spread_row(items[number, row[at]], indptr, columns, values, sums, 1.0)
