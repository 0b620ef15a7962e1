"""Fidelity of reasons: whether what a reason names carried the item.

Without it the score must fall further than without something else of the same history. For each person the best item
that is not in their history is explained, the entry with the largest share is the named one, and one other entry is
drawn. A fall is counted in standard deviations of the person's scores, so that models and people compare.

Source: deletion tests, as in Samek et al. (2017), "Evaluating the visualization of what a deep neural network has
learned", section III, with a random entry as the control.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories
from kuajie.core.recommender import Explanation
from kuajie.evaluation.ranking import Score, checked
from kuajie.evaluation.tasks import RankingTask
from kuajie.numerics.topk import top_k

Explain = Callable[[Histories, npt.NDArray[np.int64]], Explanation]
"""(one history, numbers inside the target) -> where their scores came from."""
Floats = npt.NDArray[np.float64]
MOST_PEOPLE = 100
LEAST_ITEMS = 3
"""Distinct items of a history: one that is named, one that is drawn, and one that stays."""
Z95 = 1.959964


@dataclass(frozen=True)
class Fidelity:
    """What became of scores.

    Attributes:
        people: looked at.
        named: mean fall without what the reason names, in standard deviations of the person's scores.
        random: mean fall without another entry.
        low, high: 95 % interval of named - random, over people.
        wins: share of people where the named entry's fall is the greater; ties count half.
    """

    people: int
    named: float
    random: float
    low: float
    high: float
    wins: float

    @classmethod
    def of(cls, named: Floats, other: Floats) -> "Fidelity":
        """From the falls of each person."""
        if not len(named):
            nothing = float("nan")
            return cls(0, nothing, nothing, nothing, nothing, nothing)
        difference = named - other
        half = Z95 * float(difference.std(ddof=1)) / len(named) ** 0.5 if len(named) > 1 else float("nan")
        mean = float(difference.mean())
        wins = float(np.mean(np.where(difference == 0, 0.5, difference > 0)))
        return cls(len(named), float(named.mean()), float(other.mean()), mean - half, mean + half, wins)


def fidelity(
    task: RankingTask, score: Score, explain: Explain, rng: np.random.Generator, most: int = MOST_PEOPLE
) -> Fidelity:
    """Measure the reasons of one model on the histories of a task.

    Args:
        task: whose histories; its positives are not looked at.
        score: histories -> (n_rows, items of the target).
        explain: of the same model.
        rng: draws people and the entries that are compared with.
        most: people.
    """
    usable = np.flatnonzero(_distinct_counts(task.histories) >= LEAST_ITEMS)
    rows = np.sort(rng.choice(usable, most, replace=False)) if len(usable) > most else usable
    histories = task.histories.take(rows)
    before = checked(score(histories), (len(rows), task.n_items))
    best = top_k(before, 1, histories, task.first_item, 1).items[:, 0].astype(np.int64)
    removed = np.full((len(rows), 2), -1, np.int64)
    for row in np.flatnonzero(best >= 0).tolist():
        explanation = explain(histories.take([row]), best[row : row + 1])
        removed[row] = _named_and_other(explanation, rng)
    asked = np.flatnonzero(removed[:, 0] >= 0)
    before, best, removed = before[asked], best[asked], removed[asked]
    after = [_score_without(histories.take(asked), removed[:, place], best, score) for place in (0, 1)]
    spread = np.nanstd(before, axis=1) if len(asked) else np.zeros(0)
    falls = [(before[np.arange(len(asked)), best] - each) / np.where(spread > 0, spread, 1.0) for each in after]
    known = np.isfinite(falls[0]) & np.isfinite(falls[1])
    return Fidelity.of(falls[0][known], falls[1][known])


def _distinct_counts(histories: Histories) -> npt.NDArray[np.int64]:
    pairs = np.unique(histories.rows() * histories.n_items + histories.items)
    return np.bincount(pairs // histories.n_items, minlength=histories.n_rows)


def _named_and_other(explanation: Explanation, rng: np.random.Generator) -> tuple[int, int]:
    """The history item with the largest share and one other; -1, -1 where nothing in the history carried the item."""
    parts = explanation.contributions[0]
    place = int(np.argmax(parts)) if len(parts) else 0
    if len(parts) < 2 or parts[place] <= 0:
        return -1, -1
    other = int(rng.integers(len(parts) - 1))
    other += other >= place
    return int(explanation.history_items[place]), int(explanation.history_items[other])


def _score_without(
    histories: Histories, removed: npt.NDArray[np.int64], best: npt.NDArray[np.int64], score: Score
) -> Floats:
    """The score of each row's best item without one item of its history: (n_rows,)."""
    if not len(best):
        return np.zeros(0)
    without = histories.keep(histories.items != removed[histories.rows()])
    return score(without)[np.arange(len(best)), best].astype(np.float64)
