import numpy as np
import pytest

from kuajie.core.config import Config
from kuajie.core.histories import Histories, Interactions
from kuajie.models.als import ALSConfig
from kuajie.models.best import best_items
from kuajie.models.item_weights import DenseWeights
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.registry import build
from kuajie.models.svd import SVDConfig
from kuajie.numerics.topk import top_k
from kuajie.testing.planted import two_domain_interactions


@pytest.mark.parametrize(
    "config",
    [PopularityConfig(), ItemKNNConfig(popularity_power=0.4), SVDConfig(factors=4), ALSConfig(factors=4)],
    ids=lambda config: config.kind,
)
def test_the_best_are_those_of_the_scores(config: Config) -> None:
    interactions, _, _ = two_domain_interactions(n_people=60)
    model, histories = build(config).fit(interactions), interactions.histories
    eligible = np.arange(20) != 7
    best = best_items(model, interactions.space, histories, "b", 5, seen=histories, eligible=eligible, threads=2)
    scores = model.score(histories, "b")
    scores[:, 7] = np.nan
    expected = top_k(scores, 5, seen=histories, start=20)
    np.testing.assert_array_equal(best.items, expected.items)
    np.testing.assert_allclose(best.scores, expected.scores, rtol=1e-5)


def test_dense_weights_take_the_fused_way_too() -> None:
    interactions, _, _ = two_domain_interactions(n_people=60)
    model = ItemKNN().fit(interactions)
    sparse_best = best_items(model, interactions.space, interactions.histories, "a", 4)
    model.weights_ = DenseWeights(model.weights_.matrix.toarray())  # type: ignore[attr-defined]
    dense_best = best_items(model, interactions.space, interactions.histories, "a", 4)
    np.testing.assert_array_equal(dense_best.items, sparse_best.items)


def test_a_history_without_known_items_has_no_best() -> None:
    interactions, _, _ = two_domain_interactions(n_people=60)
    histories = interactions.histories.keep(interactions.histories.items != 3)
    model = ItemKNN().fit(Interactions(interactions.space, histories))
    best = best_items(model, interactions.space, Histories.from_lists([[], [3], [0]], 40), "b", 2)
    np.testing.assert_array_equal(best.items[:2], np.full((2, 2), -1))
    assert (best.items[2] >= 0).all()
