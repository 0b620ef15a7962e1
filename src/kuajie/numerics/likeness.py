"""The nearest rows of a matrix in each range of rows, by their product: what likeness of features comes down to.

Products are made a few rows at a time, so the (n, n) matrix of all of them never exists.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F32, I64
from kuajie.numerics.products import sparse_product
from kuajie.numerics.pruning import pruned
from kuajie.numerics.threads import blas_threads


@dataclass(frozen=True, eq=False)
class Rowed:
    """Rows of a matrix, part of whose columns is sparse.

    Attributes:
        scattered: float32 CSR (n, anything).
        full: float32 (n, anything).
    """

    scattered: sparse.csr_array
    full: F32


def nearest(
    left: Rowed,
    right: Rowed,
    bounds: I64,
    k: int,
    threads: int = 1,
    change: Callable[[F32, int, int], None] | None = None,
) -> sparse.csr_array:
    """The k rows of `right` in each range with the largest positive products, for each row of `left`.

    Args:
        left: (n, d).
        right: (m, d).
        bounds: where the ranges of rows of `right` begin, and the end of the last: (n_ranges + 1,).
        k: kept for each row and range.
        threads: how many threads; the result is the same for any number.
        change: may change some rows of products, from the first number to before the second, in place.

    Returns:
        float32 CSR (n, m), columns ascending.
    """
    columns = sparse.csr_array(right.scattered.T)
    count = right.full.shape[0]

    def rows_of(low: int, high: int) -> F32:
        if left.scattered.nnz:
            rows = sparse_product(left.scattered[low:high], columns, slice(0, count))
        else:
            rows = np.zeros((high - low, count), np.float32)
        if left.full.shape[1]:
            rows += left.full[low:high] @ right.full.T
        np.maximum(rows, 0, out=rows)
        if change is not None:
            change(rows, low, high)
        return rows

    with blas_threads(1):
        return pruned(rows_of, left.full.shape[0], bounds, k, threads)
