import numpy as np
import pytest

from kuajie.core.errors import ArtifactError, ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.userknn import UserKNN, UserKNNConfig
from kuajie.testing.recommenders import RecommenderContract

SPACE = ItemSpace(("a", "b"), (3, 2))
ROWS = [[0, 3], [0, 1, 4], [1, 2, 3, 4], [2]]


class TestUserKNNContract(RecommenderContract):
    configs = (
        UserKNNConfig(k=50),
        UserKNNConfig(k=20, shrinkage=0, sharpness=2, binary=False, item_power=0, popularity_power=-0.3),
    )


def fitted(config: UserKNNConfig) -> UserKNN:
    return UserKNN(config).fit(Interactions(SPACE, Histories.from_lists(ROWS, 5)))


def test_scores_are_the_formula() -> None:
    model = fitted(UserKNNConfig(shrinkage=1, sharpness=1, item_power=0, popularity_power=0))
    # the history is known in a only: person 0 has length 1 there and shares 1 item, person 1 length sqrt 2 and 2 items,
    # person 2 length sqrt 2 and 1 item; person 3 has nothing in b
    s0, s1, s2 = 1 / np.sqrt(2) * 1 / 2, 2 / np.sqrt(2 * 2) * 2 / 3, 1 / np.sqrt(2 * 2) * 1 / 2
    scores = model.score(Histories.from_lists([[0, 1]], 5), "b")
    np.testing.assert_allclose(scores, [[s0 + s2, s1 + s2]], rtol=1e-6)


def test_only_the_nearest_carry_the_score() -> None:
    model = fitted(UserKNNConfig(k=1, shrinkage=0, sharpness=1, item_power=0, popularity_power=0))
    np.testing.assert_allclose(model.score(Histories.from_lists([[0, 1]], 5), "b"), [[0, 1]], rtol=1e-6)


def test_the_explanation_is_the_fall_of_the_score() -> None:
    model, history = fitted(UserKNNConfig()), Histories.from_lists([[0, 1, 3]], 5)
    explanation = model.explain(history, "b", np.array([1, 0]))
    assert not explanation.exact
    before = model.score(history, "b")[0, [1, 0]]
    for place, item in enumerate(explanation.history_items):
        after = model.score(history.keep(history.items != item), "b")[0, [1, 0]]
        np.testing.assert_allclose(explanation.contributions[:, place], before - after, rtol=1e-5, atol=1e-7)


def test_it_says_that_it_holds_people() -> None:
    assert UserKNN.contains_histories


def test_damaged_rows_are_refused() -> None:
    model = fitted(UserKNNConfig())
    for name, array in {"indices": np.full(9, 5, np.int32), "data": np.ones(3, np.float32)}.items():
        with pytest.raises(ArtifactError):
            UserKNN.from_arrays(model.config, SPACE, {**model.arrays(), name: array})


def test_a_plan_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ResourceError, match="userknn for 20,000,000 entries needs about"):
        UserKNN().plan(DataShape(1_000_000, 20_000_000, SPACE), FitOptions(memory_bytes=2**30))
