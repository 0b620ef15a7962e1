"""Groups of new items that start alike, and how scores of used items are averaged for all of them at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.data.content import Neighbours
from kuajie.data.starts import Start

F64 = npt.NDArray[np.float64]
MOST_RECENT = 256
"""Groups that are averaged beside the others; when there are more, all become one matrix again."""
MOST_RECENT_ITEMS = 10_000
"""Items of brands and categories that only those start from; the same."""


@dataclass(eq=False)
class Group:
    """New items with the same start: those that arrived, and those of the catalogue that nobody has used."""

    start: Start
    arrived: dict[str, None] = field(default_factory=dict)
    waiting: dict[str, None] = field(default_factory=dict)
    _arrived: tuple[str, ...] | None = None
    _waiting: tuple[str, ...] | None = None

    def __bool__(self) -> bool:
        """Whether there is any item."""
        return bool(self.arrived or self.waiting)

    def put(self, item: str, *, arrived: bool) -> None:
        """Add an item at the end."""
        if arrived:
            self.arrived[item], self._arrived = None, None
        else:
            self.waiting[item], self._waiting = None, None

    def take(self, item: str) -> bool:
        """Take an item out; returns whether it had arrived."""
        if item in self.arrived:
            del self.arrived[item]
            self._arrived = None
            return True
        del self.waiting[item]
        self._waiting = None
        return False

    def parts(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What arrived and what waits, as it is now."""
        if self._arrived is None:
            self._arrived = tuple(self.arrived)
        if self._waiting is None:
            self._waiting = tuple(self.waiting)
        return self._arrived, self._waiting


@dataclass(frozen=True, eq=False)
class Kinds:
    """The groups of one target, and what averages scores for them.

    Attributes:
        groups: new items that score alike, without those of `before`.
        kinds: (n_kinds, items of the target), the mean over each brand and category that some group starts from and
            that `before` lacks.
        shares: (n_groups, kinds of `before` + n_kinds + items of the target), what those means and single items count
            for each group.
        number: rows of the brands and categories in `kinds`, counted on from those of `before`.
        before: other groups; theirs come first.
    """

    groups: tuple[Group, ...]
    kinds: sparse.csr_array
    shares: sparse.csr_array
    number: Mapping[Neighbours, int] = field(default_factory=dict)
    before: "Kinds | None" = None

    @classmethod
    def of(cls, groups: Iterable[Group], part: slice, before: "Kinds | None" = None) -> "Kinds":
        """The groups of the target that takes this part of the joint space."""
        groups = tuple(groups)
        starts = [group.start for group in groups]
        known: Mapping[Neighbours, int] = {} if before is None else before.number
        own = dict.fromkeys(start.kind for start in starts if start.kind is not None and start.kind not in known)
        number = {kind: place for place, kind in enumerate(own, len(known))}
        kinds = _rows([kind.items - part.start for kind in number], part.stop - part.start)
        near = _rows([start.items - part.start for start in starts], part.stop - part.start)
        near.data = np.concatenate([np.empty(0), *(start.shares for start in starts)])
        same = [
            (row, number[start.kind] if start.kind in number else known[start.kind], start.kind_share)
            for row, start in enumerate(starts)
            if start.kind is not None
        ]
        rows, columns, shares = np.array(same, np.float64).reshape(-1, 3).T
        places = (rows.astype(np.int64), columns.astype(np.int64))
        beside = sparse.coo_array((shares, places), shape=(len(groups), len(known) + len(number)))
        return cls(groups, kinds, sparse.csr_array(sparse.hstack([beside, near], format="csr")), number, before)

    def __len__(self) -> int:
        """Groups, those of `before` too."""
        return len(self.groups) + (0 if self.before is None else len(self.before))

    def group(self, place: int) -> Group:
        """The group of a place in `bounds`."""
        first = 0 if self.before is None else len(self.before)
        if self.before is not None and place < first:
            return self.before.group(place)
        return self.groups[place - first]

    def bounds(self, scores: npt.NDArray[np.floating], optimism: float) -> F64:
        """Mean plus optimism times standard deviation of each group: (n_groups,)."""
        known = np.nan_to_num(scores.astype(np.float64))
        mean = self._averaged(known)[1]
        spread = np.sqrt(np.maximum(self._averaged(known**2)[1] - mean**2, 0))
        return np.asarray(mean + optimism * spread)

    def _averaged(self, values: F64) -> tuple[F64, F64]:
        """The means of all brands and categories, and of all groups."""
        means, rows = (np.empty(0), np.empty(0)) if self.before is None else self.before._averaged(values)
        means = np.concatenate([means, self.kinds @ values])
        return means, np.concatenate([rows, self.shares @ np.concatenate([means, values])])


class Groups:
    """The groups of one domain, while items come and go.

    What averages is made anew for groups that came lately alone, so that an item costs nothing that grows with the
    catalogue, until there are `MOST_RECENT` of them. Groups that have become empty stay until then.

    Args:
        part: of the joint space that the domain takes.

    Attributes:
        kinds: averages scores; replaced whole by `settle`.
    """

    def __init__(self, part: slice) -> None:
        self._part = part
        self._known: dict[Start, Group] = {}
        self._base = self.kinds = Kinds.of((), part)
        self._recent: list[Group] = []
        self._settled = 0

    def put(self, item: str, start: Start, *, arrived: bool) -> None:
        """Add an item to the group of its start; a new one is averaged from the next `settle` on."""
        group = self._known.get(start)
        if group is None:
            group = self._known[start] = Group(start)
            self._recent.append(group)
        group.put(item, arrived=arrived)

    def take(self, item: str, start: Start) -> bool:
        """Take an item out of the group of its start; returns whether it had arrived."""
        return self._known[start].take(item)

    def settle(self) -> None:
        """Let `kinds` know of the groups that have come."""
        if len(self._recent) == self._settled:
            return
        kinds = {group.start.kind for group in self._recent} - self._base.number.keys() - {None}
        items = sum(len(kind.items) for kind in kinds if kind is not None)
        if len(self._recent) > MOST_RECENT or items > MOST_RECENT_ITEMS:
            self._known = {start: group for start, group in self._known.items() if group}
            self._base = self.kinds = Kinds.of(self._known.values(), self._part)
            self._recent = []
        else:
            self.kinds = Kinds.of(self._recent, self._part, self._base)
        self._settled = len(self._recent)


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
