"""Epsilon-greedy over many lists: some are shuffled, and every place knows its exact probability.

With probability epsilon the first m of a list come in a uniformly random order, else the list stays:

    propensity(i, p) = (1 - epsilon) [r(i) = p] + epsilon / m

`exploration.explored` does the same to one list that is about to be shown. `mixed` does it to any order that is
certain, such as LinUCB's, so that no probability is 0.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from kuajie.numerics.jit import F64, I32, kernel
from kuajie.numerics.random import shuffle, uniform
from kuajie.numerics.threads import run_blocks
from kuajie.rerank.base import U64, Candidates, Context, Outcome, Share, StepConfig, as_they_are
from kuajie.rerank.greedy import count_present

Pool = Annotated[int, Field(ge=1, le=200)]


class EpsilonConfig(StepConfig):
    """How many lists are shuffled, and how deep.

    Attributes:
        epsilon: share of lists that are shuffled.
        pool: of so many best candidates, or as many as the list is long if that is more.
    """

    kind: Literal["epsilon"] = "epsilon"
    epsilon: Share = 0.1
    pool: Pool = 20

    def at(self, strength: float, k: int) -> Self:
        """The strength is epsilon."""
        return self.model_copy(update={"epsilon": strength})


@dataclass(frozen=True)
class Epsilon:
    """See the module."""

    config: EpsilonConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        seeds = context.seeds_of(len(candidates.items))
        return mixed(as_they_are(candidates), max(k, self.config.pool), self.config.epsilon, seeds, threads)


def mixed(order: I32, pool: int, epsilon: float, seeds: U64, threads: int = 1) -> Outcome:
    """Shuffle the first `pool` of a share epsilon of the lists.

    Args:
        order: int32 (n, m), as it is certain to be where it is not shuffled.
        pool: places that are shuffled.
        epsilon: share of lists.
        seeds: uint64 (n,).
        threads: of the kernel.
    """
    order, propensity = order.copy(), np.full(order.shape, np.nan)

    def work(low: int, high: int) -> None:
        _mix(low, high, pool, epsilon, seeds, order, propensity)

    run_blocks(work, len(order), threads)
    return Outcome(order, propensity=propensity)


@kernel
def _mix(low: int, high: int, pool: int, epsilon: float, seeds: U64, order: I32, propensity: F64) -> None:
    state, before = np.empty(1, np.uint64), np.empty(order.shape[1], np.int32)
    for number in range(low, high):
        row, count = order[number], count_present(order[number])
        size = min(pool, count)
        state[0] = seeds[number]
        before[:] = row
        if uniform(state) < epsilon:
            shuffle(row, size, state)
        for at in range(count):
            own = 1.0 if row[at] == before[at] else 0.0
            propensity[number, at] = (1 - epsilon) * own + epsilon / size if at < size else own
