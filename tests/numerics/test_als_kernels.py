import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kuajie.numerics.als_kernels import Systems, solve
from kuajie.numerics.cooccurrence import Rows


def obvious_solve(matrix: np.ndarray, systems: Systems, prior: np.ndarray | None) -> np.ndarray:
    """Form each system and solve it."""
    y = systems.factors.astype(np.float64)
    solved = np.zeros((len(matrix), y.shape[1]))
    for row, weights in enumerate(matrix.astype(np.float64)):
        A = systems.grams[systems.patterns[row]] + (y.T * weights) @ y + systems.ridges[row] * np.eye(y.shape[1])
        b = weights @ y + (0 if prior is None else systems.ridges[row] * prior[row])
        solved[row] = np.linalg.solve(A, b)
    return solved


@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 11)),
    with_prior=st.booleans(),
    threads=st.integers(1, 3),
)
@settings(max_examples=50, deadline=None)
def test_conjugate_gradients_reach_the_direct_solution(
    seed: int, shape: tuple[int, int, int], with_prior: bool, threads: int
) -> None:
    n_rows, n_columns, rank = shape
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n_rows, n_columns)) < 0.4) * rng.integers(1, 4, (n_rows, n_columns)).astype(np.float32)
    factors = rng.standard_normal((n_columns, rank), dtype=np.float32)
    gram = 0.1 * factors.T @ factors
    systems = Systems(
        factors,
        np.stack([gram, 2 * gram]).astype(np.float32),
        rng.integers(0, 2, n_rows).astype(np.int32),
        rng.uniform(0.5, 3, n_rows).astype(np.float32),
    )
    prior = rng.standard_normal((n_rows, rank), dtype=np.float32) if with_prior else None
    found = solve(Rows.of(sparse.csr_array(matrix)), systems, prior=prior, steps=200, threads=threads)
    expected = obvious_solve(matrix, systems, prior)
    start = np.zeros_like(expected) if prior is None else prior  # single precision counts from where it starts
    scale = np.linalg.norm(expected, axis=1) + np.linalg.norm(expected - start, axis=1)
    assert (np.linalg.norm(found - expected, axis=1) <= 1e-3 * scale).all()


@pytest.mark.parametrize("rank", [8, 16, 19, 64])
def test_threads_do_not_change_a_bit_and_the_start_is_left_alone(rank: int) -> None:
    """Small ranks lie close in memory, and every range has its arrays elsewhere."""
    rng = np.random.default_rng(rank)
    rows = Rows.of(sparse.random_array((200, 50), density=0.2, format="csr", rng=rng, dtype=np.float32))
    factors, start = rng.standard_normal((50, rank), np.float32), rng.standard_normal((200, rank), np.float32)
    grams = (0.1 * factors.T @ factors)[None]
    systems = Systems(factors, grams, np.zeros(200, np.int32), np.ones(200, np.float32))
    before = start.copy()
    one, *others = (solve(rows, systems, start, steps=3, threads=threads) for threads in (1, 2, 3, 7))
    for other in others:
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(start, before)


def test_a_row_without_entries_stands_at_its_prior() -> None:
    gram, ones = np.zeros((1, 3, 3), np.float32), np.ones(1, np.float32)
    systems = Systems(np.ones((2, 3), np.float32), gram, np.zeros(1, np.int32), ones)
    prior = np.array([[1, -2, 3]], np.float32)
    empty = Rows.of(sparse.csr_array((1, 2), dtype=np.float32))
    np.testing.assert_array_equal(solve(empty, systems, prior=prior), prior)


@pytest.mark.parametrize("rank", [1, 3, 4, 7])
def test_ranks_that_are_no_multiple_of_four_work(rank: int) -> None:
    rng = np.random.default_rng(rank)
    factors = rng.standard_normal((5, rank), dtype=np.float32)
    systems = Systems(factors, (factors.T @ factors)[None], np.zeros(4, np.int32), np.ones(4, np.float32))
    matrix = (rng.random((4, 5)) < 0.5).astype(np.float32)
    found = solve(Rows.of(sparse.csr_array(matrix)), systems, steps=100)
    np.testing.assert_allclose(found, obvious_solve(matrix, systems, None), rtol=1e-3, atol=1e-5)
