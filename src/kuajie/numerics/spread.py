"""Half a round trip on a graph of people and items, for `WIDTH` starts side by side.

Values lie as (n_people, WIDTH) and (n_items, WIDTH): the numbers of one person or item fill a cache line, so that one
walk along an edge moves all of them.
"""

import numpy as np

from kuajie.numerics.cooccurrence import Rows
from kuajie.numerics.jit import F32, I64, U32, kernel

WIDTH = 16


def rows_times_edges(over_people: F32, edges: Rows, scale: F32) -> F32:
    """`over_people @ edges @ diag(scale)`: float32 (count, n_items), C order.

    Args:
        over_people: float32 (count, n_people).
        edges: (n_people, n_items).
        scale: float32 (n_items,).
    """
    count, n_people = over_people.shape
    out = np.empty((count, edges.n_items), np.float32)
    at_people = np.zeros((n_people, WIDTH), np.float32)
    at_items = np.empty((edges.n_items, WIDTH), np.float32)
    for start in range(0, count, WIDTH):
        some = over_people[start : start + WIDTH]
        at_people[:, : len(some)] = some.T
        to_items(edges.indptr, edges.items, edges.values, at_people, at_items)
        put_rows(at_items, scale, out[start : start + WIDTH])
    return out


@kernel
def to_items(indptr: I64, items: U32, values: F32, at_people: F32, at_items: F32) -> None:
    """From people to their items: D^T at_people."""
    at_items[:] = 0
    for person in range(len(indptr) - 1):
        reached = False
        for start in range(WIDTH):
            reached |= at_people[person, start] != 0
        if not reached:
            continue
        for place in range(indptr[person], indptr[person + 1]):
            item, value = items[place], values[place]
            for start in range(WIDTH):
                at_items[item, start] += value * at_people[person, start]


@kernel
def to_people(indptr: I64, items: U32, values: F32, at_items: F32, at_people: F32) -> None:
    """From items to the people who used them: D at_items."""
    for person in range(len(indptr) - 1):
        for start in range(WIDTH):
            at_people[person, start] = 0
        for place in range(indptr[person], indptr[person + 1]):
            item, value = items[place], values[place]
            for start in range(WIDTH):
                at_people[person, start] += value * at_items[item, start]


@kernel
def put_rows(at_items: F32, scale: F32, out: F32) -> None:
    """Turn (n_items, WIDTH) into rows (count, n_items), items scaled."""
    for item in range(len(at_items)):
        for start in range(len(out)):
            out[start, item] = at_items[item, start] * scale[item]
