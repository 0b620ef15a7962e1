"""No feature of a ranker knows the future."""

from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.als import ALSConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.ranker import Generator, Ranker, RankerConfig
from kuajie.models.ranker_facts import Facts
from kuajie.models.ranker_folds import Fold, fold_at, people_fold, time_fold
from kuajie.models.sequence import SequenceConfig
from kuajie.models.trend import TrendConfig
from kuajie.testing.future import assert_no_future

START, DAY = 1_700_000_000.0, 86_400.0
CONFIG = RankerConfig(
    generators=(
        Generator(name="sequence", model=SequenceConfig(trend=TrendConfig()), ordered=True),
        Generator(name="als", model=ALSConfig(factors=4, iterations=2)),
        Generator(name="knn", model=ItemKNNConfig()),
        Generator(name="popular", model=PopularityConfig(half_life_days=5.0), scope="target"),
    ),
    depth=8,
)


def timed_world(seed: int = 0, n_people: int = 120) -> Interactions:
    rng = np.random.default_rng(seed)
    space = ItemSpace(("课程", "parts"), (12, 10))
    rows = [rng.integers(0, space.n_items, rng.integers(3, 9)).tolist() for _ in range(n_people)]
    times = [np.sort(START + DAY * 40 * rng.random(len(row))).tolist() for row in rows]
    at = [row[-1] + 1 for row in times]
    return Interactions(space, Histories.from_lists(rows, space.n_items, times=times, at=at, order="joint"))


def known_before(interactions: Interactions, cut: float, leak: bool = False) -> dict:
    """Features of the candidates of every example, by what was used."""
    ranker, options = Ranker(CONFIG), FitOptions(threads=1)
    fold = fold_at(interactions, cut, 10_000, np.random.default_rng(0))
    seen: Fold = replace(fold, known=interactions) if leak else fold
    ranker.space_, ranker.support_, ranker.ordered_ = interactions.space, interactions.support(), True
    stage = ranker._stage(ranker._fit_generators(seen.known, options), Facts.of(seen.known, ()))
    found = {}
    for target in interactions.space.domains:
        asked = fold.inside(interactions.space.slice(target))
        candidates = stage.candidates(fold.histories.take(asked), target)
        for place, example in enumerate(asked.tolist()):
            mine = candidates.rows == place
            key = (int(fold.people[example]), int(fold.items[example]), float(fold.histories.at[example]))
            found[key] = np.concatenate([candidates.items[mine, None], candidates.features[mine]], axis=1)
    return found


CUT = START + 25 * DAY


def test_no_feature_knows_the_future() -> None:
    assert assert_no_future(known_before, timed_world(), CUT) > 100


def test_a_planted_leak_is_found() -> None:
    with pytest.raises(AssertionError):
        assert_no_future(lambda data, cut: known_before(data, cut, leak=True), timed_world(), CUT)


def test_a_history_ends_before_what_is_asked() -> None:
    data = timed_world()
    fold = time_fold(data, 0.3, 10_000, np.random.default_rng(0))
    histories = fold.histories
    assert len(fold.items) > 50
    assert (histories.times < np.repeat(histories.at, histories.lengths)).all()
    assert (fold.known.histories.times < fold.moment).all()
    assert (histories.at >= fold.moment).all()
    for place, item in enumerate(fold.items):
        row = histories.items[histories.indptr[place] : histories.indptr[place + 1]]
        assert item not in row
        whole = data.histories.take([fold.people[place]])
        np.testing.assert_array_equal(row, whole.items[whole.times < histories.at[place]])


def test_what_comes_back_is_asked_where_repeats_are_wanted() -> None:
    histories = Histories.from_lists(
        [[0, 1, 0]], 3, times=[[START, START + DAY, START + 2 * DAY]], at=[START + 3 * DAY]
    )
    data = Interactions(ItemSpace(("a",), (3,)), replace(histories, order="joint"))
    asked = [fold_at(data, START + 2 * DAY, 9, np.random.default_rng(0), repeats=repeats) for repeats in (False, True)]
    assert [fold.items.tolist() for fold in asked] == [[], [0]]


@pytest.mark.parametrize("order", ["none", "joint", "domain"])
def test_without_times_people_lose_one_item_and_what_came_after_it(order: str) -> None:
    timed = timed_world(n_people=60)
    histories = replace(timed.histories, times=None, at=None, order=order)
    if order == "domain":
        by_domain = np.lexsort([timed.space.domain_of(histories.items), histories.rows()])
        histories = replace(histories, items=histories.items[by_domain])
    data = replace(timed, histories=histories)
    fold = people_fold(data, 0.5, 10_000, np.random.default_rng(1))
    assert 15 < len(fold.items) < 45
    assert len(np.unique(fold.people)) == len(fold.people)
    for place, (item, person) in enumerate(zip(fold.items, fold.people, strict=True)):
        whole = data.histories.take([person]).items
        known = fold.known.histories.take([person]).items
        np.testing.assert_array_equal(known, fold.histories.take([place]).items)
        where = int(np.flatnonzero(whole == item)[0])
        assert item not in known
        if order == "none":
            np.testing.assert_array_equal(known, np.delete(whole, where))
        elif order == "joint":
            np.testing.assert_array_equal(known, whole[:where])
        else:
            domain = data.space.domain_of(whole)
            later = (np.arange(len(whole)) >= where) & (domain == domain[where])
            np.testing.assert_array_equal(known, whole[~later])
    others = np.setdiff1d(np.arange(data.n_people), fold.people)
    np.testing.assert_array_equal(fold.known.histories.take(others).items, data.histories.take(others).items)
