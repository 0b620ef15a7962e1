"""Products of sparse matrices that end in a dense one, without a sparse one in between."""

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F32, I32, I64, kernel


def sparse_product(left: sparse.csr_array, right: sparse.csr_array, columns: slice) -> F32:
    """`(left @ right[:, columns])` as a full array: float32 (left rows, columns).

    Args:
        left: float32 CSR (n, m).
        right: float32 CSR (m, o), in any order of columns inside a row.
        columns: which of the o, without a step.
    """
    out = np.zeros((left.shape[0], columns.stop - columns.start), np.float32)
    _product(
        left.indptr.astype(np.int64, copy=False),
        left.indices.astype(np.int32, copy=False),
        left.data.astype(np.float32, copy=False),
        right.indptr.astype(np.int64, copy=False),
        right.indices.astype(np.int32, copy=False),
        right.data.astype(np.float32, copy=False),
        columns.start,
        out,
    )
    return out


@kernel
def _product(
    indptr: I64, items: I32, values: F32, right_indptr: I64, right_items: I32, right_values: F32, start: int, out: F32
) -> None:
    rows, width = out.shape
    for row in range(rows):
        line = out[row]
        for entry in range(indptr[row], indptr[row + 1]):
            value, item = values[entry], items[entry]
            for place in range(right_indptr[item], right_indptr[item + 1]):
                column = right_items[place] - start
                if 0 <= column < width:
                    line[column] += value * right_values[place]
