"""The inverse of a Gram matrix with a ridge, in one square of float32."""

import numpy as np
from scipy import linalg, sparse

from kuajie.core.errors import DataError
from kuajie.numerics.jit import F32


def inverse_of_gram(matrix: sparse.csr_array, ridge: F32) -> F32:
    """`(A A^T + diag(ridge))^-1` by Cholesky: float32 (n_rows, n_rows), C order, symmetric.

    Args:
        matrix: A, float32 CSR (n_rows, n_columns).
        ridge: (n_rows,), above 0.

    Raises:
        DataError: the sum is not positive definite in float32.
    """
    if not matrix.shape[0]:
        return np.zeros((0, 0), np.float32)
    gram = np.zeros((matrix.shape[0],) * 2, np.float32, order="F")
    back = matrix.T.tocsr()
    for start in range(0, matrix.shape[0], 1_024):
        gram[:, start : start + 1_024] = (matrix @ back[:, start : start + 1_024]).toarray()
    return inverse_of_sum(gram, ridge)


def inverse_of_sum(gram: F32, ridge: F32) -> F32:
    """`(gram + diag(ridge))^-1` by Cholesky, in place: float32 (n, n), C order, symmetric.

    Args:
        gram: float32 (n, n), Fortran order, symmetric; overwritten.
        ridge: (n,), above 0.

    Raises:
        DataError: the sum is not positive definite in float32.
    """
    if not len(gram):
        return np.zeros((0, 0), np.float32)
    gram[np.diag_indices_from(gram)] += ridge
    factor, failed = linalg.lapack.spotrf(gram, lower=1, overwrite_a=1, clean=0)
    if not failed:
        inverse, failed = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise DataError("a ridge system is not positive definite. Choose a larger regularization.")
    _mirror(inverse)
    return np.asarray(inverse).T


def _mirror(lower: F32) -> None:
    """Copy the lower half to the upper one in place, block by block."""
    n, size = len(lower), 1_024
    for start in range(0, n, size):
        stop = min(start + size, n)
        block = lower[start:stop, start:stop]
        block[...] = np.tril(block) + np.tril(block, -1).T
        lower[start:stop, stop:] = lower[stop:, start:stop].T
