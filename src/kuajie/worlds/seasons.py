"""The calendar of a world: one year in weeks, with trend, festivals, seasons of topics, days and hours."""

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from kuajie.worlds.scenarios import DomainPlan
from kuajie.worlds.vocabulary import Topic

WEEKS = 52
WEEK_SECONDS = 7 * 86_400
START = datetime.fromisoformat("2025-11-03T00:00:00+08:00")
END = START + timedelta(weeks=WEEKS)

_SEASON = 0.6  # at its peak month a topic draws this much more than on average, half a year later less
_GROWTH = 0.35  # activity grows by this share over the year
_WEEKDAYS = np.array([0.9, 0.9, 0.95, 0.95, 1.05, 1.3, 1.25])
_HOURS = {
    "evening": np.array([3, 1, 1, 1, 1, 2, 5, 9, 9, 7, 7, 8, 11, 9, 7, 7, 8, 10, 12, 16, 20, 21, 16, 9], float),
    "daytime": np.array([1, 1, 1, 1, 1, 1, 3, 6, 12, 17, 18, 15, 12, 13, 16, 16, 14, 12, 10, 10, 10, 8, 5, 2], float),
}


def month_of(week: int) -> float:
    """Month in the middle of a week, as a number from 1 to 13."""
    day = START + timedelta(days=7 * week + 3)
    return day.month + (day.day - 1) / 31


def topic_seasons(topics: tuple[Topic, ...]) -> npt.NDArray[np.float64]:
    """How much each topic draws in each week, 1 on average: (topics, WEEKS)."""
    months = np.array([month_of(week) for week in range(WEEKS)])
    peaks = np.array([topic.peak for topic in topics])[:, None]
    wave = 1 + _SEASON * np.cos(2 * np.pi * (months - peaks - 0.5) / 12)
    seasons: npt.NDArray[np.float64] = np.where(peaks > 0, wave, 1.0)
    return seasons


def week_shares(plan: DomainPlan, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Share of a domain's activity in each week: (WEEKS,), sums to 1."""
    shares: npt.NDArray[np.float64] = np.linspace(1, 1 + _GROWTH, WEEKS) * rng.lognormal(0, 0.06, WEEKS)
    for day, lift in plan.festivals:
        shares[(datetime.fromisoformat(f"{day}T00:00:00+08:00") - START).days // 7] *= lift
    shares /= shares.sum()
    return shares


def seconds_of_week(plan: DomainPlan, uniforms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn numbers of [0, 1) into seconds since the start of a week by the habits of days and hours."""
    density = np.outer(_WEEKDAYS, _HOURS[plan.hours]).ravel()
    cumulative = np.concatenate([[0.0], np.cumsum(density / density.sum())])
    seconds: npt.NDArray[np.float64] = np.interp(uniforms, cumulative, np.arange(len(cumulative)) * 3600.0)
    return seconds
