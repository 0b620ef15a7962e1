"""Rows of length one, whose products are cosines."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

F32 = npt.NDArray[np.float32]


def unit_rows(matrix: sparse.csr_array, dtype: type[np.floating] = np.float32) -> sparse.csr_array:
    """The same rows scaled to length 1; zero rows stay zero."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    lengths = np.sqrt(np.bincount(rows, matrix.data.astype(np.float64) ** 2, matrix.shape[0]))
    scaled = matrix.data / np.where(lengths > 0, lengths, 1)[rows]
    return sparse.csr_array((scaled.astype(dtype), matrix.indices, matrix.indptr), shape=matrix.shape)


def unit_vectors(rows: F32) -> F32:
    """The same for dense rows."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)
