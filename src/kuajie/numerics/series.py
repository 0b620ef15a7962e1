"""The truncated power series of a sparse graph: what is reached in one, two, ... L steps.

    W = sum_{l=1..L} c^(l-1) A^l,  by Horner's rule  W_L = A,  W_l = A (I + c W_{l+1})

(Katz 1953, "A new status index derived from sociometric analysis", with the walks cut at L steps.) After each
product the k largest entries of each row in each domain are kept; with k >= n_items the series is exact but for its
diagonal, which is dropped in every step: an item does not lead to itself.
"""

import numpy as np
from scipy import sparse

from kuajie.core.space import ItemSpace
from kuajie.numerics.best_of_rows import Rows, join_rows, keep_largest
from kuajie.numerics.jit import F32, F64, I32, I64, kernel
from kuajie.numerics.threads import blocks, run_ranges

BLOCK = 1_024


def power_series(
    graph: sparse.csr_array, space: ItemSpace, damping: float, steps: int, k: int, threads: int = 1
) -> sparse.csr_array:
    """W, pruned.

    Args:
        graph: A, float32 CSR (n_items, n_items), no negative value.
        space: where each domain lies.
        damping: c.
        steps: L, at least 1.
        k: entries kept for each row in each domain.
        threads: the result is the same for any number.

    Returns:
        float32 CSR (n_items, n_items).
    """
    first = _parts(graph)
    k = max(1, min(k, max(space.sizes)))
    total = graph
    for _ in range(steps - 1):
        reached = _parts(total)

        def step(low: int, high: int, reached: tuple[I64, I32, F32] = reached) -> Rows:
            return _step(low, high, *first, *reached, damping, space.offsets, k)

        total = join_rows(run_ranges(step, blocks(space.n_items, BLOCK), threads), space.n_items)
    return total


def _parts(matrix: sparse.csr_array) -> tuple[I64, I32, F32]:
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)


@kernel
def _sum_row(
    row: int,
    indptr: I64,
    columns: I32,
    values: F32,
    next_indptr: I64,
    next_columns: I32,
    next_values: F32,
    damping: float,
    sums: F64,
    touched: I32 | None,
) -> int:
    """One row of A (I + c W) into `sums`, and the columns that differ from zero into `touched`; returns their number.

    Without `touched` nothing is noted: numba compiles that apart, without the branches.
    """
    n_touched = 0
    for place in range(indptr[row], indptr[row + 1]):
        through, value = columns[place], np.float64(values[place])
        if touched is not None:
            touched[n_touched] = through
            n_touched += sums[through] == 0
        sums[through] += value
        value *= damping
        for further in range(next_indptr[through], next_indptr[through + 1]):
            column = next_columns[further]
            if touched is not None:
                touched[n_touched] = column
                n_touched += sums[column] == 0
            sums[column] += value * next_values[further]
    return n_touched


@kernel
def _step(
    low: int,
    high: int,
    indptr: I64,
    columns: I32,
    values: F32,
    next_indptr: I64,
    next_columns: I32,
    next_values: F32,
    damping: float,
    offsets: I64,
    k: int,
) -> Rows:
    """Rows low..high-1 of A (I + c W), the k largest entries in each domain."""
    n_items = offsets[-1]
    sums: F64 = np.zeros(n_items)
    touched, every = np.empty(n_items + 1, np.int32), np.arange(n_items).astype(np.int32)
    columns_room, values_room = np.empty(2 * k, np.int32), np.empty(2 * k, np.float32)
    ends = np.zeros(high - low + 1, np.int64)
    room = (high - low) * min((len(offsets) - 1) * k, n_items)
    out_items, out_values = np.empty(room, np.int32), np.empty(room, np.float32)
    for row in range(low, high):
        work = 0
        for through in columns[indptr[row] : indptr[row + 1]]:
            work += 1 + next_indptr[through + 1] - next_indptr[through]
        if 2 * work > n_items:  # noting what was touched would cost more than looking at every column
            _sum_row(row, indptr, columns, values, next_indptr, next_columns, next_values, damping, sums, None)
            found = every
        else:
            n_touched = _sum_row(
                row, indptr, columns, values, next_indptr, next_columns, next_values, damping, sums, touched
            )
            found = np.sort(touched[:n_touched])
        ends[row - low + 1] = keep_largest(
            row, sums, found, offsets, k, columns_room, values_room,
            out_items, out_values, ends[row - low],
        )  # fmt: skip
    return np.diff(ends), out_items[: ends[-1]].copy(), out_values[: ends[-1]].copy()
