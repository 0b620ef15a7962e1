"""What sets a segment apart: categories and topics that its members have more often than others, and other habits.

    lift = share of members / share of the others      with the log-ratio interval of Katz et al. (1978)

at 95 %, widened for looking at so many at once (Bonferroni). People were put into segments by these very features, so
the intervals say how well a difference is measured, not that it would be found without looking for it.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from kuajie.core.records import Record

Numbers = npt.NDArray[np.float64]
LEAST_SHARE = 0.1
"""A trait that fewer members have describes nobody."""
MOST = 6
LARGE = 0.5
"""A difference of so many standard deviations is worth telling (Cohen 1988: medium)."""


class Lift(Record, frozen=True):
    """A category or topic that members have more often.

    Attributes:
        trait: its number.
        share, others: of members, and of everybody else, who have it.
        lift: the one over the other.
        low, high: its interval.
    """

    trait: int
    share: float
    others: float
    lift: float
    low: float
    high: float


class Habit(Record, frozen=True):
    """A habit in which members differ.

    Attributes:
        name: of the feature.
        mean, others: of members, and of everybody else, on the scale of the feature.
        effect: their difference in standard deviations (Cohen's d).
    """

    name: str
    mean: float
    others: float
    effect: float


def lifts(has: npt.NDArray[np.bool_], labels: npt.NDArray[np.int64], segments: int) -> list[list[Lift]]:
    """What sets each segment apart, the surest first.

    Args:
        has: (n, traits), who has what.
        labels: (n,), whose segment.
        segments: how many.
    """
    sizes = np.bincount(labels, minlength=segments).astype(np.float64)
    inside = np.array([has[labels == segment].sum(axis=0) for segment in range(segments)], np.float64)
    outside, others = has.sum(axis=0) - inside, (len(labels) - sizes)[:, None]
    width = -ndtri(0.025 / max(1, inside.size))
    share, rest = (inside + 0.5) / (sizes[:, None] + 1), (outside + 0.5) / (others + 1)
    error = np.sqrt((1 - share) / (inside + 0.5) + (1 - rest) / (outside + 0.5))
    lift = share / rest
    low, high = lift * np.exp(-width * error), lift * np.exp(width * error)
    found = []
    for segment in range(segments):
        best = np.argsort(-low[segment], kind="stable")
        telling = [t for t in best.tolist() if low[segment, t] > 1 and share[segment, t] >= LEAST_SHARE]
        found.append(
            [
                Lift(
                    trait=t,
                    share=_round(share[segment, t]),
                    others=_round(rest[segment, t]),
                    lift=_round(lift[segment, t]),
                    low=_round(low[segment, t]),
                    high=_round(high[segment, t]),
                )
                for t in telling[:MOST]
            ]
        )
    return found


def habit_differences(
    values: npt.NDArray[np.float32], names: tuple[str, ...], labels: npt.NDArray[np.int64], segments: int
) -> list[list[Habit]]:
    """Habits of each segment that differ from those of the others, the largest difference first.

    Args:
        values: (n, d), NaN where unknown.
        names: of the columns.
        labels: (n,), whose segment.
        segments: how many.
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0).astype(np.float64)
    sums = np.array([filled[labels == s].sum(axis=0) for s in range(segments)])
    counts = np.array([known[labels == s].sum(axis=0) for s in range(segments)], np.float64)
    total, count = sums.sum(axis=0), counts.sum(axis=0)
    squares = np.square(filled).sum(axis=0) / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(squares - np.square(total / np.maximum(count, 1)), 0))
    mean = sums / np.maximum(counts, 1)
    others = (total - sums) / np.maximum(count - counts, 1)
    comparable = (counts > 0) & (count - counts > 0) & (deviation > 1e-9)
    effect = np.divide(mean - others, deviation, out=np.zeros_like(mean), where=comparable)
    return [
        [
            Habit(name=names[d], mean=_round(mean[s, d]), others=_round(others[s, d]), effect=_round(effect[s, d]))
            for d in np.argsort(-abs(effect[s]), kind="stable").tolist()
            if abs(effect[s, d]) >= LARGE
        ][:MOST]
        for s in range(segments)
    ]


def _round(value: np.floating) -> float:
    return round(float(value), 4)
