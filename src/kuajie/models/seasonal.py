"""Seasonal popularity: what is used much, in this month and on this weekday.

    score(j, t) = count_j * lift_month(t),j * lift_weekday(t),j,     lift_gj = share_gj / share_j

A month or weekday is a group of events; its shares are drawn towards those of the whole year as strongly as the data
say (`numerics.shrinkage`), so that what has no season gets none. With `field` all items with a label share one.
A season that was lived through once cannot be told from a trend: months need a log of more than a year to be trusted.
"""

from datetime import UTC, datetime
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, per_item, stored
from kuajie.core.space import ItemSpace
from kuajie.numerics.shrinkage import fitted_strength, shrunk_shares

Floats = npt.NDArray[np.float32]
DAY = 86_400.0
GROUPS = {"month": 12, "weekday": 7}


class SeasonalConfig(Config):
    """See the module.

    Attributes:
        months, weekdays: whether they count.
        field: labels whose items share their season, such as "category"; none: every item has its own.
        power: of the counts.
    """

    kind: Literal["seasonal"] = "seasonal"
    months: bool = True
    weekdays: bool = True
    field: str | None = None
    power: float = 1.0


class Seasonal:
    """Counts, and how much more than usual each item is used in each month and on each weekday."""

    config_type: ClassVar[type[SeasonalConfig]] = SeasonalConfig
    contains_histories: bool = False
    space_: ItemSpace
    support_: npt.NDArray[np.float64]
    popularity_: Floats
    lifts_: dict[str, Floats]

    def __init__(self, config: SeasonalConfig | None = None) -> None:
        self.config = config or SeasonalConfig()
        self.lifts_ = {}

    @property
    def _groups(self) -> tuple[str, ...]:
        wanted = {"month": self.config.months, "weekday": self.config.weekdays}
        return tuple(name for name in GROUPS if wanted[name])

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """A pass over the entries for each kind of season."""
        cells = shape.space.n_items * sum(GROUPS.values())
        return Plan("direct", 40 * shape.n_entries + 24 * cells + 1, 1e-7 * shape.n_entries + 1e-3)

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Count; entries without a time count in no season."""
        histories, space = interactions.histories, interactions.space
        self.space_, self.support_ = space, interactions.support()
        sums = np.bincount(histories.items, histories.weights, minlength=space.n_items)
        self.popularity_ = (sums**self.config.power).astype(np.float32)
        times = np.full(len(histories.items), np.nan) if histories.times is None else histories.times
        known = ~np.isnan(times) & (histories.weights > 0)
        pool = self._pool(interactions)
        for name in self._groups:
            season = seasons(times[known], name)
            self.lifts_[name] = _lifts(season, histories.items[known], GROUPS[name], space, pool)
        return self

    def _pool(self, interactions: Interactions) -> sparse.csr_array | None:
        """What counts of items are summed by and given back with: (n_items, n_labels), rows of length one."""
        side, field = interactions.side, self.config.field
        if field is None or side is None or field not in side.labels:
            return None
        matrix = side.labels[field].matrix.astype(np.float64)
        counts = np.diff(matrix.indptr)
        matrix.data /= np.repeat(np.maximum(counts, 1), counts)
        return matrix

    def score(self, histories: Histories, target: str) -> Floats:
        """Scores (n_rows, items of the target domain), for the day of each row's `at`; NaN without support."""
        part = self.space_.slice(target)
        scores = np.repeat(self.popularity_[part][None, :], histories.n_rows, axis=0)
        at = np.full(histories.n_rows, np.nan) if histories.at is None else histories.at
        known = np.flatnonzero(~np.isnan(at))
        for name in self._groups:
            scores[known] *= self.lifts_[name][:, part][seasons(at[known], name)]
        scores[:, self.support_[part] == 0] = np.nan
        return scores

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """Nothing in the history: all of it is popularity, of the season."""
        known = np.unique(histories.items).astype(np.int32)
        base = self.score(histories, target)[0, items].astype(np.float64)
        return Explanation(known, np.zeros((len(items), len(known))), base, exact=True)

    def arrays(self) -> Arrays:
        """Counts, support and lifts."""
        return {"popularity": self.popularity_, "support": self.support_, **self.lifts_}

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again.

        Raises:
            ArtifactError: something is missing or of another shape.
        """
        model = cls(config)  # type: ignore[arg-type]
        model.space_ = space
        model.support_ = np.asarray(per_item(arrays, "support", space), dtype=np.float64)
        model.popularity_ = np.asarray(per_item(arrays, "popularity", space), dtype=np.float32)
        for name in model._groups:
            model.lifts_[name] = np.asarray(stored(arrays, name, (GROUPS[name], space.n_items)), dtype=np.float32)
        return model


def seasons(times: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.int64]:
    """The month (0 January) or weekday (0 Monday) of unix seconds, in UTC."""
    days = np.floor(times / DAY).astype("datetime64[D]") if len(times) else np.empty(0, "datetime64[D]")
    if name == "month":
        return np.asarray(days.astype("datetime64[M]").astype(np.int64) % 12)
    return np.asarray((days.astype(np.int64) + datetime.fromtimestamp(0, UTC).weekday()) % 7)


def _lifts(
    season: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    n_groups: int,
    space: ItemSpace,
    pool: sparse.csr_array | None,
) -> Floats:
    """Share in the season over the usual share, of each item: (n_groups, n_items)."""
    ones = np.ones(len(items))
    counts = sparse.coo_array((ones, (season, items)), shape=(n_groups, space.n_items)).tocsr()
    lifts = np.ones(counts.shape)
    for domain in space.domains:
        part = space.slice(domain)
        own = counts[:, part] if pool is None else sparse.csr_array(counts[:, part] @ pool[part])
        total = np.asarray(own.sum(axis=0), np.float64).reshape(-1)
        if not total.sum():
            continue
        usual = total / total.sum()
        shrunk = shrunk_shares(own, usual, fitted_strength(own, usual))
        found = np.divide(shrunk, usual, out=np.ones(own.shape), where=usual > 0)
        if pool is not None:
            labelled = np.diff(pool[part].indptr) > 0
            found = np.where(labelled, (pool[part] @ found.T).T, 1.0)
        lifts[:, part] = found
    return lifts.astype(np.float32)
