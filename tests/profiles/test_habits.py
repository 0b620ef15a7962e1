"""Counts of habits against slow, obvious ones, and what cannot be known."""

from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.data.config import StrengthConfig
from kuajie.data.strength import Events
from kuajie.profiles.activity import STAGES, activity
from kuajie.profiles.config import LifeCycleConfig, ProfilesConfig
from kuajie.profiles.habits import habits, medians
from kuajie.profiles.spending import Prices, spending, tier_bounds, tier_of
from kuajie.testing.profiles import DAY, NOW, catalog, events, one

RULES = StrengthConfig()
SHANGHAI = ProfilesConfig(timezone="Asia/Shanghai")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def views(*times: float) -> Events:
    return one(*((0, "view", time, np.nan) for time in times))


def test_hours_and_weekends_are_those_of_the_time_zone() -> None:
    friday_evening = at("2026-05-29T17:30:00")  # Saturday, 01:30, in Shanghai
    found = habits(views(friday_evening), 1, SHANGHAI, RULES)
    assert np.flatnonzero(found.hours[0]).tolist() == [1]
    assert found.weekend.tolist() == [1]
    assert habits(views(friday_evening), 1, ProfilesConfig(), RULES).weekend.tolist() == [0]


def test_a_mere_date_tells_the_weekday_alone() -> None:
    midnights = [at("2026-05-30T00:00:00"), at("2026-05-30T16:00:00")]  # in UTC, and in Shanghai
    found = habits(views(*midnights), 1, SHANGHAI, RULES)
    assert found.timed.tolist() == [0]
    assert found.sessions.tolist() == [0]
    assert found.dated.tolist() == [2]
    assert found.weekend.tolist() == [2]


def test_a_pause_ends_a_session() -> None:
    start = at("2026-05-29T10:00:01")
    found = habits(views(start, start + 600, start + 600 + 1800, start + 600 + 1800 + 1801), 1, ProfilesConfig(), RULES)
    assert found.sessions.tolist() == [2], "30 minutes are no pause, a second more is one"
    assert found.minutes.tolist() == [40]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40_000)), max_size=40))
def test_sessions_are_those_of_a_slow_count(rows: list[tuple[int, int]]) -> None:
    start = at("2026-05-29T10:00:01")
    found = habits(events([(p, 0, "view", start + t, np.nan) for p, t in rows]), 4, ProfilesConfig(), RULES)
    for person in range(4):
        times = sorted(start + t for p, t in rows if p == person and (start + t) % DAY)
        visits: list[list[float]] = []
        for time in times:
            if visits and time - visits[-1][-1] <= 1800:
                visits[-1].append(time)
            else:
                visits.append([time])
        assert found.sessions[person] == len(visits)
        long = [(visit[-1] - visit[0]) / 60 for visit in visits if len(visit) > 1]
        assert np.isnan(found.minutes[person]) if not long else found.minutes[person] == pytest.approx(median(long))


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1e6, 1e6)), max_size=30))
def test_medians_are_those_of_the_library(pairs: list[tuple[int, float]]) -> None:
    row, values = np.array([p for p, _ in pairs], np.int64), np.array([v for _, v in pairs], np.float64)
    found = medians(row, values, 5)
    for person in range(5):
        mine = values[row == person]
        assert np.isnan(found[person]) if not len(mine) else found[person] == pytest.approx(median(mine.tolist()))


def test_depth_adds_up_the_seconds_of_a_thing() -> None:
    happened = one(
        (1, "play", NOW - 9, 300.0), (1, "play", NOW - 8, 300.0),  # 600 together: finished
        (2, "read", NOW - 7, 299.0), (3, "play", NOW - 6, np.nan), (4, "view", NOW - 5, 9999.0),
    )  # fmt: skip
    found = habits(happened, 1, ProfilesConfig(), RULES)
    assert found.started.tolist() == [2]
    assert found.finished.tolist() == [1]


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        ([], "unknown"),
        ([10], "new"),
        ([200, 100], "lost"),
        ([200, 90], "lost"),
        ([200, 89.9], "at risk"),
        ([200, 30], "at risk"),
        ([200, 5], "mature"),
        ([200, 20, 10, 5], "growing"),
        ([200, 50, 45, 40, 20, 10, 5], "mature"),
    ],
)
def test_the_stage_follows_the_rules(days: list[float], stage: str) -> None:
    found = activity(views(*(NOW - DAY * day for day in days)), 1, np.array([NOW]), LifeCycleConfig())
    assert STAGES[found.stage[0]] == stage


def test_days_and_events_are_counted_also_without_times() -> None:
    found = activity(views(np.nan, NOW - 2 * DAY, NOW - 2 * DAY, NOW - DAY), 2, np.full(2, NOW), LifeCycleConfig())
    assert found.events.tolist() == [4, 0]
    assert found.days.tolist() == [2, 0]


def test_value_comes_from_purchases_alone() -> None:
    prices = Prices.of(catalog())
    looking = spending(one(*((28 + place, "view", NOW - 1, np.nan) for place in range(4))), 1, prices)
    assert looking.purchases.tolist() == looking.spent.tolist() == [[0, 0]]
    assert np.isnan(looking.bought_level[0])
    assert looking.used_level[0] > 0.9
    bought = spending(one((0, "purchase", NOW - 2, 7.0), (4, "purchase", NOW - 1, np.nan)), 1, prices)
    assert bought.spent.tolist() == [[7.0 + 20.0, 0.0]], "what was paid, else the price"
    assert bought.purchases.tolist() == [[2, 0]]
    np.testing.assert_array_equal(bought.last, [[NOW - 1, np.nan]])


def test_domains_are_never_summed() -> None:
    rows = [(1, 0, "purchase", NOW - 3, 900.0), (1, 32, "purchase", NOW - 2, 5.0), (2, 33, "purchase", np.nan, 1.0)]
    paid = spending(events(rows), 3, Prices.of(catalog()))
    assert paid.spent.tolist() == [[0, 0], [900, 5], [0, 1]]
    np.testing.assert_array_equal(paid.last, [[np.nan] * 2, [NOW - 3, NOW - 2], [np.nan] * 2])


def test_tiers_are_thirds_of_those_who_paid() -> None:
    bounds = tier_bounds(np.array([0.0, 1, 2, 3, 4, 5, 6]), np.array([0.0, 1, 1, 1, 1, 1, 1]))
    assert bounds is not None
    assert [tier_of(spent, bounds) for spent in (1, 3, 6)] == ["low", "middle", "high"]
    assert tier_bounds(np.zeros(3), np.ones(3)) is None


def test_prices_have_no_place_without_prices() -> None:
    assert np.isnan(Prices.of(catalog(prices=False)).place).all()


def test_the_hour_is_right_around_a_change_of_the_clock() -> None:
    berlin = ProfilesConfig(timezone="Europe/Berlin")
    for text in ("2026-03-29T00:30:00", "2026-03-29T01:30:00", "2026-10-25T00:30:00", "2026-10-25T01:30:00"):
        local = datetime.fromtimestamp(at(text), ZoneInfo("Europe/Berlin"))
        assert np.flatnonzero(habits(views(at(text)), 1, berlin, RULES).hours[0]).tolist() == [local.hour]
