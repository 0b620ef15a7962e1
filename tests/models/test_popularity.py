import numpy as np

from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace
from kuajie.models.popularity import Popularity, PopularityConfig
from kuajie.testing.recommenders import RecommenderContract

DAY = 86_400.0


class TestPopularityContract(RecommenderContract):
    configs = (PopularityConfig(), PopularityConfig(half_life_days=30, power=0.5))
    personal = False
    crosses_domains = False  # popularity is a count inside the target domain


def test_recent_popularity_halves_with_age() -> None:
    space = ItemSpace(("a",), (2,))
    histories = Histories.from_lists([[0, 0], [1]], 2, times=[[0.0, 0.0], [10 * DAY]], at=[10 * DAY] * 2, order="joint")
    model = Popularity(PopularityConfig(half_life_days=10)).fit(Interactions(space, histories))
    np.testing.assert_allclose(model.score(histories.take([0]), "a"), [[2 * 0.5, 1.0]])
