import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.histories import Histories
from kuajie.models.trend import DAY, MOST_REMEMBERED, Trend, TrendConfig


def test_the_factor_is_the_sum_over_earlier_days() -> None:
    rng = np.random.default_rng(0)
    days, items = rng.integers(100, 130, 300), rng.integers(0, 8, 300)
    histories = Histories.from_lists([items.tolist()], 8, times=[(days * DAY + 5).tolist()], at=[0.0], order="joint")
    trend, config = Trend.of(histories), TrendConfig(half_life_days=3, power=0.5, floor=0.2)
    asked = np.array([95, 101, 117, 129])
    found = list(trend.factors(asked, slice(2, 8), config))
    assert [day for day, _ in found] == asked.tolist()
    for day, factors in found:
        recent = [sum(0.5 ** ((day - d) / 3) for d, i in zip(days, items, strict=True) if i == j and d < day)
                  for j in range(2, 8)]  # fmt: skip
        np.testing.assert_allclose(factors, (np.array(recent) + 0.2) ** 0.5, rtol=1e-5)


def asked_days(trend: Trend, at: list[float] | None, n: int) -> list[int]:
    return trend.days_of(Histories.from_lists([[]] * n, 2, at=at)).tolist()


def test_now_is_at_most_the_day_after_the_newest_entry() -> None:
    trend = Trend.of(Histories.from_lists([[0, 1]], 2, times=[[3 * DAY, 7.5 * DAY]], at=[8 * DAY], order="joint"))
    assert asked_days(trend, [4.2 * DAY, 400 * DAY, np.nan], 3) == [4, 8, 8]
    assert asked_days(trend, None, 2) == [8, 8]


def test_entries_without_time_and_data_without_times_have_no_trend() -> None:
    partly = Histories.from_lists([[0, 1]], 2, times=[[np.nan, DAY]], at=[2 * DAY], order="joint")
    assert Trend.of(partly).items.tolist() == [1]
    trend = Trend.of(Histories.from_lists([[0, 1]], 2))
    scores = np.ones((2, 2), dtype=np.float32)
    trend.scale(scores, Histories.from_lists([[], []], 2), slice(0, 2), TrendConfig(floor=0.25, power=0.5))
    np.testing.assert_allclose(scores, 0.5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 3)), max_size=30), st.integers(-60, 60))
def test_what_comes_later_changes_nothing(events: list[tuple[int, int]], day: int) -> None:
    def factors(kept: list[tuple[int, int]]) -> np.ndarray:
        row = Histories.from_lists(
            [[i for _, i in kept]], 4, times=[[d * DAY for d, _ in kept]], at=[0.0], order="joint"
        )
        return next(factor for _, factor in Trend.of(row).factors(np.array([day]), slice(0, 4), TrendConfig()))

    np.testing.assert_allclose(factors(events), factors([e for e in events if e[0] < day]), rtol=1e-6)


def test_rows_get_the_factors_of_their_own_day() -> None:
    data = Histories.from_lists([[0, 1, 1]], 2, times=[[0.0, DAY, 2 * DAY]], at=[3 * DAY], order="joint")
    trend, config = Trend.of(data), TrendConfig(half_life_days=1, power=1, floor=1)
    scores = np.ones((3, 2), dtype=np.float32)
    asked = Histories.from_lists([[]] * 3, 2, at=[3 * DAY, DAY, 2 * DAY])
    trend.scale(scores, asked, slice(0, 2), config)
    np.testing.assert_allclose(scores, [[1.125, 1.75], [1.5, 1.0], [1.25, 1.5]])


def test_what_is_remembered_of_a_day_is_what_was_computed_and_bounded() -> None:
    rng = np.random.default_rng(0)
    items, days = rng.integers(0, 9, 200), rng.integers(0, 300, 200)
    histories = Histories.from_lists([items.tolist()], 9, times=[(days * 86_400.0 + 1).tolist()], at=[4e7])
    trend = Trend.of(histories)
    for config in (TrendConfig(half_life_days=3.0), TrendConfig(half_life_days=30.0, power=1.0)):
        for part in (slice(0, 4), slice(4, 9)):
            for day in (250, 40, 250, 0, 40):
                ((told, factors),) = trend.factors(np.array([day, day]), part, config)
                expected = next(
                    f for d, f in Trend.of(histories).factors(np.array([day, 400]), part, config) if d == day
                )
                assert told == day
                np.testing.assert_array_equal(factors, expected)
                with pytest.raises(ValueError, match="read-only"):
                    factors[0] = 1
    for day in range(10 * MOST_REMEMBERED):
        list(trend.factors(np.array([day]), slice(0, 4), TrendConfig()))
    assert len(trend._remembered) <= MOST_REMEMBERED
