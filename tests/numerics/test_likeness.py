import numpy as np
import pytest
from scipy import sparse

from kuajie.numerics.likeness import Rowed, nearest


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("scattered", "full"), [(6, 0), (0, 5), (6, 5)])
def test_the_nearest_are_those_of_all_products(scattered: int, full: int, threads: int) -> None:
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((150, scattered + full)).astype(np.float32)
    dense[:, :scattered] *= rng.random((150, scattered)) < 0.4
    rows = Rowed(sparse.csr_array(dense[:, :scattered]), dense[:, scattered:])
    bounds = np.array([0, 60, 150])
    found = nearest(rows, rows, bounds, 7, threads).toarray()
    products = np.maximum(dense @ dense.T, 0)
    for row in range(150):
        for low, high in ((0, 60), (60, 150)):
            best = np.sort(products[row, low:high])[::-1][:7]
            kept = np.sort(found[row, low:high][found[row, low:high] > 0])[::-1]
            np.testing.assert_allclose(kept, best[best > 0], rtol=1e-4)


def test_products_can_be_changed_before_the_choice() -> None:
    eye = Rowed(sparse.csr_array((3, 0), dtype=np.float32), np.ones((3, 1), np.float32))

    def change(rows: np.ndarray, low: int, high: int) -> None:
        rows[np.arange(high - low), np.arange(low, high)] = 0

    found = nearest(eye, eye, np.array([0, 3]), 3, change=change)
    np.testing.assert_array_equal(found.toarray(), 1 - np.eye(3))
