"""Bounds of groups against a slow second implementation; stand-ins of several new items at once."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from kuajie.core.histories import Histories
from kuajie.core.records import Event
from kuajie.data.config import StrengthConfig
from kuajie.workflows.new_items import Kinds, in_turn
from kuajie.workflows.stand_ins import StandIns

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCORE = st.floats(-100, 100, width=32)


@given(st.lists(SCORE, min_size=3, max_size=12), st.lists(st.sets(st.integers(0, 2), min_size=1), max_size=5))
def test_a_group_scores_its_mean_and_its_spread(scores: list[float], groups: list[set[int]]) -> None:
    matrix = np.zeros((len(groups), len(scores)))
    for place, group in enumerate(groups):
        matrix[place, sorted(group)] = 1 / len(group)
    kinds = Kinds((), sparse.csr_array(matrix))
    for optimism in (0.0, 2.0):
        got = kinds.bounds(np.array(scores, np.float32), optimism)
        slow = [np.mean([scores[i] for i in g]) + optimism * np.std([scores[i] for i in g]) for g in groups]
        np.testing.assert_allclose(got, slow, rtol=1e-4, atol=1e-3)


def test_people_begin_at_different_items_and_see_all_of_them() -> None:
    parts = (("a", "b", "c"), (), ("d",))
    assert list(in_turn(parts, 0)) == ["a", "b", "c", "d"]
    assert list(in_turn(parts, 4)) == ["b", "c", "a", "d"]


def event(item: str, day: int | None, kind: str = "purchase") -> Event:
    when = None if day is None else NOW.replace(day=1, month=day)
    return Event(event_id=f"{item}{day}", domain="d", user="u", item=item, kind=kind, occurred_at=when)


def test_stand_ins_share_the_strength_and_stand_at_their_time() -> None:
    config = StrengthConfig(half_life_days=None)
    stand_ins = StandIns(10, config, 0.0)
    history = Histories(
        np.array([0, 2]), np.array([5, 6], np.int32), np.ones(2, np.float32), 10,
        np.array([NOW.replace(month=2).timestamp(), NOW.replace(month=6).timestamp()]), np.array([NOW.timestamp()]),
        "joint",
    )  # fmt: skip
    lent = {("d", "x"): np.array([1, 2], np.int32), ("d", "y"): np.array([3], np.int32)}
    used = {("d", "x"): [event("x", 4)], ("d", "y"): [event("y", None)]}
    got = stand_ins.added(history, lent, used, NOW)
    weight = config.weights["purchase"]
    assert got.items.tolist() == [3, 5, 1, 2, 6]
    assert got.weights.tolist() == pytest.approx([weight, 1, weight / 2, weight / 2, 1])
    assert got.order == "joint"
    only = {("d", "x"): [event("x", 4), event("x", 5, "dismiss")], ("d", "y"): [event("y", 1, "dismiss")]}
    assert stand_ins.added(history, lent, only, NOW) is history
