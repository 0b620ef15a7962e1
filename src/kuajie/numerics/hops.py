"""How many steps lie between a history and an item in a graph: breadth first, a few steps deep."""

import numpy as np
from scipy import sparse

from kuajie.core.histories import Histories
from kuajie.numerics.jit import I32, I64, kernel


def hops(histories: Histories, edges: sparse.csr_array, part: slice, rows: I64, items: I64, most: int) -> I32:
    """Steps from the nearest item of a history to each asked item: int32 (n_pairs,); `most + 1` where it is farther.

    Args:
        histories: over the items, which are the first entities.
        edges: (n_entities, n_entities), both ways.
        part: the items that are asked for.
        rows: int64 (n_pairs,), ascending.
        items: int64 (n_pairs,), from the start of the part.
        most: steps that are looked at.
    """
    found = np.empty(len(rows), np.int32)
    starts = np.searchsorted(rows, np.arange(histories.n_rows + 1)).astype(np.int64)
    _walk(
        histories.indptr,
        histories.items,
        edges.indptr,  # as they are: a copy of a whole graph would take longer than the walk
        edges.indices,
        starts,
        items + part.start,
        most,
        found,
    )
    return found


@kernel
def _walk(indptr: I64, history: I32, edges: I64, ends: I32, starts: I64, asked: I64, most: int, found: I32) -> None:
    n_entities = len(edges) - 1
    seen = np.full(n_entities, -1, np.int64)  # the row that last came here
    steps = np.empty(n_entities, np.int32)
    queue = np.empty(n_entities, np.int32)
    for row in range(len(indptr) - 1):
        if starts[row] == starts[row + 1]:
            continue
        size = 0
        for place in range(indptr[row], indptr[row + 1]):
            entity = history[place]
            if seen[entity] != row:
                seen[entity], steps[entity], queue[size] = row, 0, entity
                size += 1
        head = 0
        while head < size:
            entity = queue[head]
            head += 1
            if steps[entity] == most:
                break
            for place in range(edges[entity], edges[entity + 1]):
                other = ends[place]
                if seen[other] != row:
                    seen[other], steps[other], queue[size] = row, steps[entity] + 1, other
                    size += 1
        for pair in range(starts[row], starts[row + 1]):
            entity = asked[pair]
            found[pair] = steps[entity] if seen[entity] == row else most + 1
