"""Implicit ALS beside the `implicit` package: the same matrix, factors, threads and objective, one iteration."""

import time

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.measure import Row, show
from benchmarks.worlds import THREADS, seed_interactions
from kuajie.core.recommender import FitOptions
from kuajie.models.als import ALS, ALSConfig

FACTORS = 64
FEW, MANY = 2, 10
"""Iterations of two fits; their difference leaves out what is done once."""


def run() -> list[Row]:
    """Measure."""
    ours = (fit_ours(MANY) - fit_ours(FEW)) / (MANY - FEW)
    theirs = (fit_theirs(MANY) - fit_theirs(FEW)) / (MANY - FEW)
    return [
        Row(f"one iteration of implicit ALS, {FACTORS} factors, {THREADS} threads", f"{ours:.2f} s"),
        Row("as fast as the package implicit", f"{theirs / ours:.2f} times", "1"),
    ]


def fit_ours(iterations: int) -> float:
    """Seconds of a fit."""
    config = ALSConfig(factors=FACTORS, iterations=iterations)
    start = time.perf_counter()
    ALS(config).fit(seed_interactions(), FitOptions(threads=THREADS))
    return time.perf_counter() - start


def fit_theirs(iterations: int) -> float:
    """Seconds of a fit of the package, with its default solver."""
    matrix = sparse.csr_matrix(seed_interactions().matrix(), dtype=np.float32)
    with threadpool_limits(1, "blas"):  # as the package advises
        model = AlternatingLeastSquares(factors=FACTORS, iterations=iterations, num_threads=THREADS, random_state=0)
        start = time.perf_counter()
        model.fit(matrix, show_progress=False)
    return time.perf_counter() - start


if __name__ == "__main__":
    fit_ours(1)
    show(run())
