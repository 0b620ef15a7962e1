"""What habits, activity and domains say of one person, as fields of a profile."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.language import message
from kuajie.core.texts import Text
from kuajie.data.catalog import Catalog
from kuajie.data.strength import DAY
from kuajie.profiles.activity import STAGES
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import People, domain_counts
from kuajie.profiles.fields import Field, credibility, known, moment, unknown
from kuajie.profiles.habits import WEEKEND

NO_TIMES = message("no time of what was done is known")
NO_HOURS = message("no hour of what was done is known")
WINDOW = 4
"""Hours of the day that are told together."""


def told_habits(people: People, at: float, config: ProfilesConfig) -> list[Field]:
    """Active hours, weekends, sessions and depth."""
    return [
        _active_hours(people, at, config),
        _weekends(people, at, config),
        _sessions(people, at, config),
        _depth(people, at, config),
    ]


def _habit(
    name: str, value: str | float, n: float, details: dict[str, Any], people: People, at: float, config: ProfilesConfig
) -> Field:
    seen, days = float(people.activity.last[0]), config.expiry_days.habits
    return known(name, value, "behaviour", credibility(n, config), seen, at, days, config, details)


def _active_hours(people: People, at: float, config: ProfilesConfig) -> Field:
    timed = float(people.habits.timed[0])
    if not timed:
        return unknown("active_hours", "behaviour", Text(NO_HOURS))
    hours, share = busiest(people.habits.hours[0])
    by_hour = people.habits.hours[0].astype(int).tolist()
    details = {"share": share, "timezone": config.timezone, "events_by_hour": by_hour}
    return _habit("active_hours", hours, timed, details, people, at, config)


def _weekends(people: People, at: float, config: ProfilesConfig) -> Field:
    dated = float(people.habits.dated[0])
    if not dated:
        return unknown("weekend_share", "behaviour", Text(NO_TIMES))
    share = round(float(people.habits.weekend[0]) / dated, 4)
    details = {"events": int(dated), "of_a_week": round(WEEKEND, 4)}
    return _habit("weekend_share", share, dated, details, people, at, config)


def _sessions(people: People, at: float, config: ProfilesConfig) -> Field:
    visits, minutes = float(people.habits.sessions[0]), float(people.habits.minutes[0])
    if not visits:
        return unknown("sessions", "behaviour", Text(NO_HOURS))
    details = {
        "median_minutes": None if np.isnan(minutes) else round(minutes, 1),
        "events_per_session": round(float(people.habits.timed[0]) / visits, 2),
        "pause_minutes": config.session_minutes,
    }
    return _habit("sessions", visits, visits, details, people, at, config)


def _depth(people: People, at: float, config: ProfilesConfig) -> Field:
    started, finished = float(people.habits.started[0]), float(people.habits.finished[0])
    if not started:
        return unknown("depth", "behaviour", Text("nothing was played, read or listened to with a known length"))
    details = {"started": int(started), "finished": int(finished)}
    return _habit("depth", round(finished / started, 4), started, details, people, at, config)


def told_activity(people: People, at: float, config: ProfilesConfig) -> list[Field]:
    """How much is done, and the stage of the life cycle: of now, so they have no age."""
    seen, rules = people.activity, config.life_cycle
    first, last, events = float(seen.first[0]), float(seen.last[0]), float(seen.events[0])
    if np.isnan(last):
        return [unknown(name, "behaviour", Text(NO_TIMES)) for name in ("activity", "life_cycle")]
    silent, weeks = (at - last) / DAY, max(1.0, (at - first) / (7 * DAY))
    details = {
        "events": int(events),
        "active_days": int(seen.days[0]),
        "days_since_last": round(silent, 1),
        "days_since_first": round((at - first) / DAY, 1),
        "last_window": int(seen.recent[0]),
        "window_before": int(seen.before[0]),
        "window_days": rules.window_days,
    }
    stage = STAGES[int(seen.stage[0])]
    until = last + DAY * (rules.at_risk_days if silent < rules.at_risk_days else rules.lost_days)
    base = round(credibility(events, config), 4)
    when = moment(last)
    return [
        Field(
            name="activity",
            value=round(events / weeks, 3),
            source="behaviour",
            sureness=base,
            last_seen=when,
            expires_at=moment(last + DAY * rules.window_days) if silent < rules.window_days else None,
            details=details,
        ),
        Field(
            name="life_cycle",
            value=Text(stage),
            source="behaviour",
            sureness=base,
            last_seen=when,
            expires_at=None if stage == "lost" else moment(until),
            details={"days_since_last": details["days_since_last"]},
        ),
    ]


def told_domains(people: People, at: float, catalog: Catalog, config: ProfilesConfig) -> Field:
    """Which domains are used, by distinct items."""
    counts = domain_counts(people, catalog)[0]
    total = float(counts.sum())
    if not total:
        return unknown("domain_mix", "behaviour", Text("nothing has been used"))
    names = catalog.space.domains
    return known(
        "domain_mix",
        names[int(np.argmax(counts))],
        "behaviour",
        credibility(total, config),
        float(people.used_last[0]),
        at,
        config.expiry_days.habits,
        config,
        {name: round(float(count) / total, 4) for name, count in zip(names, counts, strict=True)},
    )


def busiest(hours: npt.NDArray[np.float64]) -> tuple[str, float]:
    """The `WINDOW` hours in a row with most events, such as "20:00-24:00", and their share."""
    around = np.concatenate([hours, hours[: WINDOW - 1]])
    sums = np.convolve(around, np.ones(WINDOW), "valid")
    start = int(np.argmax(sums))
    end = (start + WINDOW) % 24 or 24
    return f"{start:02d}:00-{end:02d}:00", round(float(sums[start] / hours.sum()), 4)
