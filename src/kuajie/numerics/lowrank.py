"""Truncated singular value decomposition of a sparse matrix by randomised subspace iteration.

Halko, Martinsson, Tropp 2011, "Finding structure with randomness", algorithms 4.4 and 5.1.
"""

import numpy as np
from scipy import linalg, sparse

from kuajie.numerics.jit import F32

OVERSAMPLING = 16


def truncated_svd(matrix: sparse.csr_array, rank: int, seed: int = 0, iterations: int = 4) -> tuple[F32, F32, F32]:
    """The largest singular values and their vectors: `matrix ~ U diag(s) V^T`.

    Args:
        matrix: float32 CSR (n_rows, n_columns).
        rank: wanted; at most the smaller side.
        seed: of the random start.
        iterations: passes back and forth; the flatter the spectrum, the more are needed.

    Returns:
        U float32 (n_rows, rank), s float32 (rank,), V float32 (n_columns, rank).
    """
    n_rows, n_columns = matrix.shape
    rank = max(1, min(rank, n_rows, n_columns))
    width = min(rank + OVERSAMPLING, n_rows, n_columns)
    back = matrix.T.tocsr()
    basis = np.random.default_rng(seed).standard_normal((n_columns, width), dtype=np.float32)
    for _ in range(iterations):
        basis = orthonormal(back @ orthonormal(matrix @ basis))
    left = orthonormal(matrix @ basis)
    right = np.asarray(back @ left, dtype=np.float64)
    # the small side by its Gram matrix: (n_columns, width) is tall
    squares, vectors = np.linalg.eigh(right.T @ right)
    order = np.argsort(squares)[::-1][:rank]
    values = np.sqrt(np.maximum(squares[order], 0.0))
    scale = np.where(values > 1e-6 * max(values[0], 1e-30), 1.0 / np.maximum(values, 1e-30), 0.0)
    columns = (right @ vectors[:, order]) * scale
    return (
        np.asarray(left @ vectors[:, order], dtype=np.float32),
        values.astype(np.float32),
        columns.astype(np.float32),
    )


def orthonormal(matrix: F32) -> F32:
    """An orthonormal basis of the columns of a tall matrix: float32, same shape."""
    basis, _ = linalg.qr(matrix, mode="economic", overwrite_a=True, check_finite=False)
    return np.asarray(basis, dtype=np.float32)
