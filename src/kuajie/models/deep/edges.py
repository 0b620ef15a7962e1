"""Weighted edges, and their product with vectors: `people = edges @ items`.

A sparse product as sums over bags, which PyTorch does several times faster than products of sparse tensors on a CPU,
and which need no type of tensor that is in beta.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch.nn import functional


class Edges:
    """A sparse matrix (n_rows, n_columns) and its transpose, as tensors."""

    def __init__(self, matrix: sparse.csr_array, device: torch.device | str = "cpu") -> None:
        self.shape: tuple[int, int] = matrix.shape
        self.rows = Bags(matrix, device)
        self.columns = Bags(sparse.csr_array(matrix.T), device)

    @property
    def transposed(self) -> "Edges":
        """The other way."""
        other = object.__new__(Edges)
        other.shape, other.rows, other.columns = (self.shape[1], self.shape[0]), self.columns, self.rows
        return other

    def __matmul__(self, vectors: torch.Tensor) -> torch.Tensor:
        """(n_columns, dim) -> (n_rows, dim), with a gradient for the vectors."""
        product: torch.Tensor = _Product.apply(self, vectors)
        return product


class Bags:
    """The rows of a sparse matrix."""

    def __init__(self, matrix: sparse.csr_array, device: torch.device | str = "cpu") -> None:
        self.indices = torch.from_numpy(matrix.indices.astype(np.int64)).to(device)
        self.offsets = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)
        self.weights = torch.from_numpy(matrix.data.astype(np.float32)).to(device)

    def sums(self, vectors: torch.Tensor) -> torch.Tensor:
        """The weighted sum of each row's vectors."""
        if not len(self.indices):
            return vectors.new_zeros(len(self.offsets) - 1, vectors.shape[1]) + 0 * vectors.sum()
        return functional.embedding_bag(
            self.indices,
            vectors,
            self.offsets,
            mode="sum",
            per_sample_weights=self.weights.to(vectors.dtype),
            include_last_offset=True,
        )


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, edges: Edges, vectors: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        ctx.edges = edges
        return edges.rows.sums(vectors)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:  # noqa: ANN401
        return None, ctx.edges.columns.sums(gradients[0].contiguous())


def tensor(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """An array on a device."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
