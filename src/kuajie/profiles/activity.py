"""Activity and the stage of the life cycle, for many people at once.

The first rule that fits: silent for `lost_days`: lost; silent for `at_risk_days`: at risk; known for less than
`new_days`: new; in the last window at least `least_events` events and `growth` times those of the window before:
growing; else mature. Without a time the stage is unknown.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.data.strength import DAY, Events
from kuajie.profiles.config import LifeCycleConfig

Numbers = npt.NDArray[np.float64]
STAGES = ("unknown", "new", "growing", "mature", "at risk", "lost")


@dataclass(frozen=True, eq=False)
class Activity:
    """Of each person.

    Attributes:
        events: (n,), all of them, also those without a time.
        first, last: unix seconds (n,), NaN where no time is known.
        recent, before: (n,), events in the last window, and in the one before it.
        days: (n,), distinct days (UTC) with an event.
        stage: int64 (n,), places in `STAGES`.
    """

    events: Numbers
    first: Numbers
    last: Numbers
    recent: Numbers
    before: Numbers
    days: Numbers
    stage: npt.NDArray[np.int64]


def activity(events: Events, n: int, at: Numbers, config: LifeCycleConfig) -> Activity:
    """The activity of n people.

    Args:
        events: rows 0..n-1, oldest first in each.
        n: people.
        at: unix seconds, now of each person (n,).
        config: the rules.
    """
    dated = events.where(~np.isnan(events.time))
    first, last = np.full(n, np.nan), np.full(n, np.nan)
    np.fmin.at(first, dated.row, dated.time)
    np.fmax.at(last, dated.row, dated.time)
    age = (at[dated.row] - dated.time) / (DAY * config.window_days)
    recent = np.bincount(dated.row[age <= 1], minlength=n).astype(np.float64)
    before = np.bincount(dated.row[(age > 1) & (age <= 2)], minlength=n).astype(np.float64)
    day = (dated.time // DAY).astype(np.int64)
    new_day = np.concatenate([[True], (np.diff(dated.row) != 0) | (np.diff(day) != 0)])[: len(dated)]
    return Activity(
        events=np.bincount(events.row, minlength=n).astype(np.float64),
        first=first,
        last=last,
        recent=recent,
        before=before,
        days=np.bincount(dated.row[new_day], minlength=n).astype(np.float64),
        stage=_stage(first, last, recent, before, at, config),
    )


def _stage(
    first: Numbers, last: Numbers, recent: Numbers, before: Numbers, at: Numbers, config: LifeCycleConfig
) -> npt.NDArray[np.int64]:
    silent, known = (at - last) / DAY, (at - first) / DAY
    rules = [
        (np.isnan(last), "unknown"),
        (silent >= config.lost_days, "lost"),
        (silent >= config.at_risk_days, "at risk"),
        (known < config.new_days, "new"),
        ((recent >= config.least_events) & (recent >= config.growth * before), "growing"),
    ]
    found: npt.NDArray[np.int64] = np.select(
        [rule for rule, _ in rules], [STAGES.index(name) for _, name in rules], STAGES.index("mature")
    )
    return found
