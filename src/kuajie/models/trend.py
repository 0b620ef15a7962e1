"""The trend: how much each item was used in the days before "now", as a factor of its column.

    R_t(j) = sum over training entries of j on days d < t of 2^-((t - d) / half life)
    factor = (R_t(j) + floor) ** power

t is the day of a row's `at`. Entries of that day or later are never read, so that a row of the past sees no future; a
`at` later than the day after the newest entry counts as that day, so that a model that waits for its next training
does not fade. Rows without `at` are asked on that day. Only (item, day, count) are stored: no person's row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.recommender import Arrays

Floats = npt.NDArray[np.float32]
MOST_REMEMBERED = 32
"""Days, targets and half lives whose factors are kept."""
DAY = 86_400.0


class TrendConfig(Config):
    """Recent use of items as a factor of scores; see the module.

    Attributes:
        half_life_days: an entry so many days before now counts half.
        power: of the factor; 0 switches it off, 1 makes scores proportional to recent use.
        floor: what an item without recent use has; the smaller, the more the trend decides.
    """

    half_life_days: Annotated[float, pydantic.Field(gt=0)] = 7.0
    power: Annotated[float, pydantic.Field(ge=0)] = 0.8
    floor: Annotated[float, pydantic.Field(gt=0)] = 0.01


@dataclass(frozen=True, eq=False)
class Trend:
    """Uses of each item on each day, by day.

    Attributes:
        days: int64 (n,), days since 1970, ascending.
        items: int32 (n,), joint item numbers.
        counts: float32 (n,).
        n_items: size of the joint item space.
    """

    days: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    counts: Floats
    n_items: int
    _remembered: dict[tuple[int, int, int, TrendConfig], Floats] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, histories: Histories) -> "Trend":
        """Count entries with weight > 0 and a known time."""
        if histories.times is None:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), histories.n_items)
        known = ~np.isnan(histories.times) & (histories.weights > 0)
        days = np.floor(histories.times[known] / DAY).astype(np.int64)
        keys, counts = np.unique(days * histories.n_items + histories.items[known], return_counts=True)
        days, items = np.divmod(keys, max(histories.n_items, 1))
        return cls(days, items.astype(np.int32), counts.astype(np.float32), histories.n_items)

    def days_of(self, histories: Histories) -> npt.NDArray[np.int64]:
        """The day on which each row is asked: int64 (n_rows,)."""
        latest = int(self.days[-1]) + 1 if len(self.days) else 0
        if histories.at is None:
            return np.full(histories.n_rows, latest, dtype=np.int64)
        known = np.where(np.isnan(histories.at), latest * DAY, histories.at)
        return np.minimum(np.floor(known / DAY), latest).astype(np.int64)

    def factors(self, asked: npt.NDArray[np.int64], part: slice, config: TrendConfig) -> Iterator[tuple[int, Floats]]:
        """For each distinct asked day, ascending: the day and the factors of a target's items, (n_target,).

        Those of a single day, which is what serving asks for over and over, are remembered; they are read-only.
        """
        distinct = np.unique(asked).tolist()
        if len(distinct) != 1:
            yield from self._factors(distinct, part, config)
            return
        key = (distinct[0], part.start, part.stop, config)
        known = self._remembered.get(key)
        if known is None:
            ((_, known),) = self._factors(distinct, part, config)
            known.flags.writeable = False
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = known
        yield distinct[0], known

    def _factors(self, asked: list[int], part: slice, config: TrendConfig) -> Iterator[tuple[int, Floats]]:
        inside = (self.items >= part.start) & (self.items < part.stop)
        days, items, counts = self.days[inside], self.items[inside] - part.start, self.counts[inside]
        recent, today, first = np.zeros(part.stop - part.start), min(asked, default=0), 0
        for day in asked:
            recent *= 0.5 ** ((day - today) / config.half_life_days)
            last = int(np.searchsorted(days, day, side="left"))
            decay = 0.5 ** ((day - days[first:last]) / config.half_life_days)
            recent += np.bincount(items[first:last], counts[first:last] * decay, minlength=len(recent))
            today, first = day, last
            yield day, ((recent + config.floor) ** config.power).astype(np.float32)

    def scale(self, scores: Floats, histories: Histories, part: slice, config: TrendConfig) -> None:
        """Multiply each row of scores (n_rows, n_target) by the factors of its day, in place."""
        asked = self.days_of(histories)
        by_day = np.argsort(asked, kind="stable")
        for day, factor in self.factors(asked, part, config):
            first, last = np.searchsorted(asked[by_day], [day, day + 1])
            scores[by_day[first:last]] *= factor

    def arrays(self) -> Arrays:
        """The counts as named arrays."""
        return {"trend.days": self.days, "trend.items": self.items, "trend.counts": self.counts}

    @classmethod
    def from_arrays(cls, arrays: Arrays, n_items: int) -> "Trend":
        """The counts again."""
        return cls(
            np.asarray(arrays["trend.days"], dtype=np.int64),
            np.asarray(arrays["trend.items"], dtype=np.int32),
            np.asarray(arrays["trend.counts"], dtype=np.float32),
            n_items,
        )
