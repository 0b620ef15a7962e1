"""Popularity: overall or recent. The same list for everybody with a known history."""

from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, per_item
from kuajie.core.space import ItemSpace


class PopularityConfig(Config):
    """Sum of strengths of each item.

    Attributes:
        half_life_days: an event this many days before the newest one counts half; None: all count the same. Data
            without times ignores it.
        power: the sum is raised to this power; below 1 it flattens the head.
    """

    kind: Literal["popularity"] = "popularity"
    half_life_days: float | None = None
    power: float = 1.0


class Popularity:
    """How much each item was used; needs no history, so nobody is without a score."""

    config_type: ClassVar[type[PopularityConfig]] = PopularityConfig
    contains_histories: bool = False
    space_: ItemSpace
    support_: npt.NDArray[np.float64]
    popularity_: npt.NDArray[np.float32]

    def __init__(self, config: PopularityConfig | None = None) -> None:
        self.config = config or PopularityConfig()

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """One pass over the entries."""
        return Plan("direct", 16 * shape.n_entries, 1e-8 * shape.n_entries)

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Count."""
        histories = interactions.histories
        weights = histories.weights.astype(np.float64)
        if self.config.half_life_days is not None and histories.times is not None:
            weights = weights * recency(histories.times, self.config.half_life_days)
        sums = np.bincount(histories.items, weights, minlength=interactions.space.n_items)
        self.space_, self.support_ = interactions.space, interactions.support()
        self.popularity_ = (sums**self.config.power).astype(np.float32)
        return self

    def score(self, histories: Histories, target: str) -> npt.NDArray[np.float32]:
        """The same row for every history: (n_rows, items of the target domain); NaN where an item has no entry."""
        row = self._row(target)
        return np.repeat(row[None, :], histories.n_rows, axis=0)

    def _row(self, target: str) -> npt.NDArray[np.float32]:
        part = self.space_.slice(target)
        return np.where(self.support_[part] > 0, self.popularity_[part], np.float32(np.nan))

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """Nothing in the history: all of it is popularity."""
        known = np.unique(histories.items)
        base = self._row(target)[items].astype(np.float64)
        return Explanation(known.astype(np.int32), np.zeros((len(items), len(known))), base, exact=True)

    def arrays(self) -> Arrays:
        """The popularity and the support of each item."""
        return {"popularity": self.popularity_, "support": self.support_}

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""
        model = cls(config)  # type: ignore[arg-type]
        model.space_ = space
        model.support_ = np.asarray(per_item(arrays, "support", space), dtype=np.float64)
        model.popularity_ = np.asarray(per_item(arrays, "popularity", space), dtype=np.float32)
        return model


def recency(times: npt.NDArray[np.float64], half_life_days: float) -> npt.NDArray[np.float64]:
    """0.5 ** (age / half life), age counted from the newest known time; unknown times count as the oldest."""
    if np.isnan(times).all():
        return np.ones(len(times))
    newest, oldest = np.nanmax(times), np.nanmin(times)
    age_days = (newest - np.where(np.isnan(times), oldest, times)) / 86_400
    return np.asarray(0.5 ** (age_days / half_life_days))
