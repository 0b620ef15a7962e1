"""Habits: when people come, for how long, and whether they finish what they start.

Everything is counted for many people at once. Times that are exactly midnight, in UTC or in the zone, are dates: they
tell the weekday, but neither the hour nor a session. A session ends with a pause longer than `session_minutes`
(Catledge and Pitkow 1995, "Characterizing browsing strategies in the World-Wide Web", found 25.5 minutes; 30 is what
the field uses). A course, text or audio is finished when its seconds together reach `[strength] full_seconds`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.data.config import StrengthConfig
from kuajie.data.kinds import KINDS
from kuajie.data.strength import Events
from kuajie.profiles.config import ProfilesConfig

Numbers = npt.NDArray[np.float64]
STARTING = ("play", "read", "listen")
WEEKEND = 2 / 7
"""What the weekend is of a week."""


@dataclass(frozen=True, eq=False)
class Habits:
    """Counts of each person.

    Attributes:
        hours: float64 (n, 24), events in each hour of the day.
        months: float64 (n, 12), years in which something was done in each month.
        dated: (n,), events whose day is known.
        weekend: (n,), those on a Saturday or Sunday.
        sessions: (n,), visits.
        minutes: (n,), median length of the visits with more than one event; NaN where there is none.
        started, finished: (n,), distinct items with seconds, and those used up to their end.
    """

    hours: Numbers
    months: Numbers
    dated: Numbers
    weekend: Numbers
    sessions: Numbers
    minutes: Numbers
    started: Numbers
    finished: Numbers

    @property
    def timed(self) -> Numbers:
        """(n,), events whose hour is known."""
        total: Numbers = self.hours.sum(axis=1)
        return total


def habits(events: Events, n: int, config: ProfilesConfig, strength: StrengthConfig) -> Habits:
    """The habits of n people.

    Args:
        events: rows 0..n-1, oldest first in each.
        n: people.
        config: time zone and pause.
        strength: how many seconds are all of a thing.
    """
    dated = events.where(~np.isnan(events.time))
    hour, weekday, month, is_date = calendar(dated.time, config.timezone)
    new_month = np.concatenate([[True], (np.diff(dated.row) != 0) | (np.diff(month) != 0)])[: len(dated)]
    timed = dated.where(~is_date)
    sessions, minutes = visits(timed, n, config.session_minutes)
    started, finished = depth(events, n, strength)
    return Habits(
        hours=_counts(timed.row * 24 + hour[~is_date], n * 24).reshape(n, 24),
        months=_counts(dated.row[new_month] * 12 + month[new_month] % 12, n * 12).reshape(n, 12),
        dated=_counts(dated.row, n),
        weekend=_counts(dated.row[weekday >= 6], n),
        sessions=sessions,
        minutes=minutes,
        started=started,
        finished=finished,
    )


def calendar(
    times: Numbers, zone: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Of unix seconds in a zone: hour, ISO weekday (1..7), month (12 a year + 0..11), whether it is a mere date."""
    utc = pl.Series("time", np.round(times * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC"))
    local = utc.dt.convert_time_zone(zone)
    parts = (local.dt.hour(), local.dt.weekday(), local.dt.month(), local.dt.year())
    hour, weekday, month, year = (part.cast(pl.Int64).to_numpy() for part in parts)
    midnight = (local == local.dt.truncate("1d")).to_numpy()
    return hour, weekday, 12 * year + month - 1, midnight | (times % 86_400 == 0)


def visits(timed: Events, n: int, pause_minutes: float) -> tuple[Numbers, Numbers]:
    """Number of sessions of each person, and the median minutes of those with more than one event (NaN: none)."""
    if not len(timed):
        return np.zeros(n), np.full(n, np.nan)
    new = np.concatenate([[True], (np.diff(timed.row) != 0) | (np.diff(timed.time) > pause_minutes * 60)])
    starts = np.flatnonzero(new)
    ends = np.concatenate([starts[1:], [len(timed)]]) - 1
    row, minutes = timed.row[starts], (timed.time[ends] - timed.time[starts]) / 60
    long = ends > starts
    return _counts(row, n), medians(row[long], minutes[long], n)


def depth(events: Events, n: int, strength: StrengthConfig) -> tuple[Numbers, Numbers]:
    """Distinct items of each person that were started with known seconds, and those of them that were finished."""
    full = np.array([strength.full_seconds.get(kind, np.nan) if kind in STARTING else np.nan for kind in KINDS])
    share = events.value / full[events.kind]
    using = events.where(~np.isnan(share))
    if not len(using):
        return np.zeros(n), np.zeros(n)
    key = using.row.astype(np.int64) * (int(using.item.max()) + 1) + using.item
    first, group = np.unique(key, return_index=True, return_inverse=True)[1:]
    used = np.bincount(group, weights=share[~np.isnan(share)])
    row = using.row[first]
    return _counts(row, n), _counts(row[used >= 1 - 1e-9], n)


def medians(row: npt.NDArray[np.integer], values: Numbers, n: int) -> Numbers:
    """The median of each row's values; NaN where it has none."""
    order = np.lexsort((values, row))
    counts = np.bincount(row, minlength=n)
    starts = np.cumsum(counts) - counts
    found, has = np.full(n, np.nan), counts > 0
    ordered = values[order]
    low, high = starts + (counts - 1) // 2, starts + counts // 2
    found[has] = (ordered[low[has]] + ordered[high[has]]) / 2
    return found


def _counts(row: npt.NDArray[np.integer], n: int) -> Numbers:
    return np.bincount(row, minlength=n).astype(np.float64)
