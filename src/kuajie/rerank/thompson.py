"""Thompson sampling: items come in the order of draws from what is believed of their rates of answers.

    rate(i) ~ Beta(weight r + answered(i), weight (1 - r) + shown(i) - answered(i)),   r = rate * relevance(i)

so the model's relevance is the belief before anything was shown, worth `weight` showings. The probability of an item at
a place has no closed form beyond the first place; it is estimated from `draws` further orders (standard error at most
.5 / sqrt(draws)) and mixed with a share epsilon of shuffled lists, so that what is logged is at least epsilon / m:

    propensity(i, p) = (1 - epsilon) hits(i, p) / draws + epsilon / m

Source: Thompson (1933), "On the likelihood that one unknown probability exceeds another", Biometrika; for lists,
Komiyama, Honda and Nakagawa (2015), "Optimal regret analysis of Thompson sampling in stochastic multi-armed bandit
problem with multiple plays", ICML.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kuajie.core.errors import UsageError
from kuajie.numerics.jit import F64, I32, kernel
from kuajie.numerics.random import beta, shuffle, uniform
from kuajie.numerics.threads import run_blocks
from kuajie.rerank.base import U64, Candidates, Context, Outcome, Share, StepConfig, as_they_are, relevance
from kuajie.rerank.epsilon import Pool
from kuajie.rerank.greedy import count_present

LEAST_RATE = 1e-3
"""Of the belief, so that no Beta has a parameter of 0."""


class ThompsonConfig(StepConfig):
    """What is believed at the start, and how much is drawn.

    Attributes:
        rate: of answers, expected of the best candidate.
        weight: showings that the model's relevance is worth.
        pool: so many best candidates take part, or as many as the list is long if that is more.
        epsilon: share of lists that are shuffled.
        draws: orders that propensities are estimated from.
    """

    kind: Literal["thompson"] = "thompson"
    rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    weight: Annotated[float, Field(gt=0)] = 20.0
    pool: Pool = 20
    epsilon: Share = 0.05
    draws: Annotated[int, Field(ge=10, le=100_000)] = 200


@dataclass(frozen=True, eq=False)
class Answers:
    """How often items were shown and answered; sums of several processes add up.

    Attributes:
        shown: float64 (n_items,).
        answered: float64 (n_items,), at most `shown`.
    """

    shown: F64
    answered: F64

    def __post_init__(self) -> None:
        if self.shown.shape != self.answered.shape or (self.answered > self.shown).any() or (self.answered < 0).any():
            raise UsageError("items cannot be answered more often than they were shown, or less than never")

    @classmethod
    def none(cls, n_items: int) -> "Answers":
        """Before anything was shown."""
        return cls(np.zeros(n_items), np.zeros(n_items))

    @classmethod
    def of(cls, items: I32, answered: F64, n_items: int) -> "Answers":
        """From showings: items (n,), and for each 1 where it was answered, else 0."""
        known = items >= 0
        shown = np.bincount(items[known], minlength=n_items).astype(np.float64)
        return cls(shown, np.bincount(items[known], answered[known], minlength=n_items).astype(np.float64))

    def __add__(self, other: "Answers") -> "Answers":
        return Answers(self.shown + other.shown, self.answered + other.answered)


@dataclass(frozen=True)
class Thompson:
    """See the module; `context.state["thompson"]` is an `Answers`, left out: nothing was shown yet."""

    config: ThompsonConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        config, known = self.config, context.state.get("thompson")
        belief = np.clip(config.rate * np.nan_to_num(relevance(candidates.scores)), LEAST_RATE, 1.0)
        a, b = config.weight * belief, config.weight * (1 - belief)
        if known is not None:
            there = candidates.items >= 0
            answered = np.where(there, known.answered[candidates.items], 0.0)
            a, b = a + answered, b + np.where(there, known.shown[candidates.items], 0.0) - answered
        order = as_they_are(candidates)
        propensity, seeds = np.full(order.shape, np.nan), context.seeds_of(len(order))
        pool = max(k, config.pool)

        def work(low: int, high: int) -> None:
            _draw(low, high, pool, config.epsilon, config.draws, a, b, seeds, order, propensity)

        run_blocks(work, len(order), threads)
        return Outcome(order, propensity=propensity)


@kernel
def _draw(
    low: int, high: int, pool: int, epsilon: float, draws: int, a: F64, b: F64, seeds: U64, order: I32, propensity: F64
) -> None:
    m = order.shape[1]
    most = min(pool, m)
    state, rates, hits = np.empty(1, np.uint64), np.empty(most), np.empty((most, most))
    for number in range(low, high):
        row, count = order[number], count_present(order[number])
        size = min(pool, count)
        own = row[:size].copy()
        state[0] = seeds[number]
        shuffled = uniform(state) < epsilon
        hits[:size, :size] = 0.0
        for _ in range(draws):
            for place in range(size):
                rates[place] = -beta(a[number, own[place]], b[number, own[place]], state)
            drawn = np.argsort(rates[:size])
            for at in range(size):
                hits[drawn[at], at] += 1.0
        for place in range(size):  # the order that is shown is none of those that were counted
            rates[place] = -beta(a[number, own[place]], b[number, own[place]], state)
        chosen = np.argsort(rates[:size]).astype(np.int32)
        if shuffled:
            shuffle(chosen, size, state)
        for at in range(count):
            if at < size:
                row[at] = own[chosen[at]]
                propensity[number, at] = (1 - epsilon) * hits[chosen[at], at] / draws + epsilon / size
            else:
                propensity[number, at] = 1.0
