import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from kuajie.numerics.threads import blas_threads, blocks, even_ranges, run_blocks, run_ranges


def covered(ranges: list[tuple[int, int]]) -> list[int]:
    return [number for start, stop in ranges for number in range(start, stop)]


@given(st.integers(0, 50), st.integers(1, 60))
def test_blocks_cover_every_number_once(n: int, size: int) -> None:
    assert covered(blocks(n, size)) == list(range(n))


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 12))
def test_even_ranges_cover_every_row_once(lengths: list[int], parts: int) -> None:
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ranges = even_ranges(indptr, parts)
    assert covered(ranges) == list(range(len(lengths)))
    assert len(ranges) <= parts


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_ranges(threads: int) -> None:
    assert run_blocks(lambda low, high: (low, high), 10, threads, size=3) == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert run_ranges(lambda low, high: high, [], threads) == []


def test_an_error_in_a_range_reaches_the_caller() -> None:
    def fail(low: int, high: int) -> None:
        raise ValueError(f"{low}")

    with pytest.raises(ValueError, match="0"):
        run_blocks(fail, 4, threads=2)


def test_no_thread_and_no_setting_is_left_behind() -> None:
    before, running = threadpool_info(), threading.active_count()
    with blas_threads(1):
        run_blocks(lambda low, high: None, 100, threads=3)
        assert all(pool["num_threads"] == 1 for pool in threadpool_info() if pool["user_api"] == "blas")
    assert threadpool_info() == before
    assert threading.active_count() == running
