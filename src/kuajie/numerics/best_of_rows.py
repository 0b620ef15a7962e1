"""Sparse rows summed in a dense buffer, of which the largest entries in each domain are kept."""

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F32, F64, I32, I64, kernel

SAMPLE = 1_024
"""Entries that a first bound is guessed from."""
Rows = tuple[I64, I32, F32]
"""Lengths of some rows, then their columns and values one row after the other."""


def join_rows(parts: list[Rows], n_items: int) -> sparse.csr_array:
    """float32 CSR (n_items, n_items) of consecutive ranges of rows."""
    lengths, columns, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csr_array((values, columns, indptr), shape=(n_items, n_items))


@kernel
def keep_largest(
    row: int,
    sums: F64,
    touched: I32,
    offsets: I64,
    k: int,
    columns: I32,
    values: F32,
    out_items: I32,
    out_values: F32,
    filled: int,
) -> int:
    """Append the largest entries > 0 of one row to the output, columns ascending, and set the buffer back to zero.

    Args:
        row: the row's own number; its diagonal entry is left out.
        sums: (n_items,), the row; zero except at `touched`.
        touched: the columns that may differ from zero, each once, ascending.
        offsets: (n_domains + 1,), where each domain's columns begin.
        k: entries kept in each domain; of equal ones the first.
        columns: (2 k,), room.
        values: likewise.
        out_items: columns are written here from `filled` on.
        out_values: likewise.
        filled: where the output ends.

    Returns:
        Where the output ends now.
    """
    bounds = np.searchsorted(touched, offsets)
    for domain in range(len(offsets) - 1):
        found = touched[bounds[domain] : bounds[domain + 1]]
        bound = _likely_bound(sums, found, k)
        size = _collect(row, sums, found, bound, k, columns, values)
        if size < k and bound > 0:
            size = _collect(row, sums, found, 0.0, k, columns, values)
        if size > k:
            _shrink(columns, values, size, k)
            size = k
        out_items[filled : filled + size] = columns[:size]
        out_values[filled : filled + size] = values[:size]
        filled += size
    for column in touched:
        sums[column] = 0.0
    return filled


@kernel
def _likely_bound(sums: F64, found: I32, k: int) -> float:
    """A number that probably somewhat more than k entries exceed, from evenly spaced ones; 0 for short rows."""
    if len(found) < 2 * SAMPLE:
        return 0.0
    step = len(found) // SAMPLE
    sample = sums[found[::step]].astype(np.float32)
    expected = k * len(sample) / len(found)
    place = len(sample) - int(expected + 3 * np.sqrt(expected)) - 2
    return float(np.partition(sample, place)[place]) if place > 0 else 0.0


@kernel
def _collect(row: int, sums: F64, found: I32, bound: float, k: int, columns: I32, values: F32) -> int:
    """Entries above a bound, fewer than 2 k of which the k largest are sure to be; returns their number."""
    size, limit = 0, bound
    for column in found:
        value = np.float32(sums[column])
        if value > limit and column != row:
            columns[size], values[size] = column, value
            size += 1
            if size == 2 * k:  # only what is larger than the k largest so far can still enter
                limit = _shrink(columns, values, size, k)
                size = k
    return size


@kernel
def _shrink(columns: I32, values: F32, size: int, k: int) -> float:
    """Move the k largest of `size` > k entries to the front, their order kept; returns the smallest of them."""
    limit = float(np.partition(values[:size], size - k)[size - k])
    ties = k - np.sum(values[:size] > limit)
    kept = 0
    for place in range(size):
        value = values[place]
        if value > limit or (value == limit and ties > 0):
            ties -= value == limit
            columns[kept], values[kept] = columns[place], value
            kept += 1
    return limit
