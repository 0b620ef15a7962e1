import numpy as np
import pytest

from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.svd import SVD, SVDConfig
from kuajie.testing.recommenders import RecommenderContract


class TestSVDContract(RecommenderContract):
    configs = (
        SVDConfig(factors=4),
        SVDConfig(factors=6, binary=False, item_power=0.5, person_power=0, spectrum=0, popularity_power=0),
    )


def test_all_factors_and_no_scaling_give_the_history_back() -> None:
    rng = np.random.default_rng(0)
    space = ItemSpace(("a", "b"), (3, 3))
    rows = [np.flatnonzero(rng.random(6) < 0.5).tolist() or [0] for _ in range(40)]
    config = SVDConfig(factors=6, item_power=0, person_power=0, spectrum=0, popularity_power=0)
    model = SVD(config).fit(Interactions(space, Histories.from_lists(rows, 6)))
    history = Histories.from_lists([[0, 4]], 6, weights=[[2.0, 3.0]])
    np.testing.assert_allclose(model.score(history, "a"), [[2, 0, 0]], atol=1e-5)
    np.testing.assert_allclose(model.score(history, "b"), [[0, 3, 0]], atol=1e-5)


def test_the_plan_changes_the_method_with_size_and_refuses_what_does_not_fit() -> None:
    small = DataShape(1_000, 10_000, ItemSpace(("a", "b"), (300, 200)))
    large = DataShape(1_000_000, 20_000_000, ItemSpace(("a", "b"), (10_000, 5_000)))
    assert SVD().plan(small, FitOptions()).method == "exact"
    assert SVD().plan(large, FitOptions()).method == "sampled"
    with pytest.raises(ResourceError, match=r"svd with 64 factors for 1,000,000 people and 15,000 items needs about"):
        SVD().plan(large, FitOptions(memory_bytes=2**30))
