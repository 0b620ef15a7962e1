"""How much each entry of a history counts: by how recent it is, in positions and in days."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.space import ItemSpace

Positive = Annotated[float, pydantic.Field(gt=0)]


class HistoryWeighing(Config):
    """Recency of history entries; None leaves that side out.

    Attributes:
        half_life_positions: an entry so many places before the newest counts half. Places are counted over all domains
            where the order is joint, inside each domain where it is per domain; without order it is ignored.
        half_life_days: an entry so many days before the row's `at` counts half; entries without time count as the
            oldest known of the row's data.
    """

    half_life_positions: Positive | None = None
    half_life_days: Positive | None = None

    @property
    def is_plain(self) -> bool:
        """True where every entry counts with its own weight."""
        return self.half_life_positions is None and self.half_life_days is None

    def apply(self, histories: Histories, space: ItemSpace) -> Histories:
        """The same entries with weights times their recency."""
        factor = np.ones(len(histories.items))
        if self.half_life_positions is not None and histories.order != "none":
            factor *= 0.5 ** (places_back(histories, space) / self.half_life_positions)
        if self.half_life_days is not None and histories.times is not None and histories.at is not None:
            factor *= 0.5 ** (days_back(histories) / self.half_life_days)
        return histories.with_weights((histories.weights * factor).astype(np.float32))


def places_back(histories: Histories, space: ItemSpace) -> npt.NDArray[np.int64]:
    """Places of each entry before the newest of its row (joint order) or of its row and domain (order per domain)."""
    if histories.order == "joint":
        return histories.reversed_positions()
    rows, domains = histories.rows(), space.domain_of(histories.items)
    places = np.empty(len(rows), dtype=np.int64)
    # stable sort by (row, domain) keeps the order inside each group; count from each group's end
    groups = rows * len(space.domains) + domains
    by_group = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[by_group], groups[by_group], side="right")
    places[by_group] = ends - 1 - np.arange(len(rows))
    return places


def days_back(histories: Histories) -> npt.NDArray[np.float64]:
    """Days of each entry before its row's `at`, never negative; unknown times count as the oldest known one."""
    if histories.times is None or histories.at is None:
        return np.zeros(len(histories.items))
    known = ~np.isnan(histories.times)
    if not known.any():
        return np.zeros(len(histories.items))
    times = np.where(known, histories.times, histories.times[known].min())
    return np.maximum(np.repeat(histories.at, histories.lengths) - times, 0.0) / 86_400
