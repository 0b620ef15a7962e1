"""Which topics rise: the weekly change of a label's share of all use, with an interval.

    log E[count_w] = a + b w + log(total_w),      growth = exp(b) a week

fitted label by label as a Poisson regression whose dispersion is estimated from its residuals (quasi-Poisson), so that
bursts do not look like trends. Shares, not counts: a platform that grows makes nothing rise. Intervals hold for all
labels of a domain together (Bonferroni): of many topics that stand still, none is named by chance.

Source: McCullagh & Nelder 1989, "Generalized linear models", sections 6.2 and 9.2.4.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.errors import DataError, UsageError
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace

F64 = npt.NDArray[np.float64]
WEEK = 7 * 86_400.0
LEAST_WEEKS = 4
LEAST_COUNT = 20
"""Labels that were used less often say nothing."""
STEPS = 25


@dataclass(frozen=True)
class Growth:
    """The trend of one label.

    Attributes:
        name: of the label.
        events: in the weeks that were looked at.
        growth: factor of its share in a week; 1: it stands still.
        low, high: interval of it, over all labels together.
    """

    name: str
    events: int
    growth: float
    low: float
    high: float

    @property
    def rises(self) -> bool:
        """Whether the interval excludes that it stands still or falls."""
        return self.low > 1


def rising(
    items: npt.NDArray[np.integer],
    times: npt.NDArray[np.floating],
    space: ItemSpace,
    side: SideInformation | None,
    domain: str,
    field: str = "category",
    weeks: int = 12,
    level: float = 0.95,
) -> list[Growth]:
    """The trend of each label of a domain, the fastest first, by the lower end of the interval.

    Args:
        items: (n,), joint number of each use.
        times: (n,), unix seconds of each use, NaN where unknown.
        space: the joint item space.
        side: what is known of the items.
        domain: whose items.
        field: of the labels.
        weeks: the newest whole weeks, counted back from the newest event.
        level: of the intervals.

    Raises:
        UsageError: fewer than four weeks, or no such domain.
        DataError: no times, or no such labels.
    """
    from scipy.stats import t as student  # half a second that nothing else needs

    if weeks < LEAST_WEEKS:
        raise UsageError("a trend needs at least {least} weeks, got {weeks}", least=LEAST_WEEKS, weeks=weeks)
    part = space.slice(domain)
    if side is None or field not in side.labels:
        raise DataError("the items of '{domain}' have no labels '{field}'", domain=domain, field=field)
    if np.isnan(times).all():
        raise DataError("a trend needs times, and no event has one")
    labels = side.labels[field]
    back = np.floor((float(np.nanmax(times)) - times) / WEEK)
    inside = (items >= part.start) & (items < part.stop)
    used = np.flatnonzero(inside & (back >= 0) & (back < weeks))
    week = (weeks - 1 - back[used]).astype(np.int64)
    ones = np.ones(len(used))
    by_item = sparse.coo_array((ones, (week, items[used])), shape=(weeks, space.n_items))
    counts = np.asarray((by_item.tocsr() @ labels.matrix.astype(np.float64)).todense())
    chosen = np.flatnonzero(counts.sum(axis=0) >= LEAST_COUNT)
    totals = np.bincount(week, minlength=weeks).astype(np.float64)
    slopes, errors = slopes_of(counts[:, chosen], totals)
    reach = student.ppf(1 - (1 - level) / (2 * max(1, len(chosen))), max(1, int((totals > 0).sum()) - 2)) * errors
    found = [
        Growth(
            labels.names[label], int(counts[:, label].sum()), *np.exp([slope, slope - width, slope + width]).tolist()
        )
        for label, slope, width in zip(chosen.tolist(), slopes, reach, strict=True)
    ]
    return sorted(found, key=lambda each: (-each.low, each.name))


def slopes_of(counts: F64, totals: F64) -> tuple[F64, F64]:
    """Slope of the log share per week, and its standard error, of each column: (n,), (n,).

    Args:
        counts: (weeks, n).
        totals: (weeks,); weeks without any use are left out.
    """
    kept = totals > 0
    counts, totals = counts[kept], totals[kept]
    if len(totals) <= 2 or not counts.shape[1]:
        return np.zeros(counts.shape[1]), np.full(counts.shape[1], np.inf)
    week = np.flatnonzero(kept).astype(np.float64)
    week -= np.average(week, weights=totals)
    level, slope = np.log(counts.sum(axis=0) / totals.sum()), np.zeros(counts.shape[1])
    for _ in range(STEPS):
        expected = totals[:, None] * np.exp(np.clip(level + week[:, None] * slope, -50, 50))
        zero, one, two = (np.einsum("wn,w->n", expected, week**power) for power in range(3))
        residual = counts - expected
        left, right = residual.sum(axis=0), week @ residual
        determinant = np.maximum(zero * two - one**2, 1e-300)
        level = level + np.clip((two * left - one * right) / determinant, -2, 2)
        slope = slope + np.clip((zero * right - one * left) / determinant, -2, 2)
    dispersion = ((counts - expected) ** 2 / np.maximum(expected, 1e-12)).sum(axis=0) / (len(totals) - 2)
    return slope, np.sqrt(np.maximum(dispersion, 1.0) * zero / determinant)
