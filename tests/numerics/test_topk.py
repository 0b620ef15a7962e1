import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.numerics import topk
from kuajie.numerics.topk import best_dense, best_sparse, top_k

SCORES = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 15)), elements=st.sampled_from([np.nan, -1, 0, 0.5, 2])
)


def obvious_top_k(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort each row by (NaN last, score down, number up)."""
    items, values = np.full((len(scores), k), -1), np.full((len(scores), k), np.nan, np.float32)
    for row, line in enumerate(scores):
        order = sorted((i for i in range(len(line)) if not np.isnan(line[i])), key=lambda i: (-line[i], i))[:k]
        items[row, : len(order)], values[row, : len(order)] = order, line[order]
    return items, values


@given(scores=SCORES, k=st.integers(1, 17), threads=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_top_k_is_a_stable_sort(scores: np.ndarray, k: int, threads: int) -> None:
    before = scores.copy()
    best = top_k(scores, k, threads=threads)
    items, values = obvious_top_k(scores, k)
    np.testing.assert_array_equal(best.items, items)
    np.testing.assert_array_equal(best.scores, values)
    np.testing.assert_array_equal(scores, before)


def test_seen_items_are_left_out() -> None:
    seen = Histories.from_lists([[3, 5, 0], []], 9)
    best = top_k(np.array([[9, 8, 7], [9, 8, 7]], np.float32), 2, seen=seen, start=3)
    np.testing.assert_array_equal(best.items, [[1, -1], [0, 1]])
    np.testing.assert_array_equal(best.scores, np.array([[8, np.nan], [9, 8]], np.float32))


@pytest.mark.parametrize("share", [0.0, 1.0])  # sparse weights scored as dense ones, and not
def test_fused_kernels_equal_scoring_and_sorting(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topk, "DENSE_SHARE", share)
    rng = np.random.default_rng(0)
    histories = sparse.random_array((40, 30), density=0.2, format="csr", rng=rng, dtype=np.float32)
    weights = rng.integers(0, 3, (30, 30)).astype(np.float32)  # small integers: ties
    histories.data[:] = 1
    target, eligible = slice(12, 30), rng.random(18) < 0.8
    seen = Histories.from_matrix(sparse.csr_array(histories))
    scores = histories @ weights[:, target]
    scores[:, ~eligible] = np.nan
    expected = top_k(scores, 6, seen=seen, start=12)
    for best in (
        best_dense(histories, weights, target, 6, eligible, seen, threads=2),
        best_sparse(histories, sparse.csr_array(weights), target, 6, eligible, seen, threads=2),
    ):
        np.testing.assert_array_equal(best.items, expected.items)
        np.testing.assert_array_equal(best.scores, expected.scores)


def test_wrong_calls_say_what_is_wrong() -> None:
    with pytest.raises(UsageError, match="at least 1, got 0"):
        top_k(np.zeros((1, 2), np.float32), 0)
    with pytest.raises(UsageError, match="one row for each of 2 histories, got 1"):
        top_k(np.zeros((2, 2), np.float32), 1, seen=Histories.from_lists([[0]], 2))
