"""What greedy re-rankers share: a list is chosen place by place, and what is not chosen keeps its order."""

from collections.abc import Callable

from scipy import sparse

from kuajie.numerics.jit import F64, I32, I64, kernel
from kuajie.numerics.threads import run_blocks
from kuajie.rerank.base import Candidates, as_they_are, relevance


def by_groups(
    choose: Callable[..., None],
    candidates: Candidates,
    k: int,
    settings: tuple[float, float],
    groups: sparse.csr_array,
    wanted: sparse.csr_array,
    threads: int,
) -> I32:
    """The order that a kernel chooses by relevance and by which groups of items people want.

    Args:
        choose: works on lists low..high-1, see `rerank.calibration` and `rerank.popularity`.
        candidates: of all lists.
        k: places chosen.
        settings: of the kernel: strength, and one of its own.
        groups: (n_items, n_groups), parts of each item.
        wanted: (n_lists, n_groups), what each person wants.
        threads: how many.
    """
    order, worth = as_they_are(candidates), relevance(candidates.scores)
    arrays = *_parts(groups), *_parts(wanted), groups.shape[1]

    def work(low: int, high: int) -> None:
        choose(low, high, k, *settings, candidates.items, worth, *arrays, order)

    run_blocks(work, len(order), threads)
    return order


def _parts(matrix: sparse.csr_array) -> tuple[I64, I32, F64]:
    return matrix.indptr, matrix.indices, matrix.data


@kernel
def bring(row: I32, at: int, place: int) -> None:
    """Put the entry at `place` to `at`; those between move one place back."""
    chosen = row[place]
    for number in range(place, at, -1):
        row[number] = row[number - 1]
    row[at] = chosen


@kernel
def count_present(row: I32) -> int:
    """How many entries stand before the first -1."""
    count = 0
    while count < row.shape[0] and row[count] >= 0:
        count += 1
    return count


@kernel
def spread_row(item: int, indptr: I64, columns: I32, values: F64, buffer: F64, factor: float) -> None:
    """Add a sparse row, times a factor, to a dense buffer; nothing where the item is not known."""
    if item >= 0:
        for entry in range(indptr[item], indptr[item + 1]):
            buffer[columns[entry]] += factor * values[entry]


@kernel
def dot_row(item: int, indptr: I64, columns: I32, values: F64, buffer: F64) -> float:
    """Inner product of a sparse row with a dense buffer."""
    total = 0.0
    if item >= 0:
        for entry in range(indptr[item], indptr[item + 1]):
            total += buffer[columns[entry]] * values[entry]
    return total
