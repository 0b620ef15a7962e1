"""Interactions of people with items as flat arrays, in the order of their source."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Some interactions, in the order of their source.

    Attributes:
        people: int64 (n,), row numbers of people.
        items: int32 (n,), numbers of the joint item space.
        positions: float64 (n,), places in the order of a person (of a person and domain where the order is per
            domain); None where there is no order.
        times: float64 (n,) unix seconds, NaN where unknown; None where no row of the data has one.
        weights: float32 (n,), strengths; None where all count 1.
    """

    people: Ints
    items: npt.NDArray[np.int32]
    positions: Floats | None = None
    times: Floats | None = None
    weights: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.people)

    def take(self, chosen: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "Rows":
        """Some rows, by number or mask."""
        positions = None if self.positions is None else self.positions[chosen]
        times = None if self.times is None else self.times[chosen]
        weights = None if self.weights is None else self.weights[chosen]
        return Rows(self.people[chosen], self.items[chosen], positions, times, weights)

    @property
    def strengths(self) -> npt.NDArray[np.float32]:
        """The weights, 1 where none are given: float32 (n,)."""
        return np.ones(len(self), np.float32) if self.weights is None else self.weights

    def within(self, part: slice) -> "Rows":
        """The rows of one slice of the item space."""
        return self.take((self.items >= part.start) & (self.items < part.stop))

    @classmethod
    def none(cls) -> "Rows":
        """No rows."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int32))

    @classmethod
    def joined(cls, parts: Iterable["Rows"]) -> "Rows":
        """All rows, one part after the other; order and times stay only where every part that has rows has them."""
        filled = [part for part in parts if len(part)]
        if not filled:
            return cls.none()

        def together(name: str) -> Floats | None:
            arrays = [getattr(part, name) for part in filled]
            return None if any(array is None for array in arrays) else np.concatenate(arrays)

        people = np.concatenate([part.people for part in filled])
        items = np.concatenate([part.items for part in filled])
        weights = None
        if any(part.weights is not None for part in filled):
            weights = np.concatenate([part.strengths for part in filled])
        return cls(people, items, together("positions"), together("times"), weights)
