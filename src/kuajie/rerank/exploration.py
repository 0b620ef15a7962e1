"""Exploration: some lists are shuffled, so that what was not shown can be learned about, with exact probabilities.

With probability epsilon a list is the first k of a uniformly random order of its m best items; else it is in its own
order. So item i, which has rank r(i) among the m, is at place p with probability

    propensity(i, p) = (1 - epsilon) * [r(i) = p] + epsilon / m

the marginal probability over the draw, given the history: what inverse propensity scoring in the item-position model
divides by (Li et al., "Offline evaluation of ranking policies with click models", KDD 2018, section 4). Every one of
the m items has at least epsilon / m at every place, so weights are bounded by m / epsilon.
"""

from hashlib import blake2b
from typing import Annotated

import msgspec
import numpy as np
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.records import RankedList


class ExplorationConfig(Config):
    """How often lists are shuffled, and how deep.

    Attributes:
        epsilon: share of lists that are shuffled; 0: none.
        pool: of so many best items, or as many as the list is long if that is more.
    """

    epsilon: Annotated[float, Field(ge=0, le=1)] = 0.0
    pool: Annotated[int, Field(ge=1, le=200)] = 20

    def candidates(self, k: int) -> int:
        """How many ranked items a list of k is drawn from."""
        return max(k, self.pool) if self.epsilon else k


def explored(ranked: RankedList, k: int, config: ExplorationConfig) -> RankedList:
    """The list that is shown, with the propensities of its items; the same list id always gives the same list.

    Args:
        ranked: the best items in their own order, `config.candidates(k)` where there are as many.
        k: how many are shown.
        config: how often, how deep.
    """
    size = len(ranked.items)
    if not config.epsilon or not size:
        return ranked if size <= k else msgspec.structs.replace(ranked, items=ranked.items[:k])
    generator = np.random.default_rng(int.from_bytes(blake2b(ranked.list_id.encode(), digest_size=16).digest(), "big"))
    shuffled = generator.random() < config.epsilon
    order = generator.permutation(size)[:k].tolist() if shuffled else list(range(min(k, size)))
    chance = config.epsilon / size
    items = tuple(
        msgspec.structs.replace(
            ranked.items[rank], propensity=chance + (1.0 - config.epsilon if rank == place else 0.0)
        )
        for place, rank in enumerate(order)
    )
    return msgspec.structs.replace(ranked, items=items)
