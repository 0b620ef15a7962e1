"""Intervals and tests that resample people, not rows: rows of one person are not independent.

The estimate is a mean over rows. A bootstrap draws people with replacement, each with all their rows; a test flips the
sign of all differences of a person at once. Columns (models, metrics) are resampled together, so they stay paired.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import UsageError
from kuajie.numerics.jit import kernel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
RESAMPLES = 2_000
FLIPS = 10_000
CELLS = 4_000_000  # resamples x people held at a time


@dataclass(frozen=True)
class Comparison:
    """One model against a baseline, means over rows.

    Attributes:
        difference: mean of the model less mean of the baseline.
        low, high: 95 % interval of the difference.
        p_value: two-sided, paired sign flips over people.
        p_holm: the same, corrected for all models compared.
    """

    difference: float
    low: float
    high: float
    p_value: float
    p_holm: float


def bootstrap_interval(
    values: Floats, people: Ints, rng: np.random.Generator, level: float = 0.95, resamples: int = RESAMPLES
) -> Floats:
    """Percentile intervals of the mean over rows.

    Args:
        values: (n_rows,) or (n_rows, n_columns); a paired interval takes differences.
        people: (n_rows,), whom a row belongs to.
        rng: draws the people.
        level: of the interval.
        resamples: how many.

    Returns:
        (2,) or (n_columns, 2): low and high; NaN without rows.

    Source: Efron (1979), "Bootstrap methods: another look at the jackknife", for clusters.
    """
    columns = as_columns(values, people)
    sums, counts = sums_by_person(columns, people)
    if not len(counts):
        return np.full((columns.shape[1], 2) if values.ndim > 1 else 2, np.nan)
    means = resampled_means(sums, counts, rng, resamples)
    ends = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0).T
    return np.asarray(ends if values.ndim > 1 else ends[0])


def resampled_means(sums: Floats, counts: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Means over rows when people are drawn with replacement: (resamples, n_columns)."""
    n_people = len(counts)
    totals = np.empty((resamples, sums.shape[1] + 1))
    step = max(1, CELLS // n_people)
    for low in range(0, resamples, step):
        drawn = rng.integers(n_people, size=(min(step, resamples - low), n_people), dtype=np.int32)
        _sum_drawn(drawn, np.column_stack([sums, counts]), totals[low : low + step])  # type: ignore[no-untyped-call]
    return np.asarray(totals[:, :-1] / totals[:, -1:])


@kernel
def _sum_drawn(drawn, values, totals):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for row in range(drawn.shape[0]):
        total = totals[row]
        total[:] = 0
        for person in drawn[row]:
            for column in range(values.shape[1]):
                total[column] += values[person, column]


def sign_flip_p_values(differences: Floats, people: Ints, rng: np.random.Generator, flips: int = FLIPS) -> Floats:
    """Two-sided p-values that the mean difference is 0.

    With few people all sign patterns are counted; else `flips` random ones, and the pattern seen counts as one of
    them (Phipson and Smyth, 2010), so that p is never 0.

    Args:
        differences: (n_rows,) or (n_rows, n_columns).
        people: (n_rows,).
        rng: draws the signs.
        flips: how many patterns at most.

    Returns:
        () or (n_columns,); 1 where there is no difference at all.
    """
    sums, _ = sums_by_person(as_columns(differences, people), people)
    sums = sums[(sums != 0).any(axis=1)]
    seen = np.abs(sums.sum(axis=0))
    limit = seen - 1e-9 * np.abs(sums).sum(axis=0)  # equal up to rounding counts as equal
    n_people = len(sums)
    exact = n_people < 60 and 2**n_people <= flips
    total = 2**n_people if exact else flips
    reached = np.zeros(sums.shape[1])
    step = max(1, CELLS // max(1, n_people))
    for low in range(0, total, step):
        size = min(step, total - low)
        if exact:
            bits = ((np.arange(low, low + size)[:, None] >> np.arange(n_people)) & 1).astype(np.uint8)
        else:
            random = np.frombuffer(rng.bytes(size * (-(-n_people // 8))), dtype=np.uint8).reshape(size, -1)
            bits = np.unpackbits(random, axis=1, count=n_people)
        # the sum under a pattern is twice the sum of the kept part, less the whole
        flipped = np.abs(2 * (bits.astype(np.float64) @ sums) - sums.sum(axis=0))
        reached += (flipped >= limit).sum(axis=0)
    p = reached / total if exact else (reached + 1) / (total + 1)
    return np.asarray(p if differences.ndim > 1 else p[0])


def holm(p_values: npt.ArrayLike) -> Floats:
    """Adjusted p-values of Holm (1979), step-down."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def compare_models(
    values: Mapping[str, Floats],
    baseline: str,
    people: Ints,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
) -> dict[str, Comparison]:
    """Every model against the baseline on the same rows.

    Args:
        values: one metric of each row, (n_rows,), by model.
        baseline: one of the models; it is not in the result.
        people: (n_rows,), whom a row belongs to.
        rng: draws people and signs.
        resamples: of the interval.
        flips: of the test.
    """
    names = [name for name in values if name != baseline]
    if not names or not len(people):
        return {}
    differences = np.column_stack([values[name] - values[baseline] for name in names])
    ends = bootstrap_interval(differences, people, rng, resamples=resamples)
    p_values = sign_flip_p_values(differences, people, rng, flips)
    columns = zip(names, differences.mean(axis=0), ends, p_values, holm(p_values), strict=True)
    return {name: Comparison(float(d), float(e[0]), float(e[1]), float(p), float(h)) for name, d, e, p, h in columns}


def sums_by_person(columns: Floats, people: Ints) -> tuple[Floats, Floats]:
    """Sum of each column over each person's rows (n_people, n_columns), and the person's number of rows."""
    distinct, person = np.unique(people, return_inverse=True)
    counts = np.bincount(person, minlength=len(distinct)).astype(np.float64)
    sums = [np.bincount(person, column, minlength=len(distinct)) for column in columns.T]
    return np.column_stack(sums) if len(distinct) else np.empty((0, columns.shape[1])), counts


def as_columns(values: Floats, people: Ints) -> Floats:
    """(n_rows, n_columns).

    Raises:
        UsageError: not one value for each row, or not finite.
    """
    columns = values[:, None] if values.ndim == 1 else values
    if len(columns) != len(people):
        raise UsageError(
            "there must be one person for each row, got {rows} rows and {people} people",
            rows=len(columns),
            people=len(people),
        )
    if not np.isfinite(columns).all():
        raise UsageError("values to compare must be finite; leave out rows without a value first")
    return columns.astype(np.float64)
