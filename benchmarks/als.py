"""Implicit ALS beside the `implicit` package: the same matrix, factors, threads and objective.

Theirs weighs an observed entry alpha on the right side and alpha - 1 on the left, and every pair 1. Divided by
alpha - 1, with scores scaled by (alpha - 1) / alpha, that is our objective with a = 1 / (alpha - 1) and
lambda = regularization / alpha: both are measured by it.
"""

import time

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy import sparse

from benchmarks.measure import Row, show
from benchmarks.worlds import THREADS, seed_interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.als_factors import Objective, train
from kuajie.numerics.threads import blas_threads

FACTORS = (64, 128)
ALPHA, REGULARIZATION = 10.0, 5.0
FEW, MANY = 2, 8
"""Iterations of two fits; their difference leaves out what is done once."""
ROUNDS = 3

Factors = tuple[np.ndarray, np.ndarray]


def run() -> list[Row]:
    """Measure ours and theirs in turns."""
    matrix = seed_interactions().matrix()
    matrix = matrix[:, np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))]
    matrix.data[:] = 1
    fit_ours(matrix, FACTORS[0], 1)  # compiles
    return [row for factors in FACTORS for row in compare(matrix, factors)]


def compare(matrix: sparse.csr_array, factors: int) -> list[Row]:
    """Time of one iteration, and the objective after `MANY`."""
    times = np.array([one_iteration(matrix, factors) for _ in range(ROUNDS)])
    ours, theirs = np.median(times, axis=0)
    ratio = np.median(times[:, 1] / times[:, 0])
    losses = [loss(matrix, *fit(matrix, factors, MANY)) for fit in (fit_ours, fit_theirs)]
    return [
        Row(f"an iteration of implicit ALS, {factors} factors, ours / theirs", f"{ours:.2f} s / {theirs:.2f} s"),
        Row("as fast as the package implicit", f"{ratio:.2f} times", "1"),
        Row(f"objective after {MANY} iterations, ours / theirs", f"{losses[0] / losses[1]:.4f}", "at most 1.01"),
    ]


def one_iteration(matrix: sparse.csr_array, factors: int) -> list[float]:
    """Seconds, ours and theirs."""
    seconds = []
    for fit in (fit_ours, fit_theirs):
        times = []
        for iterations in (FEW, MANY):
            start = time.perf_counter()
            fit(matrix, factors, iterations)
            times.append(time.perf_counter() - start)
        seconds.append((times[1] - times[0]) / (MANY - FEW))
    return seconds


def fit_ours(matrix: sparse.csr_array, factors: int, iterations: int) -> Factors:
    """Factors of people and items."""
    density = matrix.nnz / np.prod(matrix.shape, dtype=float)
    objective = Objective(1 / (ALPHA - 1) / density, REGULARIZATION / ALPHA, 0.0, absent=True)
    space = ItemSpace(("all",), (matrix.shape[1],))
    people, learned = train(matrix, space, objective, factors, iterations, FitOptions(threads=THREADS))
    return people, learned.factors


def fit_theirs(matrix: sparse.csr_array, factors: int, iterations: int) -> Factors:
    """The same of the package, with its default solver, scaled to our objective."""
    with blas_threads(1):  # as the package advises
        model = AlternatingLeastSquares(
            factors=factors, alpha=ALPHA, regularization=REGULARIZATION, iterations=iterations, num_threads=THREADS,
            random_state=0,
        )  # fmt: skip
        model.fit(sparse.csr_matrix(matrix), show_progress=False)
    scale = np.sqrt((ALPHA - 1) / ALPHA)
    return model.user_factors * scale, model.item_factors * scale


def loss(matrix: sparse.csr_array, people: np.ndarray, items: np.ndarray) -> float:
    """The objective, see `kuajie.models.als_factors`."""
    x, y = people.astype(float), items.astype(float)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    scores = np.einsum("ef,ef->e", x[rows], y[matrix.indices])
    all_pairs = np.sum((x.T @ x) * (y.T @ y)) / (ALPHA - 1)
    return float(np.sum((1 - scores) ** 2) + all_pairs + REGULARIZATION / ALPHA * (np.sum(x**2) + np.sum(y**2)))


if __name__ == "__main__":
    show(run())
