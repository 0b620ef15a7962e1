"""LinUCB: items come in the order of the highest rate of answers that is still plausible.

    theta = A^-1 b,  A = ridge I + sum x x^T,  b = sum reward x,     value(i) = theta x_i + width sqrt(x_i^T A^-1 x_i)

x is 1, the model's relevance, and numbers of the item, each as its distance from the catalogue's mean in standard
deviations. The order is certain given what is known, so a share epsilon of lists is shuffled: their propensities are
exact (`epsilon.mixed`).

Source: Li, Chu, Langford and Schapire (2010), "A contextual-bandit approach to personalized news article
recommendation", WWW, algorithm 1, with parameters that all items share.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kuajie.core.errors import UsageError
from kuajie.numerics.jit import F64, I32
from kuajie.rerank.base import Candidates, Context, Items, Outcome, Share, StepConfig, by_value, relevance
from kuajie.rerank.epsilon import Pool, mixed


class LinUCBConfig(StepConfig):
    """What is learned from, and how boldly.

    Attributes:
        features: numbers of items that x holds beside 1 and relevance.
        width: how much what is not known yet counts (alpha in the paper).
        ridge: on the diagonal of A.
        pool: so many best candidates take part, or as many as the list is long if that is more.
        epsilon: share of lists that are shuffled.
    """

    kind: Literal["linucb"] = "linucb"
    features: tuple[str, ...] = ("popularity",)
    width: Annotated[float, Field(ge=0)] = 1.0
    ridge: Annotated[float, Field(gt=0)] = 1.0
    pool: Pool = 20
    epsilon: Share = 0.05


@dataclass(frozen=True, eq=False)
class Ridge:
    """Sums over showings; those of several processes add up.

    Attributes:
        products: float64 (d, d), sum of x x^T.
        rewards: float64 (d,), sum of reward x.
        shown: how many.
    """

    products: F64
    rewards: F64
    shown: int

    @classmethod
    def none(cls, size: int) -> "Ridge":
        """Before anything was shown."""
        return cls(np.zeros((size, size)), np.zeros(size), 0)

    @classmethod
    def of(cls, x: F64, rewards: F64) -> "Ridge":
        """From showings: x (n, d), rewards (n,)."""
        return cls(x.T @ x, x.T @ rewards, len(x))

    def __add__(self, other: "Ridge") -> "Ridge":
        return Ridge(self.products + other.products, self.rewards + other.rewards, self.shown + other.shown)


@dataclass(frozen=True)
class LinUCB:
    """See the module; `context.state["linucb"]` is a `Ridge`, left out: nothing was shown yet."""

    config: LinUCBConfig

    def features(self, candidates: Candidates, context: Context) -> F64:
        """X of every candidate: (n, m, d)."""
        x = self.x(np.nan_to_num(relevance(candidates.scores)), candidates.items, context.items)
        return np.where(candidates.present[..., None], x, 0.0)

    def x(self, worth: F64, items: I32, facts: Items) -> F64:
        """X of items by number, -1 for unknown ones: (n, m, d).

        Args:
            worth: (n, m), relevance as `base.relevance` scales it.
            items: (n, m).
            facts: have the numbers.
        """
        columns = [np.ones(worth.shape), worth]
        for name in self.config.features:
            own, (mean, spread) = facts.number(name, items), facts.scale(name)
            columns.append(np.nan_to_num((own - mean) / spread))
        return np.stack(columns, axis=-1)

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        x = self.features(candidates, context)
        known: Ridge = context.state.get("linucb") or Ridge.none(x.shape[-1])
        if known.rewards.shape != x.shape[-1:]:
            raise UsageError(
                "what LinUCB has learned is of {got} features, the step has {size}",
                got=len(known.rewards),
                size=x.shape[-1],
            )
        inverse = np.linalg.inv(self.config.ridge * np.eye(x.shape[-1]) + known.products)
        doubt = np.sqrt(np.einsum("nmd,de,nme->nm", x, inverse, x))
        values = x @ (inverse @ known.rewards) + self.config.width * doubt
        pool = max(k, self.config.pool)
        behind = -np.finfo(np.float64).max  # in front of places without a candidate
        values = np.where(np.cumsum(candidates.present, axis=1) <= pool, values, behind)
        order = by_value(values, candidates)
        outcome = mixed(order, pool, self.config.epsilon, context.seeds_of(len(order)), threads)
        seen = np.take_along_axis(x[..., 1], np.maximum(outcome.order, 0), axis=1)
        return replace(outcome, relevance=np.where(outcome.order >= 0, seen, np.nan))
