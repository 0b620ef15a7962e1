"""Maximal marginal relevance: each place goes to what is relevant and unlike the most similar item above it.

    argmax_i  (1 - strength) relevance(i) - strength max_{j chosen} cos(i, j)

Source: Carbonell and Goldstein (1998), "The use of MMR", SIGIR, with lambda = 1 - strength. Similarities below 0 count
as 0.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kuajie.numerics.jit import F64, I32, I64, kernel
from kuajie.numerics.threads import run_blocks
from kuajie.rerank.base import Candidates, Context, Outcome, Share, StepConfig, as_they_are, relevance
from kuajie.rerank.greedy import bring, count_present, dot_row, spread_row


class MMRConfig(StepConfig):
    """How much unlikeness counts.

    Attributes:
        strength: 0: relevance alone; 1: unlikeness alone.
        vectors: what similarity is read from.
    """

    kind: Literal["mmr"] = "mmr"
    strength: Share = 0.3
    vectors: str = "content"


@dataclass(frozen=True)
class MMR:
    """See the module."""

    config: MMRConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        order, worth = as_they_are(candidates), relevance(candidates.scores)
        if self.config.strength:
            rows = context.items.vector(self.config.vectors)
            parts = rows.indptr, rows.indices, rows.data

            def work(low: int, high: int) -> None:
                _choose(low, high, k, self.config.strength, candidates.items, worth, *parts, rows.shape[1], order)

            run_blocks(work, len(order), threads)
        return Outcome(order)


@kernel
def _choose(
    low: int, high: int, k: int, strength: float, items: I32, worth: F64,
    indptr: I64, columns: I32, values: F64, width: int, order: I32,
) -> None:  # fmt: skip
    nearest, buffer = np.empty(items.shape[1]), np.zeros(width)
    for number in range(low, high):
        row, count = order[number], count_present(order[number])
        nearest[:] = 0.0
        for at in range(min(k, count)):
            best, most = at, -np.inf
            for place in range(at, count):
                value = (1 - strength) * worth[number, row[place]] - strength * nearest[row[place]]
                if value > most:
                    best, most = place, value
            bring(row, at, best)
            item = items[number, row[at]]
            spread_row(item, indptr, columns, values, buffer, 1.0)
            for place in range(at + 1, count):
                like = dot_row(items[number, row[place]], indptr, columns, values, buffer)
                nearest[row[place]] = max(nearest[row[place]], like)
            if item >= 0:
                buffer[columns[indptr[item] : indptr[item + 1]]] = 0.0
