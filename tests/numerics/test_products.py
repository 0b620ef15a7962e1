import numpy as np
import pytest
from scipy import sparse

from kuajie.numerics.products import sparse_product


@pytest.mark.parametrize("columns", [slice(0, 30), slice(7, 19), slice(5, 5)])
def test_the_product_is_the_one_of_scipy(columns: slice) -> None:
    rng = np.random.default_rng(0)
    left = sparse.csr_array(sparse.random_array((40, 25), density=0.2, rng=rng, dtype=np.float32))
    right = sparse.csr_array(sparse.random_array((25, 30), density=0.3, rng=rng, dtype=np.float32))
    expected = (left.toarray() @ right.toarray())[:, columns]
    np.testing.assert_allclose(sparse_product(left, right, columns), expected, rtol=1e-5, atol=1e-6)


def test_columns_of_a_row_may_come_in_any_order() -> None:
    right = sparse.csr_array((np.array([1, 2, 3], np.float32), np.array([2, 0, 1]), np.array([0, 3])), shape=(1, 3))
    left = sparse.csr_array(np.array([[2.0]], dtype=np.float32))
    assert sparse_product(left, right, slice(0, 3)).tolist() == [[4.0, 6.0, 2.0]]
