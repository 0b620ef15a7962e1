"""Groups of new items that start alike, and how scores of used items are averaged for all of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.data.starts import Start

F64 = npt.NDArray[np.float64]


@dataclass(eq=False)
class Group:
    """New items with the same start: those that arrived, and those of the catalogue that nobody has used."""

    start: Start
    arrived: dict[str, None] = field(default_factory=dict)
    waiting: dict[str, None] = field(default_factory=dict)
    order: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    def parts(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What arrived and what waits, as it is now."""
        if self.order is None:
            self.order = tuple(self.arrived), tuple(self.waiting)
        return self.order


@dataclass(frozen=True, eq=False)
class Kinds:
    """The groups of one target, and what averages scores for them.

    Attributes:
        groups: new items that score alike.
        kinds: (n_kinds, items of the target), the mean over each brand and category that some group starts from.
        shares: (n_groups, n_kinds + items of the target), what those means and single items count for each group.
    """

    groups: tuple[Group, ...]
    kinds: sparse.csr_array
    shares: sparse.csr_array

    @classmethod
    def of(cls, groups: Iterable[Group], part: slice) -> "Kinds":
        """The groups of the target that takes this part of the joint space."""
        groups = tuple(groups)
        starts = [group.start for group in groups]
        number = {kind: place for place, kind in enumerate(dict.fromkeys(s.kind for s in starts if s.kind is not None))}
        kinds = _rows([kind.items - part.start for kind in number], part.stop - part.start)
        near = _rows([start.items - part.start for start in starts], part.stop - part.start)
        near.data = np.concatenate([np.empty(0), *(start.shares for start in starts)])
        same = [
            (row, number[start.kind], start.kind_share) for row, start in enumerate(starts) if start.kind is not None
        ]
        rows, columns, shares = np.array(same, np.float64).reshape(-1, 3).T
        places = (rows.astype(np.int64), columns.astype(np.int64))
        beside = sparse.coo_array((shares, places), shape=(len(groups), len(number)))
        return cls(groups, kinds, sparse.csr_array(sparse.hstack([beside, near], format="csr")))

    def bounds(self, scores: npt.NDArray[np.floating], optimism: float) -> F64:
        """Mean plus optimism times standard deviation of each group: (n_groups,)."""
        known = np.nan_to_num(scores.astype(np.float64))
        mean = self._averaged(known)
        spread = np.sqrt(np.maximum(self._averaged(known**2) - mean**2, 0))
        return np.asarray(mean + optimism * spread)

    def _averaged(self, values: F64) -> F64:
        return np.asarray(self.shares @ np.concatenate([self.kinds @ values, values]))


def _rows(columns: Sequence[npt.NDArray[np.int32]], width: int) -> sparse.csr_array:
    """CSR rows of given columns; those of a row are alike and sum to 1."""
    sizes = np.array([len(row) for row in columns], np.int64)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    items = np.concatenate([np.empty(0, np.int32), *columns])
    return sparse.csr_array((np.repeat(1 / np.maximum(sizes, 1), sizes), items, indptr), shape=(len(sizes), width))


def in_turn(parts: Iterable[Sequence[str]], start: int) -> Iterable[str]:
    """All of each part; where to begin differs from person to person, so that together they see everything."""
    for part in parts:
        for place in range(len(part)):
            yield part[(start + place) % len(part)]
