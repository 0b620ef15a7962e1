"""Matrices that are too large to be held, made a few rows at a time, of which the largest entries are kept."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F32, I32, I64, kernel
from kuajie.numerics.threads import blocks, run_ranges
from kuajie.numerics.topk import offer

RowsOf = Callable[[int, int], F32]
"""Some rows, from the first number to before the second: float32 (count, n_columns), C order."""

ROWS = 64
"""Rows made at a time by each thread."""


def pruned(rows_of: RowsOf, n_rows: int, bounds: I64, k: int, threads: int = 1) -> sparse.csr_array:
    """The k entries of largest size of each row in each range of columns.

    Args:
        rows_of: called for ranges of at most `ROWS` rows, by several threads at once.
        n_rows: of the matrix.
        bounds: where the ranges of columns begin, and the end of the last: (n_ranges + 1,).
        k: entries kept for each row and range; zeros are never kept.
        threads: how many threads; the result is the same for any number.

    Returns:
        float32 CSR (n_rows, bounds[-1]), columns ascending.
    """
    bounds = np.asarray(bounds, dtype=np.int64)
    width = int(np.diff(bounds).max()) if len(bounds) > 1 else 0
    size = max(1, min(k, width))

    def work(low: int, high: int) -> tuple[I64, I32, F32]:
        return _largest(rows_of(low, high), bounds, size)

    parts = run_ranges(work, blocks(n_rows, ROWS), threads)
    lengths, columns, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    matrix = sparse.csr_array((values, columns, indptr), shape=(n_rows, int(bounds[-1])))
    matrix.sort_indices()
    return matrix


def filled(rows_of: RowsOf, n_rows: int, n_columns: int, threads: int = 1) -> F32:
    """The whole matrix: float32 (n_rows, n_columns)."""
    matrix = np.empty((n_rows, n_columns), np.float32)

    def work(low: int, high: int) -> None:
        matrix[low:high] = rows_of(low, high)

    run_ranges(work, blocks(n_rows, ROWS), threads)
    return matrix


@kernel
def _largest(rows: F32, bounds: I64, k: int) -> tuple[I64, I32, F32]:
    """Lengths, columns and values of what is kept of some rows."""
    n_rows, n_ranges = len(rows), len(bounds) - 1
    heap_items, heap_sizes = np.empty(k, np.int32), np.empty(k, np.float32)
    lengths = np.zeros(n_rows, np.int64)
    out_items = np.empty(n_rows * n_ranges * k, np.int32)
    out_values = np.empty(n_rows * n_ranges * k, np.float32)
    end = 0
    for row in range(n_rows):
        begin = end
        for part in range(n_ranges):
            size = 0
            for column in range(bounds[part], bounds[part + 1]):
                magnitude = abs(rows[row, column])
                if magnitude > 0 and (size < k or magnitude > heap_sizes[0]):
                    size = offer(heap_sizes, heap_items, size, magnitude, column)
            for place in range(size):
                out_items[end] = heap_items[place]
                out_values[end] = rows[row, heap_items[place]]
                end += 1
        lengths[row] = end - begin
    return lengths, out_items[:end].copy(), out_values[:end].copy()
