import numpy as np
import pytest

from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace
from kuajie.models.repeat import Repeat, RepeatConfig
from kuajie.testing.recommenders import RecommenderContract


class TestRepeatContract(RecommenderContract):
    configs = (RepeatConfig(), RepeatConfig(half_life_positions=None))
    crosses_domains = False  # it says what is used again, which was used before


def baskets(seed: int = 0) -> Interactions:
    """Coffee (items 0 to 4) is bought again and again, kettles (5 to 9) once."""
    rng = np.random.default_rng(seed)
    rows = [
        rng.permutation(
            [*rng.choice(rng.choice(5, 2, replace=False), 6), *(5 + rng.choice(5, 2, replace=False))]
        ).tolist()
        for _ in range(300)
    ]
    return Interactions(ItemSpace(("咖啡",), (10,)), Histories.from_lists(rows, 10, order="joint"))


def test_what_is_used_up_comes_again_and_what_lasts_does_not() -> None:
    model = Repeat().fit(baskets())
    assert model.rates_[:5].min() > 0.8
    assert model.rates_[5:].max() < 0.1
    history = Histories.from_lists([[1, 7, 1, 2]], 10, order="joint")
    scores = model.score(history, "咖啡")[0]
    assert np.argsort(-scores)[:3].tolist() == [1, 2, 7]
    unseen = np.setdiff1d(np.arange(10), [1, 2, 7])
    assert scores[unseen].max() < scores[7]


@pytest.mark.parametrize("half_life", [None, 3.0])
def test_scores_are_the_obvious_sum(half_life: float | None) -> None:
    rng = np.random.default_rng(1)
    space = ItemSpace(("a", "b"), (6, 5))
    rows = [rng.integers(0, 11, rng.integers(1, 12)).tolist() for _ in range(40)]
    weights = [rng.uniform(0.1, 2, len(row)).tolist() for row in rows]
    data = Interactions(space, Histories.from_lists(rows, 11, weights, order="joint"))
    model = Repeat(RepeatConfig(half_life_positions=half_life)).fit(data)
    got = model.score(data.histories, "b")
    for row, mine in enumerate(rows):
        for item in range(5):
            wanted = sum(
                w * (0.5 ** ((len(mine) - 1 - place) / half_life) if half_life else 1.0) * model.rates_[other]
                for place, (other, w) in enumerate(zip(mine, weights[row], strict=True))
                if other == 6 + item
            )
            assert got[row, item] == pytest.approx(wanted, abs=2e-6, rel=1e-5)
