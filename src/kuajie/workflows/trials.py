"""Trying models on validation rows: each row's positive against a small pool of negatives, scored once for each trial.

Pools are what makes choosing affordable: everything that is tuned, weighed or gated reads arrays of
(rows, 1 + negatives), the positive in column 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.recommender import Recommender, Scope
from kuajie.core.space import ItemSpace
from kuajie.evaluation.tasks import RankingTask
from kuajie.models.best import best_items
from kuajie.models.blend import scoped

Floats = npt.NDArray[np.float32]
BATCH_CELLS = 32 * 2**20
"""Scores computed at a time: 128 MiB of float32."""
EXCLUDED_ROWS = 512
"""Rows whose excluded items are marked at a time."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Validation rows of one target and the candidates they are judged on.

    Attributes:
        task: the rows.
        items: int32 (n_rows, 1 + negatives), numbers inside the target; column 0 is the positive, -1 is no candidate.
    """

    task: RankingTask
    items: npt.NDArray[np.int32]

    @property
    def target(self) -> str:
        """The target domain."""
        return self.task.domain

    def take(self, rows: npt.NDArray[np.int64]) -> "Pool":
        """Some rows."""
        return Pool(self.task.take(rows), self.items[rows])


def sampled_pool(task: RankingTask, negatives: int, rng: np.random.Generator) -> Pool:
    """Some of the task's own sampled candidates, or uniform ones where it ranks among all items."""
    items = np.full((task.n_rows, 1 + negatives), -1, dtype=np.int32)
    items[:, 0] = task.positives
    if task.candidates is not None:
        lengths = np.diff(task.candidates.indptr)
        rows = task.candidates.rows()
        place = np.arange(len(rows)) - task.candidates.indptr[rows]
        # stored candidates may be sorted: take every (length / negatives)-th, not the first ones
        step = np.maximum(lengths / negatives, 1.0)[rows]
        column = (place / step).astype(np.int64)
        items[rows[column < negatives], 1 + column[column < negatives]] = task.candidates.items[column < negatives]
    else:
        items[:, 1:] = rng.integers(0, task.n_items, (task.n_rows, negatives))
    return Pool(task, without_excluded(task, items))


def hard_pool(task: RankingTask, negatives: int, liked: list[npt.NDArray[np.int32]], rng: np.random.Generator) -> Pool:
    """The items that some model ranks highest, so that places in the pool stand for places among all items.

    Args:
        task: rows that rank among all items.
        negatives: size of the pool.
        liked: int (n_rows, m) best items of several models, best first.
        rng: fills what is left with uniform items.
    """
    best = np.stack(liked, axis=2).reshape(task.n_rows, -1)  # best of each model first
    items = np.concatenate([task.positives[:, None], best[:, :negatives]], axis=1).astype(np.int32)
    missing = 1 + negatives - items.shape[1]
    if missing > 0:
        items = np.concatenate([items, rng.integers(0, task.n_items, (task.n_rows, missing), dtype=np.int32)], axis=1)
    return Pool(task, without_excluded(task, without_repeats(items)))


def whole_pool(task: RankingTask) -> Pool:
    """Every item of a small catalogue."""
    others = np.tile(np.arange(task.n_items, dtype=np.int32), (task.n_rows, 1))
    items = np.concatenate([task.positives[:, None].astype(np.int32), others], axis=1)
    return Pool(task, without_excluded(task, items))


def without_excluded(task: RankingTask, items: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """-1 where a candidate is excluded in its row, or the positive again."""
    wrong = items[:, 1:] == items[:, :1]
    allowed = np.ones((min(task.n_rows, EXCLUDED_ROWS), task.n_items + 1), dtype=bool)  # the last stands for -1
    excluded_rows = task.excluded.rows()
    for start in range(0, task.n_rows, EXCLUDED_ROWS):
        stop = min(start + EXCLUDED_ROWS, task.n_rows)
        first, last = task.excluded.indptr[[start, stop]]
        here = (excluded_rows[first:last] - start, task.excluded.items[first:last])
        allowed[here] = False
        wrong[start:stop] |= ~np.take_along_axis(allowed[: stop - start], items[start:stop, 1:].astype(np.intp), axis=1)
        allowed[here] = True
    cleaned = items.copy()
    cleaned[:, 1:][wrong] = -1
    return cleaned


def without_repeats(items: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """-1 for every second occurrence of an item in a row."""
    order = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, order, axis=1)
    repeated = np.zeros(items.shape, dtype=bool)
    repeated[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    found = np.zeros(items.shape, dtype=bool)
    np.put_along_axis(found, order, repeated, axis=1)
    return np.where(found, np.int32(-1), items)


def score_pool(model: Recommender, pool: Pool, scope: Scope, space: ItemSpace) -> Floats:
    """Score a pool with a fitted model under a scope.

    Args:
        model: fitted on what the scope asks for.
        pool: the rows.
        scope: what the model may see of the histories.
        space: the joint item space.

    Returns:
        (n_rows, 1 + negatives); NaN where unknown or no candidate.
    """
    target = pool.target
    histories = scoped(pool.task.histories, space, scope, target)
    out = np.empty(pool.items.shape, dtype=np.float32)
    by_history = np.argsort(pool.task.history_of, kind="stable")
    sorted_history = pool.task.history_of[by_history]
    size = max(1, BATCH_CELLS // pool.task.n_items)
    for start in range(0, histories.n_rows, size):
        stop = min(start + size, histories.n_rows)
        first, last = np.searchsorted(sorted_history, [start, stop])
        rows = by_history[first:last]
        if not len(rows):
            continue
        scores = model.score(histories.take(np.arange(start, stop)), target)
        out[rows] = scores[pool.task.history_of[rows][:, None] - start, pool.items[rows]]
    out[pool.items < 0] = np.nan
    return out


def favourites(
    model: Recommender, task: RankingTask, scope: Scope, space: ItemSpace, k: int, threads: int = 1
) -> npt.NDArray[np.int32]:
    """The k best items of each row, seen ones not removed: int32 (n_rows, k), -1 where fewer are scored."""
    histories = scoped(task.histories, space, scope, task.domain)
    return best_items(model, space, histories, task.domain, k, threads=threads).items[task.history_of]
