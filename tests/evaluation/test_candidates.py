import numpy as np
import pytest

from kuajie.core.errors import UsageError
from kuajie.core.space import ItemSpace
from kuajie.data.rows import Rows
from kuajie.data.split_folder import open_split_folder
from kuajie.evaluation.candidates import parse_candidates, with_candidates
from kuajie.evaluation.protocols import final_split
from kuajie.evaluation.tasks import RankingTask, build_task
from kuajie.testing.splits import rows, write_split_folder

SPACE = ItemSpace(("a", "b"), (4, 300))


def make_task(n_rows: int = 40) -> RankingTask:
    rng = np.random.default_rng(0)
    people = np.arange(n_rows)
    known = Rows(np.repeat(people, 20), rng.integers(4, 304, 20 * n_rows).astype(np.int32))
    return build_task(SPACE, "b", Rows(people, rng.integers(4, 304, n_rows).astype(np.int32)), known, "none", n_rows)


def test_negatives_are_distinct_and_neither_the_positive_nor_excluded() -> None:
    task = with_candidates(make_task(), "sampled-99", seed=7)
    for row in range(task.n_rows):
        negatives = task.candidates.row(row)
        assert len(negatives) == len(np.unique(negatives)) == 99
        assert not np.isin(negatives, [*task.excluded.row(row), task.positives[row]]).any()
        assert negatives.min() >= 0
        assert negatives.max() < 300


def test_a_row_draws_from_its_own_seed() -> None:
    task = make_task()
    drawn = with_candidates(task, "sampled-99", seed=7).candidates.row(5)
    blocked = {*task.excluded.row(5).tolist(), int(task.positives[5])}
    allowed = np.array([item for item in range(300) if item not in blocked])
    rng = np.random.default_rng([7, 1, 5])
    np.testing.assert_array_equal(drawn, allowed[rng.choice(len(allowed), 99, replace=False, shuffle=False)])


def test_every_allowed_item_is_drawn_equally_often() -> None:
    task = make_task(1)
    counts = np.zeros(300)
    for seed in range(2_000):
        counts[with_candidates(task, "sampled-99", seed).candidates.items] += 1
    blocked = [*task.excluded.row(0), task.positives[0]]
    assert counts[blocked].sum() == 0
    allowed = np.delete(counts, blocked)
    expected = 2_000 * 99 / len(allowed)
    assert np.abs(allowed - expected).max() < 5 * np.sqrt(expected)


def test_where_too_few_are_left_all_are_taken() -> None:
    task = with_candidates(make_task(), "sampled-999")
    assert (np.diff(task.candidates.indptr) == 299 - np.diff(task.excluded.indptr)).all()


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"full, sampled-999, sampled-99, file, got 'all'"):
        parse_candidates("all")
    with pytest.raises(UsageError, match=r"b_candidates\.parquet"):
        with_candidates(make_task(), "file")


def test_given_negatives_lose_what_the_person_used_and_keep_repeats(tmp_path) -> None:
    tables = {
        "a_train": rows((1, 10), (1, 11), (2, 12), (2, 13)),
        "a_test": rows((1, 12), (1, 14)),
        "a_candidates": {"row": [0, 0, 0, 0, 0, 1], "item": [13, 13, 11, 12, 14, 99]},
        "b_train": rows((1, 1)),
        "b_test": rows((1, 2)),
        "b_candidates": {"row": [0], "item": [1]},
    }
    tasks = final_split(open_split_folder(write_split_folder(tmp_path, tables)), "file").tasks
    assert tasks["a"].candidates.row(0).tolist() == [3, 3]  # 13 twice; 11 is trained, 12 the positive, 14 asked too
    assert tasks["a"].candidates.row(1).tolist() == [5]  # 99, an item of the candidates file alone
    assert tasks["b"].candidates.row(0).tolist() == []
