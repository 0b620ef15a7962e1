"""Truncated singular value decomposition of a sparse matrix by randomised subspace iteration.

Halko, Martinsson, Tropp 2011, "Finding structure with randomness", algorithms 4.4 and 5.1. Bases are kept on the
smaller side of the matrix and made orthonormal once for each round trip, so the larger side costs two products of
matrices at the end and nothing else.
"""

import numpy as np
from scipy import linalg, sparse

from kuajie.numerics.jit import F32, F64

OVERSAMPLING = 16
BLOCK = 8_192


def truncated_svd(matrix: sparse.csr_array, rank: int, seed: int = 0, iterations: int = 8) -> tuple[F32, F32, F32]:
    """The largest singular values and their vectors: `matrix ~ U diag(s) V^T`.

    Args:
        matrix: float32 CSR (n_rows, n_columns).
        rank: wanted; at most the smaller side.
        seed: of the random start.
        iterations: round trips; the flatter the spectrum, the more are needed.

    Returns:
        U float32 (n_rows, rank), s float32 (rank,), V float32 (n_columns, rank). Values of nearly 0 come with zero
        vectors on the larger side.
    """
    if matrix.shape[0] > matrix.shape[1]:
        right, values, left = truncated_svd(matrix.T.tocsr(), rank, seed, iterations)
        return left, values, right
    back = matrix.T.tocsr()
    rank = max(1, min(rank, matrix.shape[0]))
    width = min(rank + OVERSAMPLING, matrix.shape[0])
    basis = np.random.default_rng(seed).standard_normal((matrix.shape[0], width), dtype=np.float32)
    for _ in range(iterations):
        basis = orthonormal(matrix @ (back @ basis))
    images = np.asarray(back @ basis, dtype=np.float32)
    squares, turn = np.linalg.eigh(gram(images))
    order = np.argsort(squares)[::-1][:rank]
    values = np.sqrt(np.maximum(squares[order], 0.0))
    scale = np.where(values > 1e-4 * max(values[0], 1e-30), 1.0 / np.maximum(values, 1e-30), 0.0)
    turn = turn[:, order]
    return (
        basis @ turn.astype(np.float32),
        values.astype(np.float32),
        images @ (turn * scale).astype(np.float32),
    )


def orthonormal(matrix: F32) -> F32:
    """An orthonormal basis of the columns of a tall matrix: float32, same shape."""
    basis, _ = linalg.qr(matrix, mode="economic", overwrite_a=True, check_finite=False)
    return np.asarray(basis, dtype=np.float32)


def gram(matrix: F32) -> F64:
    """`matrix^T matrix` in float64, a block of rows at a time."""
    total = np.zeros((matrix.shape[1],) * 2)
    for start in range(0, len(matrix), BLOCK):
        block = matrix[start : start + BLOCK].astype(np.float64)
        total += block.T @ block
    return total
