from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kuajie.numerics.pruning import ROWS, filled, pruned

VALUES = st.one_of(st.just(0.0), st.sampled_from([1.0, -1.0, 0.5]), st.floats(-1e3, 1e3, width=32))


def slow_pruned(matrix: np.ndarray, bounds: np.ndarray, k: int) -> np.ndarray:
    """Sort each row and range by size; of equal ones the first stays."""
    kept = np.zeros_like(matrix)
    for row in range(len(matrix)):
        for low, high in pairwise(bounds):
            order = np.argsort(-np.abs(matrix[row, low:high]), kind="stable")[:k] + low
            kept[row, order] = matrix[row, order]
    return kept


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(1, 12)), elements=VALUES), st.integers(1, 5))
def test_the_largest_entries_of_each_range_are_kept(matrix: np.ndarray, k: int) -> None:
    matrix = np.concatenate([matrix, np.ones((1, matrix.shape[1]), np.float32)])
    bounds = np.array([0, matrix.shape[1] // 3, matrix.shape[1]])
    got = pruned(lambda low, high: matrix[low:high], len(matrix), bounds, k)
    np.testing.assert_array_equal(got.toarray(), slow_pruned(matrix, bounds, k))
    assert np.all(got.data != 0)


def test_many_rows_and_threads_give_the_same() -> None:
    rng = np.random.default_rng(0)
    matrix = (rng.standard_normal((3 * ROWS + 5, 400)) * (rng.random((3 * ROWS + 5, 400)) < 0.7)).astype(np.float32)
    bounds = np.array([0, 150, 400])
    got = [pruned(lambda low, high: matrix[low:high], len(matrix), bounds, 20, threads) for threads in (1, 3)]
    np.testing.assert_array_equal(got[0].toarray(), slow_pruned(matrix, bounds, 20))
    np.testing.assert_array_equal(got[0].toarray(), got[1].toarray())
    np.testing.assert_array_equal(filled(lambda low, high: matrix[low:high], len(matrix), 400, 2), matrix)
