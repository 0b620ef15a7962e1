"""Sums over pairs of items that share a person: what every item similarity is made of.

Two ways with one result. Where (n_items, n_items) fits, `pair_sums` adds each pair once, in its upper half, and
mirrors it. Where it does not, `similarity` sums one item's row at a time by the index of `by_item`. People are added
in ascending order in both, so that results depend neither on the number of threads nor on the way.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F32, I32, I64, U32, kernel
from kuajie.numerics.threads import run_blocks


@dataclass(frozen=True, eq=False)
class Rows:
    """A CSR matrix in the types that kernels are compiled for.

    Attributes:
        indptr: int64 (n_rows + 1,).
        items: uint32 (n_entries,): kernels index faster with numbers that cannot be negative.
        values: float32 (n_entries,).
        n_items: number of columns.
    """

    indptr: I64
    items: U32
    values: F32
    n_items: int

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> Self:
        """The parts of a CSR matrix, without copying where types agree."""
        return cls(
            matrix.indptr.astype(np.int64, copy=False),
            matrix.indices.astype(np.int32, copy=False).view(np.uint32),
            matrix.data.astype(np.float32, copy=False),
            matrix.shape[1],
        )


def pair_sums(rows: Rows, values: F32, threads: int = 1) -> F32:
    """Sum over people of `values[p, i] * values[p, j]` for every i != j: float32 (n_items, n_items), diagonal 0.

    Args:
        rows: who used what; items ascending in each row.
        values: float32 (n_entries,), in the place of `rows.values`.
        threads: how many threads.
    """
    sums = np.zeros((rows.n_items, rows.n_items), np.float32)
    ones = bool((values == 1).all())

    def add(low: int, high: int) -> None:
        _add_upper(low, high, rows.indptr, rows.items, values, ones, sums)

    def mirror(low: int, high: int) -> None:
        _mirror(low, high, sums)

    # every range of items walks through all people: few ranges, but enough to even out what is popular
    run_blocks(add, rows.n_items, threads, size=-(-rows.n_items // (4 * threads)))
    run_blocks(mirror, rows.n_items, threads, size=128)
    return sums


def by_item(rows: Rows) -> tuple[I64, I32, I64]:
    """For each item its people, ascending, and the place of each entry in `rows`: index pointer, people, places."""
    return _by_item(rows.indptr, rows.items, rows.n_items)


@kernel
def _add_upper(
    low: int,
    high: int,
    indptr: I64,
    items: U32,
    values: F32,
    ones: bool,
    sums: F32,
) -> None:
    """Add the pairs whose lower item lies in low..high-1."""
    for person in range(len(indptr) - 1):
        start, stop = np.uint64(indptr[person]), np.uint64(indptr[person + 1])
        while start < stop and items[start] < low:
            start += np.uint64(1)
        for place in range(start, stop):
            if items[place] >= high:
                break
            row = sums[items[place]]
            if ones:
                for other in range(place + np.uint64(1), stop):
                    row[items[other]] += np.float32(1)
            else:
                value = values[place]
                for other in range(place + np.uint64(1), stop):
                    row[items[other]] += value * values[other]


@kernel
def _mirror(low: int, high: int, sums: F32) -> None:
    """Copy the upper half to rows low..high-1 of the lower half, tile by tile for the cache."""
    for left in range(0, high, 64):
        for row in range(low, high):
            for column in range(left, min(left + 64, row)):
                sums[row, column] = sums[column, row]


@kernel
def _by_item(indptr: I64, items: U32, n_items: int) -> tuple[I64, I32, I64]:
    item_indptr = np.zeros(n_items + 1, np.int64)
    for item in items:
        item_indptr[item + 1] += 1
    for item in range(n_items):
        item_indptr[item + 1] += item_indptr[item]
    free = item_indptr[:-1].copy()
    people = np.empty(len(items), np.int32)
    places = np.empty(len(items), np.int64)
    for person in range(len(indptr) - 1):
        for place in range(indptr[person], indptr[person + 1]):
            item = items[place]
            people[free[item]] = person
            places[free[item]] = place
            free[item] += 1
    return item_indptr, people, places
