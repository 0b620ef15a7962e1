"""Sums over people that several models follow from (`core.statistics`)."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.histories import Interactions
from kuajie.core.space import ItemSpace

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


def used(interactions: Interactions, binary: bool) -> sparse.csr_array:
    """The training matrix in float64 without zeros (n_people, n_items); entries as 1 if `binary`."""
    matrix = interactions.matrix()
    matrix.eliminate_zeros()
    matrix = matrix.astype(np.float64)
    if binary:
        matrix.data[:] = 1
    return matrix


def gram(left: sparse.csr_array, right: sparse.csr_array | None = None) -> sparse.csr_array:
    """Sum over people of the products of their entries: float64 CSR (columns of left, columns of right)."""
    sums = sparse.csr_array(left.T.tocsr() @ (left if right is None else right))
    sums.sort_indices()
    return sums


def known_in(matrix: sparse.csr_array, space: ItemSpace) -> F64:
    """1 where a person has an entry in a domain: (n_people, n_domains)."""
    counts = np.zeros((matrix.shape[0], len(space.domains)))
    np.add.at(
        counts, (np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), space.domain_of(matrix.indices)), 1
    )
    return (counts > 0).astype(np.float64)


def full(sums: sparse.csr_array) -> F32:
    """Sums as a full float32 matrix."""
    return np.asarray(sums.astype(np.float32).toarray())
