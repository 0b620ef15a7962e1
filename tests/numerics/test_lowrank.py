import numpy as np
import pytest
from scipy import sparse

from kuajie.numerics.lowrank import truncated_svd


@pytest.mark.parametrize("shape", [(300, 80), (80, 300), (50, 50)])
def test_the_leading_singular_values_and_vectors(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    # a decaying spectrum under noise
    low = rng.standard_normal((shape[0], 8)) * 0.6 ** np.arange(8) @ rng.standard_normal((8, shape[1]))
    matrix = sparse.csr_array((low * (rng.random(shape) < 0.5)).astype(np.float32))
    left, values, right = truncated_svd(matrix, 6, seed=3, iterations=8)
    U, s, Vt = np.linalg.svd(matrix.toarray().astype(float), full_matrices=False)
    np.testing.assert_allclose(values, s[:6], rtol=1e-3)
    np.testing.assert_allclose((left * values) @ right.T, (U[:, :6] * s[:6]) @ Vt[:6], atol=0.05 * s[0])
    np.testing.assert_allclose(left.T @ left, np.eye(6), atol=1e-3)
    np.testing.assert_allclose(right.T @ right, np.eye(6), atol=1e-3)


def test_at_full_rank_nothing_is_lost_and_zero_values_have_zero_vectors() -> None:
    rng = np.random.default_rng(2)
    matrix = (rng.random((40, 5)) @ rng.random((5, 30))).astype(np.float32)  # of rank 5
    left, values, right = truncated_svd(sparse.csr_array(matrix), 30)
    np.testing.assert_allclose((left * values) @ right.T, matrix, rtol=1e-3, atol=1e-4)
    assert np.all(values[5:] < 1e-2)
    assert all(array.dtype == np.float32 for array in (left, values, right))


def test_the_same_seed_gives_the_same_vectors() -> None:
    matrix = sparse.random_array((200, 90), density=0.1, rng=np.random.default_rng(0), dtype=np.float32).tocsr()
    for first, second in zip(truncated_svd(matrix, 10, 5), truncated_svd(matrix, 10, 5), strict=True):
        np.testing.assert_array_equal(first, second)
