"""The leading right singular vectors of a sparse matrix, the same in every run.

Few columns: the eigenvectors of X^T X, exact. Many: randomised subspace iteration (Halko, Martinsson, Tropp 2011,
"Finding structure with randomness", algorithm 4.4) with a Rayleigh-Ritz step.
"""

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from kuajie.numerics.threads import blas_threads

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

EXACT_COLUMNS = 2_000
OVERSAMPLING = 16
POWER_ITERATIONS = 6


def right_singular(
    matrix: sparse.csr_array, rank: int, seed: int, threads: int = 1, exact: bool | None = None
) -> tuple[F64, F32]:
    """Singular values, largest first, and their right vectors, without those of value 0.

    Args:
        matrix: float32 (n_rows, n_columns).
        rank: how many at most.
        seed: of the random start, where there is one.
        threads: of the products of many columns.
        exact: by eigenvectors of (n_columns, n_columns); left out: up to 2,000 columns.

    Returns:
        float64 (r,) and float32 (n_columns, r), r <= rank; the largest component of each vector is positive.
    """
    exact = matrix.shape[1] <= EXACT_COLUMNS if exact is None else exact
    rank = min(rank, *matrix.shape)
    with blas_threads(1 if exact else threads):  # small eigenproblems gain nothing from threads
        squares, vectors = _by_gram(matrix, rank) if exact else _by_sampling(matrix, rank, seed)
    kept = squares > 1e-10 * max(squares[0], 1e-300) if len(squares) else np.zeros(0, np.bool_)
    vectors = vectors[:, kept]
    largest = np.argmax(np.abs(vectors), axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return np.sqrt(squares[kept]), vectors.astype(np.float32)


def _by_gram(matrix: sparse.csr_array, rank: int) -> tuple[F64, F64]:
    gram = (matrix.T @ matrix).toarray().astype(np.float64)
    n = gram.shape[0]
    values, vectors = linalg.eigh(gram, subset_by_index=(n - rank, n - 1))
    return values[::-1], vectors[:, ::-1]


def _by_sampling(matrix: sparse.csr_array, rank: int, seed: int) -> tuple[F64, F64]:
    width = min(rank + OVERSAMPLING, *matrix.shape)
    transposed = matrix.T.tocsr()
    basis = np.random.default_rng(seed).standard_normal((matrix.shape[1], width), dtype=np.float32)
    for _ in range(POWER_ITERATIONS):
        basis = np.linalg.qr(transposed @ (matrix @ basis))[0]
    image = (matrix @ basis).astype(np.float64)
    values, turn = linalg.eigh(image.T @ image)
    return values[::-1][:rank], basis.astype(np.float64) @ turn[:, ::-1][:, :rank]
