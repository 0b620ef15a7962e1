from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.models.augment import GPConfig, KNNConfig, PredictedConfig, SyntheticConfig, augment
from kuajie.models.gaussian import fit_process, used_rows
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.testing.planted import two_domain_interactions

OPTIONS = FitOptions(threads=1)
IMPUTING = (
    PredictedConfig(model=ItemKNNConfig(), below=1),
    KNNConfig(below=1, k=20),
    GPConfig(below=1, people=200),
)


@pytest.fixture(scope="module")
def world():
    """Forty people have lost what they had in b."""
    data, topics, item_topics = two_domain_interactions()
    histories = data.histories
    lost = (histories.rows() < 40) & (histories.items >= data.space.slice("b").start)
    return replace(data, histories=histories.keep(~lost)), topics, item_topics


@pytest.mark.parametrize("config", IMPUTING, ids=lambda config: config.kind)
def test_what_is_imputed_fits_the_person_and_nothing_real_changes(world, config) -> None:
    data, topics, item_topics = world
    more = augment(data, config, OPTIONS)
    assert more.n_people == data.n_people
    real = ~np.isnan(more.histories.times)
    kept = more.histories.keep(real)
    for name in ("indptr", "items", "weights", "times"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(data.histories, name))
    new = more.histories.keep(~real)
    assert (new.lengths[:40] == 3).all()
    assert not new.lengths[40:].any()
    assert (new.items >= data.space.slice("b").start).all()
    assert (item_topics[new.items] == topics[new.rows()]).mean() > 0.9
    assert ((new.weights > 0) & (new.weights <= np.float32(config.weight))).all()


def test_mixtures_are_people_of_two_similar_ones(world) -> None:
    data, _, item_topics = world
    config = SyntheticConfig(below=8, k=5, copies=2)
    more = augment(data, config, OPTIONS)
    few = (data.histories.lengths < 8).sum()
    new = more.histories.take(np.arange(data.n_people, more.n_people))
    assert new.n_rows == 2 * few
    np.testing.assert_array_equal(more.histories.items[: len(data.histories.items)], data.histories.items)
    for row in range(new.n_rows):
        mine = new.items[new.indptr[row] : new.indptr[row + 1]]
        assert len(set(item_topics[mine].tolist())) <= 1
    np.testing.assert_allclose(new.weights, 0.3, rtol=1e-6)


@pytest.mark.parametrize("config", [*IMPUTING, SyntheticConfig(k=10_000)], ids=lambda config: config.kind)
def test_bad_shapes_of_data(config) -> None:
    space = two_domain_interactions()[0].space
    nobody = Interactions(space, Histories.from_lists([[], []], space.n_items))
    assert augment(nobody, config, OPTIONS) is nobody
    alone = Interactions(space, Histories.from_lists([[3], []], space.n_items))
    assert augment(alone, config, OPTIONS).histories.items[-1] == 3


def test_the_process_is_the_textbook_one() -> None:
    data = two_domain_interactions(n_people=60)[0]
    process = fit_process(data, 1_000, 0)
    people = used_rows(data.histories).toarray().astype(float)
    used = (data.matrix() > 0).toarray().astype(float)
    kernel = np.exp((people @ people.T - 1) / process.length)
    inverse = np.linalg.inv(kernel + process.noise * np.eye(60))
    wanted = used.mean(axis=0) + kernel @ inverse @ (used - used.mean(axis=0))
    part = data.space.slice("b")
    np.testing.assert_allclose(process.score(data.histories, "b"), wanted[:, part], atol=1e-5)
    np.testing.assert_allclose(process.certainty(data.histories), np.diag(kernel @ inverse @ kernel), atol=1e-5)
    stranger = Histories.from_lists([[0, 1, 2, 3, 20, 21, 22, 23], [0, 4, 8]], data.space.n_items)
    unlike, like = process.certainty(stranger)
    assert unlike < like


def test_where_nobody_is_sparse_nothing_is_added() -> None:
    data = two_domain_interactions(n_people=30)[0]
    assert augment(data, KNNConfig(below=1), FitOptions(threads=1)) is data
