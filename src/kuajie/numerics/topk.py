"""The k best items of each row: of dense scores, or straight from histories and item weights.

Order: higher score first, equal scores by lower item number, NaN never. The fused kernels score one person at a time
in a buffer of one row, so the scores of all people never exist at once.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.numerics.heap import offer, sift_down, sort_heap
from kuajie.numerics.jit import F32, I32, I64, Bools, kernel
from kuajie.numerics.threads import run_blocks

DENSE_BYTES = 256 * 2**20
DENSE_SHARE = 0.05
"""Sparse weights of such a share of entries are scored as dense ones, up to so many bytes: rows then add in SIMD."""


@dataclass(frozen=True, eq=False)
class Best:
    """The best items of each row, best first.

    Attributes:
        items: int32 (n_rows, k), numbers inside the target domain; -1 where a row has fewer than k scored items.
        scores: float32 (n_rows, k); NaN where there is no item.
    """

    items: I32
    scores: F32

    @classmethod
    def empty(cls, n_rows: int, k: int) -> "Best":
        """Places without items, to be filled."""
        if k < 1:
            raise UsageError("the number of best items must be at least 1, got {k}", k=k)
        return cls(np.full((n_rows, k), -1, np.int32), np.full((n_rows, k), np.nan, np.float32))


@dataclass(frozen=True, eq=False)
class Seen:
    """Items not to be recommended to each row, as numbers of the joint item space from `start` on."""

    indptr: I64
    items: I32

    @classmethod
    def of(cls, histories: Histories | None, n_rows: int) -> "Seen":
        """The items of histories, or nothing for each of n_rows.

        Raises:
            UsageError: the histories have another number of rows.
        """
        if histories is None:
            return cls(np.zeros(n_rows + 1, np.int64), np.zeros(0, np.int32))
        if histories.n_rows != n_rows:
            raise UsageError(
                "the seen items need one row for each of {n_rows} histories, got {got}",
                n_rows=n_rows,
                got=histories.n_rows,
            )
        return cls(histories.indptr, histories.items)


def top_k(scores: F32, k: int, seen: Histories | None = None, start: int = 0, threads: int = 1) -> Best:
    """The k best of dense scores (n_rows, n_target), without NaN and without seen items.

    Args:
        scores: left as they are.
        k: places of each row.
        seen: items to leave out, one row for each row of scores, over the joint item space.
        start: number of the first target item in the joint item space.
        threads: how many threads.
    """
    best, skip = Best.empty(len(scores), k), Seen.of(seen, len(scores))
    scores = np.ascontiguousarray(scores, dtype=np.float32)

    def work(low: int, high: int) -> None:
        _top_k(low, high, scores, skip.indptr, skip.items, start, best.items, best.scores)

    run_blocks(work, len(scores), threads)
    return best


def best_dense(
    histories: sparse.csr_array,
    weights: F32,
    target: slice,
    k: int,
    eligible: Bools,
    seen: Histories | None = None,
    threads: int = 1,
    scale: F32 | None = None,
) -> Best:
    """The k best of `histories @ weights[:, target] * scale`, never held as a whole.

    Args:
        histories: float32 (n_rows, n_items).
        weights: float32 (n_items, n_items), C order.
        target: the slice of scored items.
        k: places of each row.
        eligible: bool (n_target,), false where an item must not be recommended (never trained, not for sale).
        seen: items to leave out, one row for each history, over the joint item space.
        threads: how many threads.
        scale: float32 (n_target,), factor of each item's score; left out: 1.
    """
    best, skip = Best.empty(histories.shape[0], k), Seen.of(seen, histories.shape[0])
    indptr, items, values = _parts(histories)
    factor = _factors(eligible, scale)

    def work(low: int, high: int) -> None:
        _best(
            low, high, indptr, items, values, weights, None, target.start, factor,
            skip.indptr, skip.items, best.items, best.scores,
        )  # fmt: skip

    run_blocks(work, histories.shape[0], threads)
    return best


def best_sparse(
    histories: sparse.csr_array,
    weights: sparse.csr_array,
    target: slice,
    k: int,
    eligible: Bools,
    seen: Histories | None = None,
    threads: int = 1,
    scale: F32 | None = None,
) -> Best:
    """As `best_dense`, for weights in CSR; as a dense part where that is small and faster."""
    part = weights[:, target]
    cells = part.shape[0] * part.shape[1]
    if 4 * cells <= DENSE_BYTES and part.nnz > DENSE_SHARE * cells:
        whole = slice(0, part.shape[1])
        seen = None if seen is None else _shifted(seen, target)
        return best_dense(histories, part.toarray(), whole, k, eligible, seen, threads, scale)
    best, skip = Best.empty(histories.shape[0], k), Seen.of(seen, histories.shape[0])
    indptr, items, values = _parts(histories)
    factor = _factors(eligible, scale)
    csr, none = _parts(part), np.empty((0, 0), np.float32)

    def work(low: int, high: int) -> None:
        _best(
            low, high, indptr, items, values, none, csr, target.start, factor,
            skip.indptr, skip.items, best.items, best.scores,
        )  # fmt: skip

    run_blocks(work, histories.shape[0], threads)
    return best


def _shifted(seen: Histories, target: slice) -> Histories:
    """The seen items of the target, numbered from its start."""
    own = seen.only(target)
    return replace(own, items=own.items - np.int32(target.start), n_items=target.stop - target.start)


def _factors(eligible: Bools, scale: F32 | None) -> F32:
    """What scores are multiplied with: NaN where an item must not be recommended."""
    factors = np.ones(len(eligible), np.float32) if scale is None else np.array(scale, np.float32)
    factors[~eligible] = np.nan
    return factors


def _parts(matrix: sparse.csr_array) -> tuple[I64, I32, F32]:
    """Index pointer, columns and values in the types that kernels are compiled for."""
    return (
        matrix.indptr.astype(np.int64, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float32, copy=False),
    )


@kernel
def _select(row: F32, out_items: I32, out_scores: F32) -> None:
    """The best of one row of scores into one row of places; NaN is passed over."""
    k = len(out_scores)
    size = 0
    for item in range(len(row)):
        score = row[item]
        if size < k:
            if not np.isnan(score):
                size = offer(out_scores, out_items, size, score, item)
        elif score > out_scores[0]:  # an equal score has a higher number: it stays out
            out_scores[0], out_items[0] = score, item
            sift_down(out_scores, out_items, k)
    sort_heap(out_scores, out_items, size)


@kernel
def _skip(row: F32, items: I32, start: int) -> None:
    """NaN at seen items."""
    for item in items:
        if start <= item < start + len(row):
            row[item - start] = np.nan


@kernel
def _top_k(
    low: int,
    high: int,
    scores: F32,
    seen_indptr: I64,
    seen_items: I32,
    start: int,
    out_items: I32,
    out_scores: F32,
) -> None:
    row = np.empty(scores.shape[1], np.float32)
    for person in range(low, high):
        row[:] = scores[person]
        _skip(row, seen_items[seen_indptr[person] : seen_indptr[person + 1]], start)
        _select(row, out_items[person], out_scores[person])


@kernel
def _best(
    low: int,
    high: int,
    indptr: I64,
    items: I32,
    values: F32,
    weights: F32,
    csr: tuple[I64, I32, F32] | None,
    start: int,
    factor: F32,
    seen_indptr: I64,
    seen_items: I32,
    out_items: I32,
    out_scores: F32,
) -> None:
    """Score and select one person after the other.

    The weights are (n_items, n_items) or, where `csr` is given, the target's part of them as index pointer, columns and
    values. Whether it is given is known when numba compiles, so only one branch is left.
    """
    n_target = len(factor)
    row = np.empty(n_target, np.float32)
    for person in range(low, high):
        row[:] = 0
        for entry in range(indptr[person], indptr[person + 1]):
            value = values[entry]
            if csr is None:
                line = weights[items[entry], start : start + n_target]
                for item in range(n_target):
                    row[item] += value * line[item]
            else:
                starts, columns, entries = csr
                for place in range(starts[items[entry]], starts[items[entry] + 1]):
                    row[columns[place]] += value * entries[place]
        for item in range(n_target):
            row[item] *= factor[item]
        _skip(row, seen_items[seen_indptr[person] : seen_indptr[person + 1]], start)
        _select(row, out_items[person], out_scores[person])
