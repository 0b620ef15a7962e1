"""Parts of a task's rows that are shown on their own.

cold                no history in the target domain
history_0 .. _10+   by entries of the history in the target domain: 0, 1-4, 5-9, 10 and more
overlap, no_overlap with and without history in another domain
head, mid, tail     by training entries of the positive (see `popularity_thirds`)
trained_items       the positive has a training entry
without_twins       the positive is no twin of an item of another domain
"""

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Interactions
from kuajie.evaluation.tasks import RankingTask

Mask = npt.NDArray[np.bool_]
HISTORY_LIMITS = (0, 1, 5, 10)
HISTORY_GROUPS = ("0", "1-4", "5-9", "10+")


def history_groups(target_lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Group of each row by its history in the target: an index into `HISTORY_GROUPS`."""
    return np.searchsorted(HISTORY_LIMITS, target_lengths, side="right") - 1


def slices_of(task: RankingTask, train: Interactions, twins: npt.NDArray[np.integer] | None = None) -> dict[str, Mask]:
    """The rows of every slice: name -> bool (n_rows,).

    Args:
        task: the rows.
        train: what the models were fitted on.
        twins: joint numbers of items with a twin in another domain.
    """
    part = train.space.slice(task.domain)
    support = train.support()[part]
    groups = history_groups(task.target_lengths)
    slices = {"cold": task.target_lengths == 0}
    slices |= {f"history_{name}": groups == number for number, name in enumerate(HISTORY_GROUPS)}
    elsewhere = task.histories.lengths[task.history_of] > task.target_lengths
    slices |= {"overlap": elsewhere, "no_overlap": ~elsewhere}
    thirds = popularity_thirds(support)[task.positives]
    slices |= {name: thirds == number for number, name in enumerate(("head", "mid", "tail"))}
    slices["trained_items"] = support[task.positives] > 0
    lonely = np.ones(task.n_rows, dtype=bool) if twins is None else ~np.isin(task.positives + part.start, twins)
    return slices | {"without_twins": lonely}


def popularity_thirds(support: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """0 (head), 1 (mid) or 2 (tail) of each item: most used first, each takes a third of all training entries.

    Equally used items go together, to the part where the first of them falls; items never used are tail.
    """
    order = np.argsort(-support, kind="stable")
    before = np.cumsum(support[order]) - support[order]
    first = np.searchsorted(-support[order], -support[order])  # the first item that is used as often
    total = support.sum()
    parts = np.full(len(support), 2)
    if total > 0:
        parts[order] = np.minimum(3 * before[first] / total, 2).astype(np.int64)
    parts[support == 0] = 2
    return parts
