"""Which negatives a positive is ranked against."""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from kuajie.core.errors import UsageError
from kuajie.evaluation.tasks import Ragged, RankingTask

Candidates = Literal["full", "sampled-999", "sampled-99", "file"]


def parse_candidates(text: str) -> Candidates:
    """The mode of a name.

    Raises:
        UsageError: no such mode.
    """
    if text not in get_args(Candidates):
        raise UsageError(
            "candidates must be one of {known}, got '{text}'", known=", ".join(get_args(Candidates)), text=text
        )
    return text  # type: ignore[return-value]


def with_candidates(task: RankingTask, candidates: Candidates, seed: int = 0) -> RankingTask:
    """The same task under a mode.

    Raises:
        UsageError: "file" where the folder fixed no candidates.
    """
    if candidates == "file":
        if task.candidates is None:
            raise UsageError(
                "candidates 'file' needs {domain}_candidates.parquet in the folder, which is not there. "
                "Choose full, sampled-999 or sampled-99.",
                domain=task.domain,
            )
        return task
    if candidates == "full":
        return replace(task, candidates=None)
    return replace(task, candidates=sample_candidates(task, int(candidates.removeprefix("sampled-")), seed))


def sample_candidates(task: RankingTask, size: int, seed: int) -> Ragged:
    """Uniform negatives without replacement, from the pool without the excluded items and the positive.

    Row r draws from `default_rng([seed, domain index, r])`, so a row's negatives depend on nothing else. Rows with
    fewer than `size` possible negatives get all of them.
    """
    counts = np.minimum(task.n_items - 1 - np.diff(task.excluded.indptr), size)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    items = np.empty(indptr[-1], np.int32)
    for row in range(task.n_rows):  # the protocol gives every row a generator of its own
        blocked = np.sort(np.append(task.excluded.row(row), task.positives[row]))
        rng = np.random.default_rng([seed, task.domain_index, row])
        drawn = rng.choice(task.n_items - len(blocked), counts[row], replace=False, shuffle=False)
        # the d-th allowed item: as many blocked ones stand before it as are below it
        shift = np.searchsorted(blocked - np.arange(len(blocked)), drawn, side="right")
        items[indptr[row] : indptr[row + 1]] = drawn + shift
    return Ragged(indptr, items)
