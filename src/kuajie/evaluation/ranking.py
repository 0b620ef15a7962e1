"""Ranks of the positives: how many candidates score better, and how many tie.

NaN ("no training support") is last: candidates without a score share the last ranks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.progress import Progress
from kuajie.core.texts import Text
from kuajie.evaluation.tasks import RankingTask
from kuajie.numerics.jit import kernel
from kuajie.numerics.threads import run_blocks

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Score = Callable[[Histories], Floats]
"""Scores (n_histories, items of the target domain), NaN where there is no training support."""

BATCH_BYTES = 256 * 2**20
BLOCK = 2**16  # items whose count float32 holds exactly


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where each row's positive stands among its candidates.

    Attributes:
        better: int64 (n_rows,), candidates with a higher score.
        tied: int64 (n_rows,), other candidates with the same score.
        others: int64 (n_rows,), candidates other than the positive.
    """

    better: Ints
    tied: Ints
    others: Ints

    @property
    def n_rows(self) -> int:
        """Number of ranked positives."""
        return len(self.better)

    def take(self, chosen: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "Ranks":
        """Some rows."""
        return Ranks(self.better[chosen], self.tied[chosen], self.others[chosen])

    @classmethod
    def joined(cls, parts: Sequence["Ranks"]) -> "Ranks":
        """All rows, one part after the other."""
        better, tied, others = ([getattr(part, name) for part in parts] for name in ("better", "tied", "others"))
        return cls(np.concatenate(better), np.concatenate(tied), np.concatenate(others))


def rank_task(
    task: RankingTask,
    score: Score,
    *,
    batch_bytes: int = BATCH_BYTES,
    threads: int = 1,
    progress: Progress | None = None,
) -> Ranks:
    """Score every distinct history once, in batches, and rank all positives.

    Args:
        task: rows, histories and candidates.
        score: such as `lambda histories: model.score(histories, task.domain)`.
        batch_bytes: the scores of one batch take at most so much memory.
        threads: of the counting.
        progress: called after each batch with the histories done.

    Raises:
        UsageError: the scores have another shape than (histories, items of the target).
    """
    better, tied = np.zeros(task.n_rows, np.int64), np.zeros(task.n_rows, np.int64)
    by_history = np.argsort(task.history_of, kind="stable")
    starts = np.searchsorted(task.history_of[by_history], np.arange(task.histories.n_rows + 1))
    size = max(1, batch_bytes // (4 * max(1, task.n_items)))
    for low in range(0, task.histories.n_rows, size):
        high = min(low + size, task.histories.n_rows)
        scores = checked(score(task.histories.take(np.arange(low, high))), (high - low, task.n_items))
        rows = by_history[starts[low] : starts[high]]
        better[rows], tied[rows] = count_better(scores, task.history_of[rows] - low, task, rows, threads)
        if progress is not None:
            progress(Text("scoring {domain}", domain=task.domain), high, task.histories.n_rows)
    return Ranks(better, tied, n_others(task))


def n_others(task: RankingTask) -> Ints:
    """Candidates of each row other than the positive."""
    if task.candidates is not None:
        return np.diff(task.candidates.indptr)
    return task.n_items - 1 - np.diff(task.excluded.indptr)


def count_better(
    scores: Floats, score_rows: Ints, task: RankingTask, rows: Ints, threads: int = 1
) -> tuple[Ints, Ints]:
    """(better, tied) of some rows of a task.

    Args:
        scores: float32 (n, items of the target).
        score_rows: int64 (len(rows),), the row of `scores` of each row.
        task: what is asked, and among which candidates.
        rows: int64, rows of the task.
        threads: of the counting.
    """
    better, tied = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    chosen = task.excluded if task.candidates is None else task.candidates
    count: Callable[..., None] = _count_all_but if task.candidates is None else _count_among

    def work(low: int, high: int) -> None:
        count(low, high, scores, score_rows, rows, task.positives, chosen.indptr, chosen.items, better, tied)

    run_blocks(work, len(rows), threads)
    return better, tied


def checked(scores: Floats, shape: tuple[int, int]) -> Floats:
    """Scores as contiguous float32.

    Raises:
        UsageError: another shape.
    """
    if scores.shape != shape:
        raise UsageError(
            "scores must have the shape (histories, target items) = {shape}, got {got}", shape=shape, got=scores.shape
        )
    return np.ascontiguousarray(scores, dtype=np.float32)


@kernel
def _count_all_but(low, high, scores, score_rows, rows, positives, indptr, items, better, tied):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for place in range(low, high):
        line = scores[score_rows[place]]
        row = rows[place]
        own = line[positives[row]]
        above, equal = _count_line(line, own)  # type: ignore[no-untyped-call]
        for entry in range(indptr[row], indptr[row + 1]):
            value = line[items[entry]]
            if np.isnan(own):
                above -= not np.isnan(value)
                equal -= np.isnan(value)
            else:
                above -= value > own
                equal -= value == own
        better[place] = above
        tied[place] = equal - 1  # the positive itself


@kernel
def _count_line(line, own):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    # counted in float32, which has the width of the scores, and by index: only so is the loop done eight at a time
    one, zero = np.float32(1), np.float32(0)
    above, equal = 0, 0
    for start in range(0, len(line), BLOCK):
        stop = min(start + BLOCK, len(line))
        some_above, some_equal = zero, zero
        if np.isnan(own):
            for item in range(start, stop):
                some_above += one if line[item] == line[item] else zero  # not NaN
            some_equal = np.float32(stop - start) - some_above
        else:
            for item in range(start, stop):
                some_above += one if line[item] > own else zero
                some_equal += one if line[item] == own else zero
        above += int(some_above)
        equal += int(some_equal)
    return above, equal


@kernel
def _count_among(low, high, scores, score_rows, rows, positives, indptr, items, better, tied):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for place in range(low, high):
        line = scores[score_rows[place]]
        row = rows[place]
        own = line[positives[row]]
        above, equal = 0, 0
        for entry in range(indptr[row], indptr[row + 1]):
            value = line[items[entry]]
            if np.isnan(own):
                above += not np.isnan(value)
                equal += np.isnan(value)
            else:
                above += value > own
                equal += value == own
        better[place] = above
        tied[place] = equal
