"""Exact updates: what changed is subtracted and added, and the model is the one that a fit on everything gives."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.errors import ResourceError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.space import ItemSpace
from kuajie.core.statistics import Updatable, changed_rows, updated
from kuajie.models.ease import EASE, EASEConfig
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.popularity import Popularity
from kuajie.models.registry import build
from kuajie.models.ridge import Ridge, RidgeConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import UpdatableContract


class TestItemKNN(UpdatableContract):
    configs = (
        ItemKNNConfig(),
        ItemKNNConfig(k=5, shrinkage=3.0, alpha=0.6, popularity_power=0.3),
        ItemKNNConfig(similarity="jaccard", sharpness=2.0),
        ItemKNNConfig(person_power=0.5, linked=False),
        ItemKNNConfig(binary=False, shrinkage=0.0),
    )


class TestEASE(UpdatableContract):
    configs = (
        EASEConfig(),
        EASEConfig(regularization=20.0, frequency_power=0.3, form="top-k", k=12),
        EASEConfig(binary=False, popularity_power=0.0),
    )


class TestRidge(UpdatableContract):
    configs = (
        RidgeConfig(),
        RidgeConfig(regularization=3.0, frequency_power=0.5, popularity_power=0.0),
        RidgeConfig(binary=False, form="top-k", k=12),
    )


ROWS = st.lists(st.lists(st.integers(0, 7), max_size=6), max_size=12)
SPACE = ItemSpace(("a", "b"), (4, 4))


def world(rows: list[list[int]], space: ItemSpace = SPACE) -> Interactions:
    return Interactions(space, Histories.from_lists(rows, space.n_items))


@settings(max_examples=20)
@given(ROWS, ROWS, st.permutations(range(8)))
def test_any_change_at_all_is_exact(before: list, after: list, order: list[int]) -> None:
    """The numbers of items change too, inside their domain."""
    numbers = np.array([place for place in order if place < 4] + [place for place in order if place >= 4])
    old, new = world(before), world([[int(numbers[item]) for item in row] for row in before[::2]] + after)
    for config in (ItemKNNConfig(shrinkage=1.0), EASEConfig(regularization=5.0), RidgeConfig(regularization=2.0)):
        model = build(config)
        assert isinstance(model, Updatable)
        changes = changed_rows(old, new, numbers, binary=True)
        sums = updated(model, model.statistics(old), changes, numbers)
        got = model.fit_statistics(sums, FitOptions(threads=1))
        wanted = build(config).fit(new, FitOptions(threads=1))
        everybody = new.histories.take(np.arange(new.n_people))
        for domain in SPACE.domains:
            np.testing.assert_allclose(
                got.score(everybody, domain), wanted.score(everybody, domain), rtol=2e-3, atol=1e-5
            )


@given(ROWS, ROWS, st.booleans())
def test_changed_rows_are_the_difference_of_bags(before: list, after: list, binary: bool) -> None:
    old, new = world(before), world(after)
    changes = changed_rows(old, new, np.arange(8), binary=binary)

    def bag(interactions: Interactions) -> Counter:
        histories = interactions.histories
        pairs = zip(histories.indptr, histories.indptr[1:], strict=False)
        return Counter(tuple(sorted(histories.items[a:b].tolist())) for a, b in pairs)

    assert bag(changes.removed) == bag(old) - bag(new)
    assert bag(changes.added) == bag(new) - bag(old)


def test_strengths_that_decay_change_nobody_where_they_do_not_matter() -> None:
    old = two_domain_interactions()[0]
    later = Interactions(old.space, old.histories.with_weights(old.histories.weights * np.float32(0.9)))
    same = np.arange(old.space.n_items)
    assert changed_rows(old, later, same, binary=True).added.n_people == 0
    assert changed_rows(old, later, same, binary=False).added.n_people == old.n_people
    zero = Interactions(old.space, old.histories.with_weights(old.histories.weights * 0))
    assert changed_rows(old, zero, same, binary=True).removed.n_people == old.n_people


def test_what_does_not_follow_from_sums_says_so() -> None:
    interactions = two_domain_interactions()[0]
    assert not isinstance(Popularity(), Updatable)
    for model in (EASE(EASEConfig(form="low-rank")), Ridge(RidgeConfig(form="low-rank"))):
        with pytest.raises(UsageError, match="low-rank form of"):
            model.fit_statistics(model.statistics(interactions))
    for model in (EASE(), Ridge(), ItemKNN()):
        with pytest.raises(ResourceError, match=" needs "):
            model.fit_statistics(model.statistics(interactions), FitOptions(memory_bytes=100))
    with pytest.raises(UsageError, match="one model over one item space"):
        EASE().statistics(interactions) + ItemKNN().statistics(interactions)
