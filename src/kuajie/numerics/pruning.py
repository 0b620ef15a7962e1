"""Matrices that are too large to be held, made a few rows at a time, of which the largest entries are kept."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from kuajie.numerics.heap import offer
from kuajie.numerics.jit import F32, I32, I64, kernel
from kuajie.numerics.threads import blocks, run_ranges

RowsOf = Callable[[int, int], F32]
"""Some rows, from the first number to before the second: float32 (count, n_columns), C order."""

MAGNITUDE = 0x7FFFFFFF
SHIFT = 19
BINS = 1 << (31 - SHIFT)

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
        rows = np.ascontiguousarray(rows_of(low, high), dtype=np.float32)
        return _largest(rows, rows.view(np.int32), bounds, size)

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
def _largest(rows: F32, bits: I32, bounds: I64, k: int) -> tuple[I64, I32, F32]:
    """Lengths, columns and values of what is kept of some rows; `bits` are the same rows read as integers."""
    n_rows, n_ranges = len(rows), len(bounds) - 1
    heap_items, heap_sizes = np.empty(k, np.int32), np.empty(k, np.float32)
    counts = np.zeros(BINS, np.int64)
    lengths = np.zeros(n_rows, np.int64)
    out_items = np.empty(n_rows * n_ranges * k, np.int32)
    out_values = np.empty(n_rows * n_ranges * k, np.float32)
    end = 0
    for row in range(n_rows):
        begin = end
        for part in range(n_ranges):
            edge, above = _edge(bits[row, bounds[part] : bounds[part + 1]], counts, k)
            room = heap_sizes[: k - above]
            size = 0
            for column in range(bounds[part], bounds[part + 1]):
                place = (bits[row, column] & MAGNITUDE) >> SHIFT
                if place < edge or rows[row, column] == 0:
                    continue
                if place > edge:
                    out_items[end], out_values[end] = column, rows[row, column]
                    end += 1
                else:
                    magnitude = abs(rows[row, column])
                    if size < len(room) or magnitude > room[0]:
                        size = offer(room, heap_items, size, magnitude, column)
            for place in range(size):
                out_items[end], out_values[end] = heap_items[place], rows[row, heap_items[place]]
                end += 1
        lengths[row] = end - begin
    return lengths, out_items[:end].copy(), out_values[:end].copy()


@kernel
def _edge(bits: I32, counts: I64, k: int) -> tuple[int, int]:
    """The bin of magnitudes that holds the k-th largest value, and how many values lie in bins above it (below k).

    The bits of floats that are not negative are ordered as the floats are: their leading bits are the bin.
    """
    counts[:] = 0
    for value in bits:
        counts[(value & MAGNITUDE) >> SHIFT] += 1
    above = 0
    for place in range(BINS - 1, -1, -1):
        if above + counts[place] >= k:
            return place, above
        above += counts[place]
    return -1, above
