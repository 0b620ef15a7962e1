"""Sums over people that several models follow from (`core.statistics`)."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.histories import Interactions
from kuajie.core.space import ItemSpace

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
FEW = 50
"""Where pairs of items outnumber entries by more than this, sparse sums are quicker."""


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
    if right is None and left.nnz > left.shape[1] ** 2 / FEW and (left.data == 1).all():
        return _counted(left)
    sums = sparse.csr_array(left.T.tocsr() @ (left if right is None else right))
    sums.sort_indices()
    return sums


def _counted(matrix: sparse.csr_array) -> sparse.csr_array:
    """The same for entries of 1 by the kernel of the neighbours, whose counts are exact: up to 2^24 people."""
    from kuajie.numerics.cooccurrence import Rows, pair_sums

    matrix.sort_indices()  # the kernel walks through ascending items
    rows = Rows.of(matrix)
    counts = pair_sums(rows, rows.values)
    counts[np.diag_indices_from(counts)] = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return sparse.csr_array(counts.astype(np.float64))


def known_in(matrix: sparse.csr_array, space: ItemSpace) -> F64:
    """1 where a person has an entry in a domain: (n_people, n_domains)."""
    people = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    known = np.zeros((matrix.shape[0], len(space.domains)))
    known[people, space.domain_of(matrix.indices)] = 1
    return known


def full(sums: sparse.csr_array) -> F32:
    """Sums as a full float32 matrix."""
    return np.asarray(sums.astype(np.float32).toarray())
