"""Determinantal point process: the list whose vectors span the largest volume, weighed against relevance.

    greedily maximise  (1 - strength) sum_i relevance(i) + strength log det S_list

with S = (1 - noise) cos + noise I, by updating the Cholesky factor of the chosen items, O(k m (k + d)) for a list.

Source: Chen, Zhang and Zhou (2018), "Fast greedy MAP inference for determinantal point process to improve
recommendation diversity", NeurIPS, algorithm 1 and equation 20, with theta = 1 - strength. The noise keeps items of
equal vectors from being impossible: each still adds log(noise) at the least.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kuajie.numerics.jit import F64, I32, I64, kernel
from kuajie.numerics.threads import run_blocks
from kuajie.rerank.base import Candidates, Context, Outcome, Share, StepConfig, as_they_are, relevance
from kuajie.rerank.greedy import bring, count_present, dot_row, spread_row


class DPPConfig(StepConfig):
    """How much the volume of the list counts.

    Attributes:
        strength: 0: relevance alone; 1: volume alone.
        vectors: what similarity is read from.
        noise: part of every item that is like no other.
    """

    kind: Literal["dpp"] = "dpp"
    strength: Share = 0.2
    vectors: str = "content"
    noise: Annotated[float, Field(gt=0, le=1)] = 0.1


@dataclass(frozen=True)
class DPP:
    """See the module."""

    config: DPPConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        order, worth = as_they_are(candidates), relevance(candidates.scores)
        if self.config.strength:
            rows = context.items.vector(self.config.vectors)
            parts = rows.indptr, rows.indices, rows.data
            how = min(k, order.shape[1]), self.config.strength, self.config.noise

            def work(low: int, high: int) -> None:
                _choose(low, high, *how, candidates.items, worth, *parts, rows.shape[1], order)

            run_blocks(work, len(order), threads)
        return Outcome(order)


@kernel
def _choose(
    low: int, high: int, k: int, strength: float, noise: float, items: I32, worth: F64,
    indptr: I64, columns: I32, values: F64, width: int, order: I32,
) -> None:  # fmt: skip
    m = items.shape[1]
    factor, left, buffer = np.empty((m, k)), np.empty(m), np.zeros(width)
    for number in range(low, high):
        row, count = order[number], count_present(order[number])
        left[:] = 1.0  # squared distance of each vector to what the chosen ones span
        for at in range(min(k, count)):
            best, most = at, -np.inf
            for place in range(at, count):
                value = (1 - strength) * worth[number, row[place]] + strength * np.log(left[row[place]])
                if value > most:
                    best, most = place, value
            bring(row, at, best)
            chosen = row[at]
            item, root = items[number, chosen], np.sqrt(left[chosen])
            spread_row(item, indptr, columns, values, buffer, 1.0)
            for place in range(at + 1, count):
                other = row[place]
                like = (1 - noise) * dot_row(items[number, other], indptr, columns, values, buffer)
                for column in range(at):
                    like -= factor[chosen, column] * factor[other, column]
                factor[other, at] = like / root
                left[other] = max(left[other] - factor[other, at] ** 2, 1e-12)
            if item >= 0:
                buffer[columns[indptr[item] : indptr[item + 1]]] = 0.0
