"""Seasons: whether somebody comes at one time of the year.

Said only where two whole years are known, for in one year a season cannot be told from a beginning or an end. Months
are points on a circle; the Rayleigh test (Mardia and Jupp 2000, "Directional statistics", 6.3.1) asks whether those
with an event keep to one side of it: with n of them of mean length R, p is about exp(-n R^2). A month of one year
counts once, for a day of many clicks is no habit.
"""

import numpy as np

from kuajie.core.texts import Text
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import People
from kuajie.profiles.fields import DAY, Field, known, unknown

YEARS = 2
LARGEST_P = 0.01


def season(people: People, at: float, config: ProfilesConfig) -> Field:
    """The month around which a person comes, 1..12, or why it cannot be said."""
    first, last = float(people.activity.first[0]), float(people.activity.last[0])
    if np.isnan(first) or last - first < YEARS * 365 * DAY:
        return unknown("season", "behaviour", Text("a season needs two whole years of times"))
    months = people.habits.months[0]
    n = float(months.sum())
    towards = (months * np.exp(2j * np.pi * np.arange(12) / 12)).sum() / n
    p = float(np.exp(-n * abs(towards) ** 2))
    if p > LARGEST_P:
        return unknown("season", "behaviour", Text("no time of the year stands out"))
    month = round(float(np.angle(towards)) / (2 * np.pi) * 12) % 12 + 1
    details = {"p": p, "concentration": round(float(abs(towards)), 4), "months": int(n)}
    return known("season", float(month), "behaviour", 1 - p, last, at, config.expiry_days.habits, config, details)
