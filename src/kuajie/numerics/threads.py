"""Threads: kernels release the GIL and work on a range of rows; the ranges are shared out here.

No thread pool outlives a call and no global setting stays changed, so fits may run side by side in one process.
Results do not depend on the number of threads: every range writes its own rows and is computed in one way.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")


def blocks(n: int, size: int) -> list[tuple[int, int]]:
    """The ranges (start, stop) of at most `size` numbers that make up 0..n-1."""
    size = max(1, size)
    return [(start, min(start + size, n)) for start in range(0, n, size)]


def run_blocks(work: Callable[[int, int], T], n: int, threads: int, size: int | None = None) -> list[T]:
    """Call `work(start, stop)` for the ranges of 0..n-1, on `threads` threads; the results in order of the ranges.

    Args:
        work: must release the GIL (a nogil kernel) for threads to help.
        n: how many rows there are.
        threads: how many ranges are worked on at a time.
        size: rows of a range; left out: eight ranges for each thread, so that uneven rows even out.
    """
    threads = max(1, threads)
    ranges = blocks(n, size or -(-n // (8 * threads)))
    if threads == 1 or len(ranges) <= 1:
        return [work(start, stop) for start, stop in ranges]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda bounds: work(*bounds), ranges))


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Inside, matrix products use at most `threads` threads: 1 around `run_blocks`, so that pools do not multiply."""
    with threadpool_limits(limits=max(1, threads), user_api="blas"):
        yield
