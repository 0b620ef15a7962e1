"""Provider fairness: every partner's share of the places that are shown has a floor, over all lists together.

Each provider is owed its floor of all places so far, less what it got. Place by place the list takes

    argmax_i  (1 - strength) relevance(i) + strength min(1, owed(provider of i))

so that a debt that is small takes a place only where that costs little relevance, and one of a whole place takes the
next one that it can (for strength > 1/2 whatever it costs). Lists come in order and the counts are kept, so the same
code serves one list at a time. The floor holds as far as lists have candidates of the provider.

Source: the floor is that of Patro et al. (2020), "FairRec", WWW, which guarantees every producer a share of the
exposure; the debt that is carried from list to list is the amortised one of Biega et al. (2018), "Equity of
attention", SIGIR.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import pydantic
from pydantic import Field

from kuajie.core.errors import UsageError
from kuajie.core.texts import Text
from kuajie.numerics.jit import F64, I32, kernel
from kuajie.rerank.base import Candidates, Context, Labels, Outcome, Share, StepConfig, as_they_are, relevance
from kuajie.rerank.greedy import bring, count_present


class FairnessConfig(StepConfig):
    """What every provider is guaranteed, and how hard.

    Attributes:
        strength: 0: relevance alone; 1: what is owed first.
        by: the label of items that names their provider.
        guarantee: of every provider's share of the catalogue (or an equal share), this part is its floor.
        share: what the guarantee is a part of.
        floors: floors of named providers instead, as shares of all places.
    """

    kind: Literal["fairness"] = "fairness"
    strength: Share = 0.7
    by: str = "brand"
    guarantee: Share = 0.5
    share: Literal["items", "equal"] = "items"
    floors: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default={})

    @pydantic.model_validator(mode="after")
    def _possible(self) -> Self:
        if sum(self.floors.values()) > 1 + 1e-9:
            raise ValueError(Text("the floors of all providers together must be at most 1"))
        return self


@dataclass(frozen=True, eq=False)
class Exposures:
    """What providers were shown so far; sums of several processes add up.

    Attributes:
        counts: float64 (n_providers,), places.
        total: places of everybody, those without a provider too.
    """

    counts: F64
    total: float

    @classmethod
    def none(cls, labels: Labels) -> "Exposures":
        """Before the first list."""
        return cls(np.zeros(len(labels.names)), 0.0)

    def __add__(self, other: "Exposures") -> "Exposures":
        return Exposures(self.counts + other.counts, self.total + other.total)


@dataclass(frozen=True)
class Fairness:
    """See the module; `context.state["fairness"]` is an `Exposures`, and so is the new state."""

    config: FairnessConfig

    def floors(self, labels: Labels, part: slice) -> F64:
        """The floor of each provider: (n_providers,), whatever the candidates of a list are.

        Args:
            labels: the providers.
            part: the catalogue whose providers are guaranteed something.

        Raises:
            UsageError: a provider that has a floor does not exist.
        """
        config = self.config
        unknown = sorted(config.floors.keys() - labels.places.keys())
        if unknown:
            raise UsageError("there is no {label} '{name}' that could have a floor", label=config.by, name=unknown[0])
        if config.floors:
            return np.array([config.floors.get(name, 0.0) for name in labels.names])
        sizes = labels.sizes(part)
        weights = sizes if config.share == "items" else (sizes > 0).astype(np.float64)
        return np.asarray(config.guarantee * weights / max(weights.sum(), 1.0))

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`; one list after the other, on one thread."""
        labels = context.items.label(self.config.by)
        before: Exposures = context.state.get("fairness") or Exposures.none(labels)
        order, counts = as_they_are(candidates), before.counts.copy()
        total = _choose(
            k,
            self.config.strength,
            relevance(candidates.scores),
            labels.of(candidates.items),
            self.floors(labels, context.part),
            counts,
            before.total,
            order,
        )
        return Outcome(order, state=Exposures(counts, total))


@kernel
def _choose(
    k: int, strength: float, worth: F64, codes: I32, floors: F64, counts: F64, total: float, order: I32
) -> float:
    for number in range(order.shape[0]):
        row, count = order[number], count_present(order[number])
        for at in range(min(k, count)):
            total += 1
            best, most = at, -np.inf
            for place in range(at, count):
                code, owed = codes[number, row[place]], 0.0
                if code >= 0:
                    owed = min(max(floors[code] * total - counts[code], 0.0), 1.0)
                value = (1 - strength) * worth[number, row[place]] + strength * owed
                if value > most + 1e-12:  # rounding must not make a debt
                    best, most = place, value
            bring(row, at, best)
            code = codes[number, row[at]]
            if code >= 0:
                counts[code] += 1
    return total
