"""Threads: kernels release the GIL and work on a range of rows; the ranges are shared out here.

No thread pool outlives a call and no global setting stays changed, so fits may run side by side in one process.
Results do not depend on the number of threads: every range writes its own rows and is computed in one way.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

T = TypeVar("T")


def blocks(n: int, size: int) -> list[tuple[int, int]]:
    """The ranges (start, stop) of at most `size` numbers that make up 0..n-1."""
    size = max(1, size)
    return [(start, min(start + size, n)) for start in range(0, n, size)]


def even_ranges(indptr: npt.NDArray[np.integer], parts: int) -> list[tuple[int, int]]:
    """At most `parts` ranges of rows with about the same number of entries and rows together."""
    work = np.asarray(indptr, dtype=np.int64) + np.arange(len(indptr))
    bounds = np.unique(np.searchsorted(work, np.linspace(0, work[-1], parts + 1)))
    return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))


def run_blocks(work: Callable[[int, int], T], n: int, threads: int, size: int | None = None) -> list[T]:
    """Call `work(start, stop)` for ranges of `size` of 0..n-1; left out: eight for each thread. See `run_ranges`."""
    return run_ranges(work, blocks(n, size or -(-n // (8 * max(1, threads)))), threads)


def run_ranges(work: Callable[[int, int], T], ranges: list[tuple[int, int]], threads: int) -> list[T]:
    """Call `work(start, stop)` for each range, on `threads` threads; the results in order of the ranges.

    Args:
        work: must release the GIL (a nogil kernel) for threads to help.
        ranges: more of them than threads, so that uneven ones even out.
        threads: how many ranges are worked on at a time.
    """
    if threads <= 1 or len(ranges) <= 1:
        return [work(start, stop) for start, stop in ranges]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda bounds: work(*bounds), ranges))


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Inside, matrix products use at most `threads` threads: 1 around `run_blocks`, so that pools do not multiply."""
    with threadpool_limits(limits=max(1, threads), user_api="blas"):
        yield
