"""Item-to-item weight matrices W: the learned state of linear models, `score = history @ W[:, target]`.

Three forms with the same methods: dense, sparse (top-k) and low-rank. None holds a person's row.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.recommender import Arrays

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.integer]
FEW_ENTRIES = 1_000


class ItemWeights(Protocol):
    """W, (n_items, n_items), rows are history items, columns are scored items."""

    def apply(self, histories: sparse.csr_array, target: slice) -> Floats:
        """`histories @ W[:, target]`: (n_rows, n_target), an array of the caller's own."""

    def entries(self, rows: Numbers, columns: Numbers) -> Floats:
        """`W[rows][:, columns]`: (len(rows), len(columns))."""

    def arrays(self) -> Arrays:
        """The matrix as named arrays."""

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The matrix again."""


@dataclass(frozen=True, eq=False)
class DenseWeights:
    """W as a full float32 matrix."""

    matrix: Floats

    def apply(self, histories: sparse.csr_array, target: slice) -> Floats:
        """See `ItemWeights.apply`."""
        return np.asarray(histories @ self.matrix[:, target], dtype=np.float32)

    def entries(self, rows: Numbers, columns: Numbers) -> Floats:
        """See `ItemWeights.entries`."""
        return np.asarray(self.matrix[np.ix_(rows, columns)])

    def arrays(self) -> Arrays:
        """See `ItemWeights.arrays`."""
        return {"dense": self.matrix}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """See `ItemWeights.from_arrays`."""
        return cls(np.asarray(arrays["dense"], dtype=np.float32))


@dataclass(frozen=True, eq=False)
class SparseWeights:
    """W as float32 CSR, usually the k largest entries of each column."""

    matrix: sparse.csr_array

    def apply(self, histories: sparse.csr_array, target: slice) -> Floats:
        """See `ItemWeights.apply`."""
        if histories.nnz < FEW_ENTRIES:  # without numba, which takes a second to import
            return np.asarray((histories @ self.matrix)[:, target].toarray(), dtype=np.float32)
        from kuajie.numerics.products import sparse_product

        return sparse_product(histories, self.matrix, target)

    def entries(self, rows: Numbers, columns: Numbers) -> Floats:
        """See `ItemWeights.entries`."""
        return np.asarray(self.matrix[rows][:, columns].toarray(), dtype=np.float32)

    def arrays(self) -> Arrays:
        """See `ItemWeights.arrays`."""
        return {
            "data": self.matrix.data.astype(np.float32),
            "indices": self.matrix.indices.astype(np.int32),
            "indptr": self.matrix.indptr.astype(np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """See `ItemWeights.from_arrays`."""
        size = len(arrays["indptr"]) - 1
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        matrix = sparse.csr_array(parts, shape=(size, size))
        matrix.check_format(full_check=True)  # an index outside would read foreign memory
        return cls(matrix)


@dataclass(frozen=True, eq=False)
class LowRankWeights:
    """W = left @ right.T, both (n_items, rank)."""

    left: Floats
    right: Floats

    def apply(self, histories: sparse.csr_array, target: slice) -> Floats:
        """See `ItemWeights.apply`."""
        return np.asarray((histories @ self.left) @ self.right[target].T, dtype=np.float32)

    def entries(self, rows: Numbers, columns: Numbers) -> Floats:
        """See `ItemWeights.entries`."""
        return self.left[rows] @ self.right[columns].T

    def arrays(self) -> Arrays:
        """See `ItemWeights.arrays`."""
        return {"left": self.left, "right": self.right}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """See `ItemWeights.from_arrays`."""
        return cls(np.asarray(arrays["left"], np.float32), np.asarray(arrays["right"], np.float32))


def weights_from_arrays(arrays: Arrays) -> ItemWeights:
    """Whichever form was saved."""
    form = DenseWeights if "dense" in arrays else SparseWeights if "indptr" in arrays else LowRankWeights
    return form.from_arrays(arrays)
