"""Point in time: no feature knows what happened at or after its moment."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from kuajie.core.histories import Histories
from kuajie.data.strength import Events
from kuajie.profiles.audience import Audience, aligned, fit_audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import events_of, people_of
from kuajie.profiles.ranking import profile_features
from kuajie.testing.profiles import DAY, NOW, Planted, events, one, planted

CONFIG = ProfilesConfig(topics=4, segments=(2, 6))
EARLY = NOW - 10 * DAY


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted(120)


@pytest.fixture(scope="module")
def audience(world: Planted) -> Audience:
    people = people_of(world.events, world.n, world.catalog, EARLY, CONFIG)
    return fit_audience(
        people, world.catalog, EARLY, CONFIG, snapshot_id="s", fitted_at=datetime(2026, 6, 1, tzinfo=UTC)
    )


def shuffled_future(happened: Events, at: np.ndarray) -> Events:
    """The same past; whatever is at or after the moment of its person is something else now."""
    rng = np.random.default_rng(1)
    later = happened.time >= at[happened.row]
    return replace(
        happened,
        item=np.where(later, rng.integers(0, 60, len(happened)), happened.item).astype(np.int32),
        kind=np.where(later, rng.choice([1, 7, 12], len(happened)), happened.kind).astype(np.uint8),
        value=np.where(later, 1e6, happened.value),
    )


def test_nothing_of_the_future_is_known(world: Planted, audience: Audience) -> None:
    at = EARLY + DAY * (np.arange(world.n) % 9)
    known, names = profile_features(world.events, world.n, world.catalog, at, audience=audience)
    other = shuffled_future(world.events, at)
    assert (other.item != world.events.item).any()
    np.testing.assert_array_equal(known, profile_features(other, world.n, world.catalog, at, audience=audience)[0])
    past = world.events.where(world.events.time < at[world.events.row])
    np.testing.assert_array_equal(known, profile_features(past, world.n, world.catalog, at, audience=audience)[0])
    assert known.shape == (world.n, len(names))
    assert known.dtype == np.float32
    later = profile_features(world.events, world.n, world.catalog, NOW, audience=audience)[0]
    assert (later[:, names.index("items")] >= known[:, names.index("items")]).all()
    assert (later[:, names.index("items")] > known[:, names.index("items")]).any()


def test_an_audience_of_earlier_events_does_not_change_with_later_ones(world: Planted, audience: Audience) -> None:
    other = shuffled_future(world.events, np.full(world.n, EARLY))
    people = people_of(other, world.n, world.catalog, EARLY, CONFIG)
    again = fit_audience(people, world.catalog, EARLY, CONFIG, snapshot_id="s", fitted_at=audience.about.fitted_at)
    for name, array in audience.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name])


def test_a_row_depends_on_its_own_events_alone(world: Planted, audience: Audience) -> None:
    together = profile_features(world.events, world.n, world.catalog, NOW, audience=audience)[0]
    mine = world.events.where(world.events.row == 7)
    alone = profile_features(
        replace(mine, row=np.zeros(len(mine), np.int32)), 1, world.catalog, NOW, audience=audience
    )[0]
    np.testing.assert_allclose(alone[0], together[7], rtol=1e-5, atol=1e-6)


def test_interests_are_shares_and_a_person_is_in_one_segment(world: Planted, audience: Audience) -> None:
    values, names = profile_features(world.events, world.n, world.catalog, NOW, audience=audience)
    topics = values[:, [place for place, name in enumerate(names) if name.startswith("topic.")]]
    segments = values[:, [place for place, name in enumerate(names) if name.startswith("segment.")]]
    np.testing.assert_allclose(topics.sum(axis=1), 1, rtol=1e-5)
    assert (segments.sum(axis=1) == 1).all()


def test_who_has_done_nothing_is_unknown_not_zero(world: Planted, audience: Audience) -> None:
    values, names = profile_features(events([]), 2, world.catalog, NOW, audience=audience)
    known = dict(zip(names, values[0].tolist(), strict=True))
    assert known["items"] == known["purchases"] == 0
    assert all(np.isnan(known[name]) for name in ("days_since_last", "weekend_share", "price_level", "topic.1"))
    assert not any(known[f"segment.{each.number}"] for each in audience.about.segments)


def test_histories_alone_are_enough(world: Planted) -> None:
    histories = Histories.from_lists(
        [[1, 5, 9], []], world.catalog.space.n_items, weights=[[1, 0, 2], []], times=[[NOW - 3, NOW - 2, NOW - 1], []],
        at=[NOW, NOW], order="joint",
    )  # fmt: skip
    values, names = profile_features(events_of(histories), 2, world.catalog, NOW)
    assert np.expm1(values[:, names.index("items")]).round().tolist() == [2, 0], "what weighs nothing says nothing"
    untimed = Histories.from_lists([[1]], world.catalog.space.n_items)
    assert np.isnan(profile_features(events_of(untimed), 1, world.catalog, NOW)[0][0, names.index("days_since_last")])


def test_columns_that_have_gone_are_unknown() -> None:
    values = np.array([[1.0, 2.0]], np.float32)
    found = aligned(values, ("a", "b"), ("b", "domain.gone"))
    assert found[0, 0] == 2
    assert np.isnan(found[0, 1])


def test_a_dislike_later_on_takes_nothing_from_before(world: Planted) -> None:
    happened = one((1, "view", NOW - 2 * DAY, np.nan), (1, "dismiss", NOW - DAY, np.nan))
    before = people_of(happened, 1, world.catalog, NOW - 1.5 * DAY, CONFIG)
    assert before.items.tolist() == [1]
    assert people_of(happened, 1, world.catalog, NOW, CONFIG).items.tolist() == [0]
