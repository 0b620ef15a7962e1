"""Entries of many histories as flat arrays: the index arithmetic of `data.dataset`, without a loop over people."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories, Order

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Weighed:
    """Entries of histories, oldest first in each row; `borrowed` where they are what others did."""

    row: npt.NDArray[np.integer]
    item: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]
    time: npt.NDArray[np.float64]
    borrowed: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Slices:
    """Places of the members of some groups, and the position of the group of each."""

    places: Numbers
    rows: Numbers


def histories(parts: list[Weighed], n_rows: int, n_items: int, at: float, order: Order) -> Histories:
    """Histories of the entries of all parts, oldest first; what has no time is the oldest."""
    merged = parts[0]
    if len(parts) > 1:
        fields = [np.concatenate([getattr(part, name) for part in parts]) for name in ("row", "item", "weight", "time")]
        oldest_first = np.lexsort((np.nan_to_num(fields[3], nan=-np.inf), fields[0]))
        merged = Weighed(*(field[oldest_first] for field in fields))
        if any(part.borrowed is not None for part in parts):
            flags = [np.zeros(len(part.item), bool) if part.borrowed is None else part.borrowed for part in parts]
            merged = replace(merged, borrowed=np.concatenate(flags)[oldest_first])
    timed = order != "none"
    return Histories(
        indptr=starts_of(merged.row, n_rows),
        items=merged.item,
        weights=merged.weight,
        n_items=n_items,
        times=merged.time if timed else None,
        at=np.full(n_rows, at) if timed else None,
        order=order,
        borrowed=merged.borrowed,
    )


def starts_of(groups: npt.NDArray[np.integer], n_groups: int) -> Numbers:
    """Where each group starts among sorted members, and the end: (n_groups + 1,)."""
    counts = np.bincount(groups, minlength=n_groups)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def slices(starts: Numbers, groups: Numbers) -> Slices:
    """The members of some groups, group after group; `starts` as of `starts_of`."""
    lengths = starts[groups + 1] - starts[groups]
    ends = np.cumsum(lengths)
    shift = np.repeat(starts[groups] - (ends - lengths), lengths)
    return Slices(np.arange(len(shift)) + shift, np.repeat(np.arange(len(groups)), lengths))
