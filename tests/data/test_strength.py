"""Strength as arithmetic that can be checked by eye."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.data.config import StrengthConfig
from kuajie.data.kinds import KINDS
from kuajie.data.strength import DAY, Events, counted, strength

PLAIN = StrengthConfig(half_life_days=None, saturation=0.5)
NOW = 1_000 * DAY
Row = tuple[int, int, str, float, float]
NO = float("nan")


def of(*table: Row, config: StrengthConfig = PLAIN, at: float = NOW) -> list[float]:
    return strength(events_of(*table), at, config).tolist()


def events_of(*table: Row) -> Events:
    columns = list(zip(*table, strict=True)) or [()] * 5
    return Events(
        row=np.array(columns[0], np.int32),
        item=np.array(columns[1], np.int32),
        kind=np.array([KINDS.index(kind) for kind in columns[2]], np.uint8),
        time=np.array(columns[3], np.float64),
        value=np.array(columns[4], np.float64),
    )


def test_each_kind_has_its_weight() -> None:
    found = of((0, 0, "view", NO, NO), (0, 1, "purchase", NO, NO), (0, 2, "collect", NO, 199.0))
    assert found == [1.0, 5.0, 3.0]
    light = StrengthConfig(half_life_days=None, weights={"purchase": 7.0})
    assert of((0, 0, "view", NO, NO), (0, 1, "purchase", NO, NO), config=light) == [1.0, 7.0]


def test_seconds_count_up_to_the_full_length() -> None:
    found = of((0, 0, "play", NO, 300.0), (0, 1, "play", NO, 6_000.0), (0, 2, "play", NO, 0.0), (0, 3, "play", NO, NO))
    assert found == [2 * 300 / 600, 2.0, 0.0, 2.0]


def test_ratings_count_by_height_and_low_ones_are_dislikes() -> None:
    found = of((0, 0, "rate", NO, 5.0), (0, 1, "rate", NO, 3.0), (0, 2, "rate", NO, 2.0), (0, 3, "rate", NO, NO))
    assert found == pytest.approx([4.0, 4 * 3 / 5, 0.0, 4.0])


def test_repeats_saturate_from_the_newest() -> None:
    found = of(
        (0, 0, "view", 1.0, NO),
        (0, 0, "view", 2.0, NO),
        (0, 1, "view", 3.0, NO),
        (0, 0, "cart", 4.0, NO),
        (0, 0, "view", 5.0, NO),
        (1, 0, "view", 1.0, NO),
    )
    assert found == [0.25, 0.5, 1.0, 3.0, 1.0, 1.0]
    once = StrengthConfig(half_life_days=None, saturation=0.0)
    assert of((0, 0, "view", 1.0, NO), (0, 0, "view", 2.0, NO), config=once) == [0.0, 1.0]


def test_age_halves() -> None:
    config = StrengthConfig(half_life_days=10.0)
    found = of(
        (0, 0, "view", NO, NO),
        (0, 1, "view", NOW - 20 * DAY, NO),
        (0, 2, "view", NOW - 10 * DAY, NO),
        (0, 3, "view", NOW, NO),
        (0, 4, "view", NOW + 99 * DAY, NO),
        config=config,
    )
    assert found == [1.0, 0.25, 0.5, 1.0, 1.0]


def test_a_dislike_excludes_what_was_before_and_not_what_comes_after() -> None:
    found = of(
        (0, 0, "view", 1.0, NO),
        (0, 0, "purchase", 2.0, NO),
        (0, 1, "view", 3.0, NO),
        (0, 0, "dismiss", 4.0, NO),
        (0, 0, "view", 5.0, NO),
        (1, 0, "purchase", 1.0, NO),
    )
    assert found == [0.0, 0.0, 1.0, 0.0, 1.0, 5.0]


def test_nothing_is_nothing() -> None:
    assert of() == []


rows = st.tuples(
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(KINDS),
    st.integers(0, 50),
    st.sampled_from([NO, 1.0, 4.0, 900.0]),
)


@given(st.lists(rows, max_size=20))
def test_any_events_have_the_strength_of_the_slow_reference(table: list[tuple[int, int, str, int, float]]) -> None:
    config = StrengthConfig(half_life_days=20.0, saturation=0.7)
    ordered: list[Row] = sorted((row, item, kind, day * DAY, value) for row, item, kind, day, value in table)
    ordered.sort(key=lambda event: (event[0], event[3]))
    expected = []
    for place, (row, item, kind, time, value) in enumerate(ordered):
        later = ordered[place + 1 :]
        repeats = sum(event[:3] == (row, item, kind) for event in later)
        full = config.full_seconds.get(kind, 5.0 if kind == "rate" else None)  # type: ignore[call-overload]
        share = 1.0 if full is None or value != value else min(1.0, value / full)
        disliked = any(
            event[:2] == (row, item) and (event[2] == "dismiss" or (event[2] == "rate" and event[4] < 2.5))
            for event in ordered[place:]
        )
        weight = config.weights[kind] * share * 0.7**repeats * 0.5 ** ((60 * DAY - time) / DAY / 20)  # type: ignore[index]
        expected.append(0.0 if disliked else weight)
    assert of(*ordered, config=config, at=60 * DAY) == pytest.approx(expected, rel=1e-6)


@given(st.lists(rows, max_size=20), st.sampled_from([0.0, 0.5]))
def test_events_that_count_are_those_with_a_strength(
    table: list[tuple[int, int, str, int, float]], saturation: float
) -> None:
    config = StrengthConfig(saturation=saturation, weights={"view": 0.0, "play": 2.0})
    ordered: list[Row] = sorted((row, item, kind, day * DAY, value) for row, item, kind, day, value in table)
    events = events_of(*sorted(ordered, key=lambda event: (event[0], event[3])))
    assert counted(events, config).tolist() == (strength(events, 60 * DAY, config) > 0).tolist()
