"""What a ranker knows of items beside the scores of its generators: use, price, labels, and their graph.

Everything that follows from events is counted in training data alone, which ends before the examples that a ranker
learns from. Catalogue facts (price, labels, triples) are as the catalogue says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, per_item, stored
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.models.trend import Trend, TrendConfig
from kuajie.numerics.hops import hops
from kuajie.numerics.jit import F32, F64, I64
from kuajie.numerics.network import neighbours

TRENDS = (7.0, 30.0)
"""Half lives of recent use, days."""
PRICE = "price"


@dataclass(frozen=True, eq=False)
class Facts:
    """See the module.

    Attributes:
        space: the joint item space.
        support: float64 (n_items,), training entries of each item.
        trend: uses of each item on each day.
        price: float64 (n_items,), log of the price over the typical one of its domain; NaN unknown.
        labels: field -> float32 (n_items, n_labels), rows that sum to one.
        edges: the graph's neighbours, both ways, without repeats: bool (n_entities, n_entities); None: no graph.
        first: int64 (n_items,), day of the first use; the largest number where there is none.
    """

    space: ItemSpace
    support: F64
    trend: Trend
    price: F64
    labels: Mapping[str, sparse.csr_array]
    edges: sparse.csr_array | None
    first: I64

    @classmethod
    def of(cls, interactions: Interactions, fields: Sequence[str]) -> Self:
        """Count, and take what the side information says of the fields that it has."""
        side = interactions.side or SideInformation(interactions.space.n_items)
        labels = {name: _shares_of_labels(side.labels[name]) for name in fields if name in side.labels}
        trend = Trend.of(interactions.histories)
        return cls(
            interactions.space,
            interactions.support(),
            trend,
            _price_levels(side, interactions.space),
            {name: matrix for name, matrix in labels.items() if matrix.nnz},
            None if side.graph is None else neighbours(side.graph),
            _first_days(trend),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of `pairs`, in order."""
        use = ["popularity", *(f"recent use, {days:g} days" for days in TRENDS), "age of the item", "price"]
        person = ["price above the history's", *(f"share of {name} in the history" for name in self.labels)]
        person += ["steps in the graph"] if self.edges is not None else []
        return (*use, *person, *(f"history in {name}" for name in self.space.domains), "days since the last event")

    def pairs(self, histories: Histories, target: str, rows: I64, items: I64, steps: int) -> F32:
        """What is known of some pairs of a history and an item: float32 (n_pairs, len(names)), NaN unknown.

        Args:
            histories: over the joint space; `at` is now of each row.
            target: the domain of the items.
            rows: int64 (n_pairs,), ascending.
            items: int64 (n_pairs,), numbers inside the target.
            steps: how far the graph is walked.
        """
        part = self.space.slice(target)
        columns: list[npt.NDArray[Any]] = [np.log1p(self.support[part])[items]]
        asked = self.trend.days_of(histories)[rows]
        columns += [self._recent(asked, items, part, days) for days in TRENDS]
        columns.append(self._age(asked, items, part))
        price = self.price[part][items]
        columns += [price, np.round(price - self._price_of(histories)[rows], 4)]  # the same price is the same number
        shares = histories.matrix()
        for matrix in self.labels.values():
            columns.append(_share(shares, matrix, rows, items + part.start))
        if self.edges is not None:
            far = hops(histories, self.edges, part, rows, items, steps)
            columns.append(np.where(far > steps, np.float32(steps + 1), far))
        counts = _counts(histories, self.space)
        columns += [counts[rows, number] for number in range(len(self.space.domains))]
        columns.append(_days_since(histories)[rows])
        return np.stack([column.astype(np.float32) for column in columns], axis=1)

    def _recent(self, asked: I64, items: I64, part: slice, days: float) -> F64:
        """Log of the recent uses at the day of each pair."""
        if not len(self.trend.days):
            return np.full(len(items), np.nan)
        config, out = TrendConfig(half_life_days=days, power=1.0, floor=0.01), np.empty(len(items))
        for day, factor in self.trend.factors(asked, part, config):
            here = asked == day
            out[here] = np.log(factor[items[here]])
        return out

    def _age(self, asked: I64, items: I64, part: slice) -> F64:
        """Days since the first use of the item; NaN where it was not used before the day of the pair."""
        born = self.first[part][items]
        return np.where(born < asked, (asked - born).astype(np.float64), np.nan)

    def _price_of(self, histories: Histories) -> F64:
        """The mean price level of each history: (n_rows,); NaN where no price is known."""
        level = self.price[histories.items]
        weights = np.where(np.isnan(level), 0.0, histories.weights)
        sums = np.bincount(histories.rows(), weights * np.nan_to_num(level), minlength=histories.n_rows)
        total = np.bincount(histories.rows(), weights, minlength=histories.n_rows)
        return np.asarray(np.divide(sums, total, out=np.full(histories.n_rows, np.nan), where=total > 0))

    def arrays(self) -> Arrays:
        """All but the support, which the ranker stores; unknown prices are marked, for stored numbers are finite."""
        arrays: Arrays = {"price": np.nan_to_num(self.price), "priced": ~np.isnan(self.price), **self.trend.arrays()}
        for name, matrix in [*self.labels.items(), *([] if self.edges is None else [("", self.edges)])]:
            prefix = f"labels.{name}" if name else "graph"
            arrays |= {
                f"{prefix}.indptr": matrix.indptr.astype(np.int64),
                f"{prefix}.indices": matrix.indices.astype(np.int32),
                f"{prefix}.data": matrix.data,
                f"{prefix}.width": np.array([matrix.shape[1]], np.int64),
            }
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, space: ItemSpace, support: F64, fields: Sequence[str]) -> Self:
        """The facts again.

        Raises:
            ArtifactError: something is missing or of another shape.
        """
        priced = np.asarray(per_item(arrays, "priced", space), bool)
        price = np.where(priced, np.asarray(per_item(arrays, "price", space), np.float64), np.nan)
        labels = {
            name: _matrix(arrays, f"labels.{name}", space.n_items)
            for name in fields
            if f"labels.{name}.indptr" in arrays
        }
        edges = _matrix(arrays, "graph", None) if "graph.indptr" in arrays else None
        trend = Trend.from_arrays(arrays, space.n_items)
        return cls(space, support, trend, price, labels, edges, _first_days(trend))


def _first_days(trend: Trend) -> I64:
    first = np.full(trend.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, trend.items, trend.days)
    return first


def _matrix(arrays: Arrays, prefix: str, n_rows: int | None) -> sparse.csr_array:
    width = int(stored(arrays, f"{prefix}.width", (1,))[0])
    indptr = stored(arrays, f"{prefix}.indptr", ((width if n_rows is None else n_rows) + 1,))
    indices = stored(arrays, f"{prefix}.indices", (int(indptr[-1]),))
    data = stored(arrays, f"{prefix}.data", (int(indptr[-1]),))
    matrix = sparse.csr_array((data, indices, indptr), shape=(len(indptr) - 1, width))
    matrix.check_format(full_check=True)
    return matrix


def _shares_of_labels(labels: Labels) -> sparse.csr_array:
    matrix = labels.matrix.astype(np.float32)
    counts = np.diff(matrix.indptr)
    matrix.data /= np.repeat(np.maximum(counts, 1), counts).astype(np.float32)
    return matrix


def _price_levels(side: SideInformation, space: ItemSpace) -> F64:
    """Log prices, from each domain's median: what is dear among courses is not what is dear among cars."""
    given = np.array(side.numbers.get(PRICE, np.full(space.n_items, np.nan)), np.float64)
    levels = np.log1p(np.where(given >= 0, given, np.nan))
    for domain in space.domains:
        part = space.slice(domain)
        if not np.isnan(levels[part]).all():
            levels[part] -= np.nanmedian(levels[part])
    return levels


def _share(shares: sparse.csr_array, labels: sparse.csr_array, rows: I64, items: I64) -> F32:
    """The part of each pair's history that has the labels of its item: (n_pairs,); NaN where it has none at all."""
    mine = (shares @ labels).toarray()
    mine /= np.where(mine.any(axis=1), mine.sum(axis=1), np.nan)[:, None]
    counts = np.diff(labels.indptr)[items]
    ends = np.cumsum(counts)
    places = np.arange(counts.sum()) + np.repeat(labels.indptr[items] - (ends - counts), counts)
    terms = mine[np.repeat(rows, counts), labels.indices[places]] * labels.data[places]
    return np.bincount(np.repeat(np.arange(len(items)), counts), terms, minlength=len(items)).astype(np.float32)


def _counts(histories: Histories, space: ItemSpace) -> I64:
    flat = histories.rows() * len(space.domains) + space.domain_of(histories.items)
    return np.bincount(flat, minlength=histories.n_rows * len(space.domains)).reshape(-1, len(space.domains))


def _days_since(histories: Histories) -> F64:
    """Days from the newest known event of each row to now; NaN where either is unknown."""
    if histories.times is None or histories.at is None:
        return np.full(histories.n_rows, np.nan)
    newest = np.full(histories.n_rows, -np.inf)
    known = ~np.isnan(histories.times)
    np.maximum.at(newest, histories.rows()[known], histories.times[known])
    days = (histories.at - np.where(np.isfinite(newest), newest, np.nan)) / 86_400.0
    return np.asarray(np.maximum(days, 0.0))
