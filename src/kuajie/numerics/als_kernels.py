"""The linear solves of implicit ALS: one small symmetric system for each row, by conjugate gradients.

Row u with entries (i, w) has, for factors y of the other side,

    A_u = G_u + sum_i w_i y_i y_i^T + reg_u I
    b_u = sum_i w_i y_i + reg_u prior_u

where G_u is the weighted sum of y y^T over all that row u could have had. A_u is never formed: a product with it costs
f^2 + 2 f (entries). Few steps from a warm start suffice while alternating (Takacs,
Pilaszy, Tikk 2011, "Applications of the conjugate gradient method for implicit feedback collaborative filtering").
"""

from dataclasses import dataclass

import numpy as np

from kuajie.numerics.cooccurrence import Rows
from kuajie.numerics.jit import F32, I32, I64, U32, kernel
from kuajie.numerics.threads import even_ranges, run_ranges


@dataclass(frozen=True, eq=False)
class Systems:
    """What the systems of many rows have in common, and what tells them apart.

    Attributes:
        factors: float32 (n_columns, f): y.
        grams: float32 (n_patterns, f, f): the possible G.
        patterns: int32 (n_rows,): which G is each row's.
        ridges: float32 (n_rows,): reg.
    """

    factors: F32
    grams: F32
    patterns: I32
    ridges: F32


def solve(
    rows: Rows,
    systems: Systems,
    start: F32 | None = None,
    prior: F32 | None = None,
    steps: int = 3,
    tolerance: float = 1e-10,
    threads: int = 1,
) -> F32:
    """Solve the system of each row.

    Args:
        rows: the entries; values are w >= 0.
        systems: everything else about the equations.
        start: float32 (n_rows, f), where to start from; left out: from the prior, or from 0.
        prior: float32 (n_rows, f), where rows without entries end.
        steps: conjugate gradient steps at most.
        tolerance: a row is done when its residual has fallen by this factor, squared.
        threads: how many threads.

    Returns:
        float32 (n_rows, f).
    """
    n_rows, rank = len(rows.indptr) - 1, systems.factors.shape[1]
    prior = np.zeros((1, rank), np.float32) if prior is None else np.ascontiguousarray(prior, np.float32)
    first = np.broadcast_to(prior, (n_rows, rank)) if start is None else start
    solution = np.array(first, dtype=np.float32, order="C")

    def work(low: int, high: int) -> None:
        _conjugate_gradients(
            low, high, rows.indptr, rows.items, rows.values, systems.factors, systems.grams, systems.patterns,
            systems.ridges, prior, steps, tolerance, solution,
        )  # fmt: skip

    run_ranges(work, even_ranges(rows.indptr, 16 * threads), threads)
    return solution


@kernel
def _dot(a: F32, b: F32) -> np.float32:
    """The sum of a b.

    A loop of its own, that writes nothing: compiled code tests whether what a loop writes may lie close to what it
    reads, and adds one by one where it does, so that a sum's last bit would depend on where the arrays happen to lie.
    """
    total = np.float32(0)
    for column in range(len(a)):
        total += a[column] * b[column]
    return total


@kernel
def _gram_times(p: F32, gram: F32, ridge: float, out: F32) -> None:
    """Out = (G + ridge I) p."""
    rank = len(p)
    for column in range(rank):
        out[column] = ridge * p[column]
    four = rank - rank % 4  # four lines at a time: a quarter of the traffic on `out`
    for line in range(0, four, 4):
        a, b, c, d = p[line], p[line + 1], p[line + 2], p[line + 3]
        ga, gb, gc, gd = gram[line], gram[line + 1], gram[line + 2], gram[line + 3]
        for column in range(rank):
            out[column] += a * ga[column] + b * gb[column] + c * gc[column] + d * gd[column]
    for line in range(four, rank):
        for column in range(rank):
            out[column] += p[line] * gram[line, column]


@kernel
def _add_left_side(p: F32, factors: F32, items: U32, values: F32, out: F32) -> None:
    """Out += sum_i w_i y_i (y_i p)."""
    rank = len(p)
    for entry in range(len(items)):
        y = factors[items[entry]]
        dot = values[entry] * _dot(y, p)
        for column in range(rank):
            out[column] += dot * y[column]


@kernel
def _add_right_side(x: F32, factors: F32, items: U32, values: F32, out: F32) -> None:
    """Out += sum_i (w_i + a - w_i y_i x) y_i: the entries' part of b - A x in one pass."""
    rank = len(x)
    for entry in range(len(items)):
        y = factors[items[entry]]
        weight = values[entry] * (np.float32(1) - _dot(y, x))
        for column in range(rank):
            out[column] += weight * y[column]


@kernel
def _conjugate_gradients(
    low: int,
    high: int,
    indptr: I64,
    items: U32,
    values: F32,
    factors: F32,
    grams: F32,
    patterns: I32,
    ridges: F32,
    prior: F32,
    steps: int,
    tolerance: float,
    solution: F32,
) -> None:
    rank = factors.shape[1]
    rest, p, ap = np.empty(rank, np.float32), np.empty(rank, np.float32), np.empty(rank, np.float32)
    for row in range(low, high):
        own, weights = items[indptr[row] : indptr[row + 1]], values[indptr[row] : indptr[row + 1]]
        gram, ridge, x = grams[patterns[row]], ridges[row], solution[row]
        center = prior[row if len(prior) > 1 else 0]
        _gram_times(x, gram, ridge, ap)
        for column in range(rank):
            rest[column] = ridge * center[column] - ap[column]
        _add_right_side(x, factors, own, weights, rest)
        p[:] = rest
        error = _dot(rest, rest)
        target = error * tolerance
        for _ in range(steps):
            if error <= target:
                break
            _gram_times(p, gram, ridge, ap)
            _add_left_side(p, factors, own, weights, ap)
            length = error / _dot(p, ap)
            for column in range(rank):
                x[column] += length * p[column]
                rest[column] -= length * ap[column]
            previous, error = error, _dot(rest, rest)
            ratio = error / previous
            for column in range(rank):
                p[column] = rest[column] + ratio * p[column]
