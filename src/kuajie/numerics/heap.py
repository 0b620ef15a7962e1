"""Heaps of the best entries: kernels that keep the k best of a stream of (score, item), the worst of them on top.

Order: higher score first, equal scores by lower item number.
"""

import numpy as np

from kuajie.numerics.jit import F32, I32, kernel


@kernel
def worse(score_a: float | np.float32, item_a: int, score_b: float | np.float32, item_b: int) -> bool:
    """Whether a stands behind b: lower score, or the same score and a higher number."""
    return bool(score_a < score_b or (score_a == score_b and item_a > item_b))


@kernel
def sift_down(scores: F32, items: I32, size: int) -> None:
    """Put the root of a heap (worst entry on top) where it belongs."""
    place = 0
    score, item = scores[0], items[0]
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and worse(scores[child + 1], items[child + 1], scores[child], items[child]):
            child += 1
        if not worse(scores[child], items[child], score, item):
            break
        scores[place], items[place] = scores[child], items[child]
        place = child
    scores[place], items[place] = score, item


@kernel
def offer(
    scores: F32,
    items: I32,
    size: int,
    score: float | np.float32,
    item: int,
) -> int:
    """Offer an entry to a heap of the best len(scores) entries that holds `size`; returns the new size."""
    if size < len(scores):
        place = size
        while place > 0:
            parent = (place - 1) // 2
            if not worse(score, item, scores[parent], items[parent]):
                break
            scores[place], items[place] = scores[parent], items[parent]
            place = parent
        scores[place], items[place] = score, item
        return size + 1
    if worse(scores[0], items[0], score, item):
        scores[0], items[0] = score, item
        sift_down(scores, items, size)
    return size


@kernel
def sort_heap(scores: F32, items: I32, size: int) -> None:
    """Turn a heap into a list, best first, in place."""
    for last in range(size - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        items[0], items[last] = items[last], items[0]
        sift_down(scores, items, last)
