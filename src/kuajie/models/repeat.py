"""What a person comes back to: how often and how lately they used it, times how often people come back to it at all.

    score(h, j) = rate_j * sum_{entries of j in h} w * 2^-(places back / half life)  +  epsilon * share_j

rate_j is the share of the people who used j that used it again, drawn towards the common rate (`numerics.shrinkage`);
the second term orders what is not in the history by popularity, below what is. Callers that mask what was seen hide all
that this model says: it is for domains where things are used up, watched again or bought again.

Source: Hu et al. 2020, "Modeling personalized item frequency information for next-basket recommendation" (TIFU-KNN),
section 3; Ren et al. 2019, "RepeatNet", for repetition as a mode of its own.
"""

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, per_item
from kuajie.core.space import ItemSpace
from kuajie.models.linear import mask_unknown
from kuajie.numerics.shrinkage import shrunk_rates

EPSILON = 1e-6
"""What popularity adds at most: less than any entry of a history that anybody comes back to."""


class RepeatConfig(Config):
    """See the module.

    Attributes:
        half_life_positions: an entry so many places back counts half; None: places do not matter.
    """

    kind: Literal["repeat"] = "repeat"
    half_life_positions: Annotated[float, pydantic.Field(gt=0)] | None = 20.0


class Repeat:
    """See the module."""

    config_type: ClassVar[type[RepeatConfig]] = RepeatConfig
    contains_histories: bool = False
    space_: ItemSpace
    support_: npt.NDArray[np.float64]
    rates_: npt.NDArray[np.float64]

    def __init__(self, config: RepeatConfig | None = None) -> None:
        self.config = config or RepeatConfig()

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Sorting the entries once."""
        return Plan("direct", 48 * shape.n_entries + 1, 3e-7 * shape.n_entries + 1e-3)

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Count who came back to what."""
        histories, n_items = interactions.histories, interactions.space.n_items
        used = histories.keep(histories.weights > 0)
        pairs, times = np.unique(used.rows() * n_items + used.items, return_counts=True)
        people = np.bincount(pairs % n_items, minlength=n_items)
        again = np.bincount((pairs % n_items)[times > 1], minlength=n_items)
        self.space_, self.support_ = interactions.space, interactions.support()
        self.rates_ = np.zeros(n_items)
        for domain in self.space_.domains:
            part = self.space_.slice(domain)
            self.rates_[part] = shrunk_rates(again[part], people[part])
        return self

    def _terms(self, histories: Histories) -> npt.NDArray[np.float64]:
        """What each entry adds to the score of its own item."""
        decay = np.ones(len(histories.items))
        if self.config.half_life_positions is not None:
            decay = 0.5 ** (histories.reversed_positions() / self.config.half_life_positions)
        return np.asarray(histories.weights * decay * self.rates_[histories.items])

    def score(self, histories: Histories, target: str) -> npt.NDArray[np.float32]:
        """Scores (n_rows, items of the target domain); NaN without training support."""
        part = self.space_.slice(target)
        own = histories.only(part)
        width = part.stop - part.start
        places = own.rows() * width + (own.items - part.start)
        # places back are counted over the whole history, so the terms are taken before it is cut
        inside = (histories.items >= part.start) & (histories.items < part.stop)
        sums = np.bincount(places, self._terms(histories)[inside], minlength=histories.n_rows * width)
        scores = (sums.reshape(histories.n_rows, width) + self._base(part)).astype(np.float32)
        return mask_unknown(scores, histories, self.support_, part)

    def _base(self, part: slice) -> npt.NDArray[np.float64]:
        return np.asarray(EPSILON * self.support_[part] / max(self.support_[part].max(initial=0.0), 1.0))

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """The item's own entries; approximate where places count, for what is removed brings the others forward."""
        part = self.space_.slice(target)
        known, place = np.unique(histories.items, return_inverse=True)
        terms = np.bincount(place, self._terms(histories), minlength=len(known))
        same = (np.asarray(items) + part.start)[:, None] == known[None, :]
        exact = self.config.half_life_positions is None
        return Explanation(known.astype(np.int32), np.where(same, terms, 0.0), self._base(part)[items], exact)

    def arrays(self) -> Arrays:
        """Rates and support."""
        return {"rates": self.rates_, "support": self.support_}

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""
        model = cls(config)  # type: ignore[arg-type]
        model.space_ = space
        model.support_ = np.asarray(per_item(arrays, "support", space), dtype=np.float64)
        model.rates_ = np.asarray(per_item(arrays, "rates", space), dtype=np.float64)
        return model
