import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.ease import EASE, DualRows, EASEConfig, low_rank, primal
from kuajie.testing.recommenders import RecommenderContract


class TestEASEContract(RecommenderContract):
    configs = (
        EASEConfig(),
        EASEConfig(form="top-k", k=15, regularization=20, binary=False, popularity_power=0),
        EASEConfig(form="low-rank", rank=30, frequency_power=0.5, regularization=10),
    )


def random_matrix(n_people: int, n_items: int, seed: int = 0) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    matrix = ((rng.random((n_people, n_items)) < 0.15) * rng.integers(1, 3, (n_people, n_items))).astype(np.float32)
    matrix[:, 2] = 0
    return sparse.csr_array(matrix)


def slow_ease(matrix: sparse.csr_array, ridge: np.ndarray) -> np.ndarray:
    """Each column by itself: regress one item on all others, which is what a zero diagonal means."""
    X = matrix.toarray().astype(float)
    n_items = X.shape[1]
    B = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.flatnonzero(np.arange(n_items) != item)
        gram = X[:, others].T @ X[:, others] + np.diag(ridge[others])
        B[others, item] = np.linalg.solve(gram, X[:, others].T @ X[:, item])
    return B


@pytest.mark.parametrize("n_people", [9, 80])
def test_primal_and_dual_are_column_by_column_regressions(n_people: int) -> None:
    matrix = random_matrix(n_people, 25)
    ridge = (3.0 * np.arange(1, 26) ** 0.3).astype(np.float32)
    expected = slow_ease(matrix, ridge)
    np.testing.assert_allclose(primal(matrix, ridge), expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(DualRows(matrix, ridge)(0, 25), expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(DualRows(matrix, ridge)(7, 12), expected[7:12], rtol=1e-3, atol=1e-5)


def test_at_full_rank_the_low_rank_form_is_ease_but_for_the_diagonal() -> None:
    matrix = random_matrix(40, 25)
    ridge = np.full(25, 5.0, np.float32)
    weights = low_rank(matrix, ridge, 25, seed=0)
    got = weights.left @ weights.right.T
    np.fill_diagonal(got, 0)
    np.testing.assert_allclose(got, slow_ease(matrix, ridge), rtol=1e-2, atol=1e-4)


def test_it_finds_which_of_two_equally_popular_items_belongs_to_the_history() -> None:
    space = ItemSpace(("a", "b"), (2, 2))
    rows = [[0, 2], [1, 3]] * 30 + [[0, 1]] * 5
    model = EASE(EASEConfig(regularization=1)).fit(Interactions(space, Histories.from_lists(rows, 4)))
    scores = model.score(Histories.from_lists([[0]], 4), "b")
    assert scores[0, 0] > 0.5 > 0 > scores[0, 1]


def test_an_item_does_not_predict_itself() -> None:
    interactions = Interactions(ItemSpace(("a",), (25,)), Histories.from_matrix(random_matrix(80, 25)))
    for form in ("dense", "top-k"):
        model = EASE(EASEConfig(form=form)).fit(interactions)
        own = [model.weights_.entries(np.array([i]), np.array([i]))[0, 0] for i in range(25)]
        np.testing.assert_array_equal(own, 0)


def test_the_plan_takes_the_smaller_side_and_falls_back_to_low_rank() -> None:
    def shape(n_people: int, items: int) -> DataShape:
        return DataShape(n_people, 10 * n_people, ItemSpace(("a", "b"), (items, items)))

    assert EASE().plan(shape(100_000, 750), FitOptions()).method == "primal"
    assert EASE().plan(shape(5_000, 17_500), FitOptions()).method == "dual"
    assert EASE().plan(shape(1_000_000, 50_000), FitOptions()).method == "low-rank"
    with pytest.raises(ResourceError, match="ease needs at least"):
        EASE(EASEConfig(form="top-k")).plan(shape(1_000_000, 50_000), FitOptions())
