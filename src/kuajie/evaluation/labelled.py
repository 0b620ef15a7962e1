"""Labelled rows: people were asked about an item and used it or not. How well do scores tell the two apart?

Beside the ranking of all items, because tables of click prediction are made so. Their negatives are drawn, not seen,
so a high area says less than a place among all items.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories
from kuajie.evaluation.tasks import RankingTask

Score = Callable[[Histories], npt.NDArray[np.float32]]
BATCH_CELLS = 16 * 2**20


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows with a label.

    Attributes:
        task: their histories and items (`positives`), whatever the label.
        used: bool (n_rows,), the label.
    """

    task: RankingTask
    used: npt.NDArray[np.bool_]

    def judge(self, score: Score) -> dict[str, float]:
        """`auc` over all rows, and `auc_by_person`, the mean over people with rows of both kinds.

        Args:
            score: histories -> scores of all items of the target; what is not known ranks last.
        """
        scores = self.scores(score)
        return {"auc": auc(scores, self.used), "auc_by_person": mean_auc(scores, self.used, self.task.people)}

    def scores(self, score: Score) -> npt.NDArray[np.float64]:
        """The score of each row: (n_rows,), -inf where it is not known."""
        task, found = self.task, np.full(self.task.n_rows, -np.inf)
        size = max(1, BATCH_CELLS // max(task.n_items, 1))
        for start in range(0, task.histories.n_rows, size):
            stop = min(start + size, task.histories.n_rows)
            rows = np.flatnonzero((task.history_of >= start) & (task.history_of < stop))
            batch = score(task.histories.take(np.arange(start, stop)))
            found[rows] = batch[task.history_of[rows] - start, task.positives[rows]]
        found[np.isnan(found)] = -np.inf
        return found


def auc(scores: npt.NDArray[np.float64], used: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that a used row scores above an unused one, ties counting half.

    Mann and Whitney 1947 (the U statistic); NaN where one kind is missing.
    """
    from scipy.stats import rankdata  # half a second that only labelled rows need

    n_used = int(used.sum())
    pairs = n_used * (len(used) - n_used)
    if not pairs:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[used].sum() - n_used * (n_used + 1) / 2) / pairs)


def mean_auc(scores: npt.NDArray[np.float64], used: npt.NDArray[np.bool_], people: npt.NDArray[np.int64]) -> float:
    """Mean over people with rows of both kinds of the area within their rows; NaN where there is nobody."""
    order = np.argsort(people, kind="stable")
    starts = np.flatnonzero(np.r_[True, people[order][1:] != people[order][:-1]])
    areas = [auc(scores[rows], used[rows]) for rows in np.split(order, starts[1:])]
    known = [area for area in areas if not np.isnan(area)]
    return float(np.mean(known)) if known else float("nan")
