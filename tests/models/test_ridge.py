import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.ridge import Ridge, RidgeConfig
from kuajie.testing.recommenders import RecommenderContract


class TestRidgeContract(RecommenderContract):
    configs = (
        RidgeConfig(),
        RidgeConfig(form="top-k", k=12, regularization=1, binary=False, popularity_power=0),
        RidgeConfig(form="low-rank", rank=20, frequency_power=0.5),
    )


def three_domains(n_people: int, seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    space = ItemSpace(("a", "b", "c"), (12, 7, 10))
    matrix = ((rng.random((n_people, 29)) < 0.2) * rng.integers(1, 3, (n_people, 29))).astype(np.float32)
    for domain, part in enumerate((slice(0, 12), slice(12, 19), slice(19, 29))):
        matrix[rng.random(n_people) < 0.2 + 0.1 * domain, part] = 0  # not everybody is linked
    matrix[:, 3] = 0
    return Interactions(space, Histories.from_matrix(sparse.csr_array(matrix)))


def slow_transfer(interactions: Interactions, config: RidgeConfig, target: str) -> np.ndarray:
    """Normal equations over linked people, straight from the formula: (n_items, items of the target)."""
    X = interactions.matrix().toarray().astype(float)
    part = interactions.space.slice(target)
    uses = np.maximum((X > 0).sum(axis=0), 1)
    inside = np.zeros(X.shape[1], bool)
    inside[part] = True
    linked = (X[:, inside].sum(axis=1) > 0) & (X[:, ~inside].sum(axis=1) > 0)
    if config.binary:
        X = (X > 0).astype(float)
    source = np.where(inside, 0, X)[linked]
    length = ((source * uses ** (-config.frequency_power / 2)) ** 2).sum() / linked.sum()
    ridge = config.regularization * length * uses**config.frequency_power
    return np.linalg.solve(source.T @ source + np.diag(ridge), source.T @ X[linked][:, inside])


@pytest.mark.parametrize("n_people", [20, 200])  # fewer and more linked people than items: dual and primal
@pytest.mark.parametrize("form", ["dense", "top-k", "low-rank"])
@pytest.mark.parametrize("power", [0.0, 0.7])
def test_it_is_the_ridge_on_linked_people(n_people: int, form: str, power: float) -> None:
    interactions = three_domains(n_people)
    config = RidgeConfig(form=form, k=50, rank=22, regularization=0.3, frequency_power=power, popularity_power=0)
    model = Ridge(config).fit(interactions)
    everything = np.arange(29)
    for target in ("a", "b", "c"):
        expected = slow_transfer(interactions, config, target)
        part = interactions.space.slice(target)
        got = model.weights_.entries(everything, everything[part])
        np.testing.assert_allclose(got, expected, rtol=2e-3, atol=1e-4)


def test_history_in_the_target_itself_carries_nothing() -> None:
    model = Ridge().fit(three_domains(50))
    both = model.score(Histories.from_lists([[0, 1, 13], [13]], 29), "a")
    np.testing.assert_allclose(both[0], both[1], equal_nan=True)


def test_people_who_are_not_linked_do_not_count() -> None:
    space = ItemSpace(("a", "b"), (2, 2))
    linked = [[0, 2], [1, 3], [0, 2]]
    alone = [[0], [2], [3], [3]]
    histories = Histories.from_lists([[0], [1]], 4)
    config = RidgeConfig(popularity_power=0)
    models = [Ridge(config).fit(Interactions(space, Histories.from_lists(r, 4))) for r in (linked, linked + alone)]
    np.testing.assert_allclose(models[0].score(histories, "b"), models[1].score(histories, "b"), rtol=1e-5)


def test_without_overlap_scores_are_zero() -> None:
    space = ItemSpace(("a", "b"), (2, 2))
    for form in ("auto", "top-k", "low-rank"):
        config = RidgeConfig(form=form, rank=2)
        model = Ridge(config).fit(Interactions(space, Histories.from_lists([[0, 1], [2, 3]], 4)))
        np.testing.assert_array_equal(model.score(Histories.from_lists([[0]], 4), "b"), [[0.0, 0.0]])


def test_the_plan_takes_the_smaller_side_and_falls_back_to_low_rank() -> None:
    def shape(n_people: int, items: int) -> DataShape:
        return DataShape(n_people, 10 * n_people, ItemSpace(("a", "b"), (items, items)))

    assert Ridge().plan(shape(100_000, 750), FitOptions()).method == "primal"
    assert Ridge().plan(shape(5_000, 17_500), FitOptions()).method == "dual"
    assert Ridge().plan(shape(1_000_000, 50_000), FitOptions()).method == "low-rank"
    with pytest.raises(ResourceError, match="ridge needs at least"):
        Ridge(RidgeConfig(form="top-k")).plan(shape(1_000_000, 50_000), FitOptions())
