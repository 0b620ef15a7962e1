"""Statistics: sums over people that a model follows from.

    statistics(people a and b) = statistics(people a) + statistics(people b)
    fit(people) = fit_statistics(statistics(people))          to the precision of floating-point numbers

So what changed is subtracted and added instead of summing everything anew, parts can be summed on several machines,
and no person's row is kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.space import ItemSpace

F64 = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Named sums over people.

    Attributes:
        space: the joint item space.
        pairs: float64 CSR (n_items, n_items): over pairs of items of one person.
        items: float64 (n_items,) or (n_items, anything).
        totals: numbers.
    """

    space: ItemSpace
    pairs: Mapping[str, sparse.csr_array] = field(default_factory=dict)
    items: Mapping[str, F64] = field(default_factory=dict)
    totals: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Self) -> "Statistics":
        """Of the people of both."""
        return self._combined(other, lambda a, b: a + b)

    def __sub__(self, other: Self) -> "Statistics":
        """Without some of the people."""
        return self._combined(other, lambda a, b: a - b)

    def _combined(self, other: Self, join: Callable[..., object]) -> "Statistics":
        if self.space != other.space or any(
            getattr(self, kind).keys() != getattr(other, kind).keys() for kind in ("pairs", "items", "totals")
        ):
            raise UsageError("statistics must be of one model over one item space to be added")
        parts = {
            kind: {name: join(value, getattr(other, kind)[name]) for name, value in getattr(self, kind).items()}
            for kind in ("pairs", "items", "totals")
        }
        for name, sums in parts["pairs"].items():
            kept = sparse.csr_array(sums)
            kept.eliminate_zeros()
            parts["pairs"][name] = kept
        return Statistics(self.space, **parts)  # type: ignore[arg-type]

    def moved(self, space: ItemSpace, numbers: Numbers) -> "Statistics":
        """The same sums in the numbers of another item space.

        Args:
            space: the other one.
            numbers: (n_items,), the new number of each item, -1: it is gone, and nobody of these people used it.
        """
        if space == self.space and (numbers == np.arange(space.n_items)).all():
            return self
        there = np.flatnonzero(numbers >= 0)
        ones = np.ones(len(there))
        select = sparse.csr_array((ones, (numbers[there], there)), shape=(space.n_items, self.space.n_items))
        return Statistics(
            space,
            {name: sparse.csr_array(select @ sums @ select.T) for name, sums in self.pairs.items()},
            {name: np.asarray(select @ sums) for name, sums in self.items.items()},
            self.totals,
        )


@runtime_checkable
class Updatable(Recommender, Protocol):
    """A recommender that follows from sums over people."""

    @property
    def binary(self) -> bool:
        """Whether the sums ignore strengths, so that time alone changes nobody's part."""

    @property
    def statistics_name(self) -> str:
        """Models of one name need the same sums of the same people."""

    def statistics(self, interactions: Interactions) -> Statistics:
        """The sums that this model needs, over the people of training data."""

    def fit_statistics(self, statistics: Statistics, options: FitOptions = ...) -> Self:
        """What `fit` gives on the people that were summed over; returns self.

        Raises:
            ResourceError: it does not fit into memory.
        """


@runtime_checkable
class WarmStart(Recommender, Protocol):
    """A recommender that is learned step by step, and can go on from where an earlier fit has come to."""

    def fit_from(self, previous: Self, numbers: Numbers, interactions: Interactions, options: FitOptions) -> Self:
        """Learn from training data, beginning at an earlier fit of the same config; returns self.

        Args:
            previous: on other data.
            numbers: (items of previous,), their numbers now, -1: gone.
            interactions: training data.
            options: seed and threads.
        """


@dataclass(frozen=True, eq=False)
class Changes:
    """People's rows that are no longer so, and those that are new."""

    removed: Interactions
    added: Interactions


def updated(model: Updatable, statistics: Statistics, changes: Changes, numbers: Numbers) -> Statistics:
    """Statistics after people's rows have changed: exact, whatever has changed.

    Args:
        model: whose statistics.
        statistics: before.
        changes: see `changed_rows`.
        numbers: (items before,), their numbers afterwards, -1: gone.
    """
    rest = statistics - model.statistics(changes.removed)
    return rest.moved(changes.added.space, numbers) + model.statistics(changes.added)


def changed_rows(old: Interactions, new: Interactions, numbers: Numbers, *, binary: bool) -> Changes:
    """Which rows of `old` are not in `new`, and the other way round; who they belong to does not matter for sums.

    Args:
        old: training data before.
        new: training data now.
        numbers: (items of old,), their numbers in new, -1: gone.
        binary: compare what was used and how often; False: strengths too.
    """
    before, after = _fingerprints(old, numbers, binary), _fingerprints(new, np.arange(new.space.n_items), binary)
    both = np.concatenate([before, after])
    order = np.lexsort((both[:, 1], both[:, 0]))
    differs = (both[order[1:]] != both[order[:-1]]).any(axis=1)
    place = np.empty(len(both), np.int64)
    place[order] = np.concatenate([[0], np.cumsum(differs)])[: len(both)]
    surplus = np.bincount(place[: len(before)], minlength=len(both))
    surplus -= np.bincount(place[len(before) :], minlength=len(both))
    removed = _some(place[: len(before)], np.maximum(surplus, 0))
    added = _some(place[len(before) :], np.maximum(-surplus, 0))
    return Changes(old.take(removed), new.take(added))


def _some(place: Numbers, wanted: Numbers) -> Numbers:
    """So many rows of each fingerprint, the first ones."""
    order = np.argsort(place, kind="stable")
    ordered = place[order]
    starts = np.searchsorted(ordered, ordered)
    return np.sort(order[np.arange(len(order)) - starts < wanted[ordered]])


def _fingerprints(interactions: Interactions, numbers: Numbers, binary: bool) -> npt.NDArray[np.uint64]:
    """128 bits of each row (n, 2) that tell whether two hold the same: sums of well mixed entries."""
    histories = interactions.histories.keep(interactions.histories.weights > 0)
    entry = np.asarray(numbers)[histories.items].astype(np.int64).view(np.uint64)
    if not binary:
        entry = entry ^ (histories.weights.view(np.uint32).astype(np.uint64) << np.uint64(32))
    found = np.zeros((histories.n_rows, 2), np.uint64)
    filled = np.flatnonzero(histories.lengths)
    if len(filled):
        starts = histories.indptr[filled]
        for column, salt in enumerate((0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)):
            found[filled, column] = np.add.reduceat(_mixed(entry + np.uint64(salt)), starts)
    return found


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
