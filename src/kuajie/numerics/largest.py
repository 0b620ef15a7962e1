"""The k largest of many positive numbers, equal ones by lower item: selection without a heap.

A value and its item make one key, 64 bits: the bits of a positive float32 order like the number itself, and the item,
subtracted from the largest 32-bit number, breaks ties. Keys are distinct, so the k largest are one certain set.
"""

import numpy as np
import numpy.typing as npt

from kuajie.numerics.jit import F32, U32, kernel

U64 = npt.NDArray[np.uint64]

BUCKETS = 2048  # sign (0), exponent and three bits of the fraction of a positive float32
LAST = np.uint32(0xFFFFFFFF)


@kernel
def put(items: U32, values: F32, place: int, item: int, value: float) -> None:
    """Write a key, through the views of the keys as 32-bit numbers (little-endian)."""
    items[2 * place] = LAST - np.uint32(item)
    values[2 * place + 1] = value


@kernel
def item_of(items: U32, place: int) -> int:
    """The item of a key."""
    return int(LAST - items[2 * place])


@kernel
def value_of(values: F32, place: int) -> float:
    """The value of a key."""
    return float(values[2 * place + 1])


@kernel
def keep_largest(keys: U64, k: int, counts: npt.NDArray[np.int64]) -> int:
    """Bring the k largest keys to the front, in any order; returns how many there are.

    Args:
        keys: changed in place.
        k: how many to keep.
        counts: int64 (BUCKETS,), room to work in.
    """
    size = len(keys)
    if size <= k:
        return size
    if size > 2 * k + 32:
        size = _drop_low_buckets(keys, size, k, counts)
    _select(keys, size, k)
    return k


@kernel
def _drop_low_buckets(keys: U64, size: int, k: int, counts: npt.NDArray[np.int64]) -> int:
    """Keep the keys of the highest buckets that hold k together: few more than k."""
    counts[:] = 0
    for place in range(size):
        counts[keys[place] >> np.uint64(52)] += 1
    cut, total = len(counts), 0
    while total < k:
        cut -= 1
        total += counts[cut]
    least = np.uint64(cut) << np.uint64(52)
    kept = 0
    for place in range(size):
        key = keys[place]
        keys[kept] = key
        kept += key >= least
    return kept


@kernel
def _select(keys: U64, size: int, k: int) -> None:
    """Hoare's quickselect, largest first."""
    low, high = 0, size - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while keys[left] > pivot:
                left += 1
            while keys[right] < pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if k - 1 <= right:
            high = right
        elif k - 1 >= left:
            low = left
        else:
            return
