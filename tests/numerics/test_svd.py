import numpy as np
import pytest
from scipy import sparse

from kuajie.numerics.svd import right_singular


@pytest.fixture
def matrix() -> sparse.csr_array:
    rng = np.random.default_rng(0)
    taste = rng.standard_normal((120, 4)) @ rng.standard_normal((4, 50))
    return sparse.csr_array(np.where(rng.random((120, 50)) < 0.5, taste, 0).astype(np.float32))


@pytest.mark.parametrize("exact", [True, False])
def test_singular_vectors_are_those_of_a_full_decomposition(matrix: sparse.csr_array, exact: bool) -> None:
    _, s, vt = np.linalg.svd(matrix.toarray().astype(np.float64))
    values, vectors = right_singular(matrix, 4, seed=0, exact=exact)
    np.testing.assert_allclose(values, s[:4], rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(vectors * vt[:4].T, axis=0)), 1, atol=1e-3)
    assert (vectors[np.argmax(np.abs(vectors), axis=0), np.arange(4)] > 0).all()


def test_the_same_seed_gives_the_same_vectors(matrix: sparse.csr_array) -> None:
    first, second = (right_singular(matrix, 4, seed=3, exact=False)[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("exact", [True, False])
def test_directions_that_do_not_exist_are_left_out(exact: bool) -> None:
    rank_one = sparse.csr_array(np.outer(np.arange(1, 6), [1, 2, 0]).astype(np.float32))
    values, vectors = right_singular(rank_one, 10, seed=0, exact=exact)
    np.testing.assert_allclose(values, [np.sqrt(55 * 5)], rtol=1e-5)
    np.testing.assert_allclose(vectors[:, 0], np.array([1, 2, 0]) / np.sqrt(5), atol=1e-5)
    assert right_singular(sparse.csr_array((4, 3), dtype=np.float32), 2, seed=0, exact=exact)[1].shape == (3, 0)
