import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.testing.recommenders import RecommenderContract


class TestItemKNNContract(RecommenderContract):
    configs = (
        ItemKNNConfig(),
        ItemKNNConfig(similarity="jaccard", shrinkage=5),
        ItemKNNConfig(k=5, shrinkage=10, binary=False, alpha=0.6, person_power=0.5, sharpness=1.5),
        ItemKNNConfig(linked=False, k=12),
    )


def test_cross_domain_similarity_is_the_formula_and_its_transpose() -> None:
    # courses 0, 1, 2 and products 3, 4; person 3 is known on the courses' side only and must not count
    rows = [[0, 1, 3], [0, 3, 4], [1, 4], [0, 1, 2], []]
    space = ItemSpace(("courses", "products"), (3, 2))
    model = ItemKNN(ItemKNNConfig(shrinkage=2)).fit(Interactions(space, Histories.from_lists(rows, 5)))
    weights = model.weights_.arrays()
    joint = sparse.csr_array((weights["data"], weights["indices"], weights["indptr"]), shape=(5, 5)).toarray()
    U = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0]], dtype=float)  # courses x linked people
    P = np.array([[1, 1, 0], [0, 1, 1]], dtype=float)  # products x linked people
    n = U @ P.T
    lengths = np.sqrt(np.outer(U.sum(1), P.sum(1)))
    expected = np.divide(n, lengths, out=np.zeros_like(n), where=lengths > 0) * n / (n + 2)
    np.testing.assert_allclose(joint[:3, 3:], expected, rtol=1e-6)
    np.testing.assert_allclose(joint[3:, :3], expected.T, rtol=1e-6)
    assert np.all(joint[2, 3:] == 0)  # nobody who used course 2 is linked: zero, not a division by zero


def test_a_score_is_the_sum_of_similarities_over_the_history() -> None:
    space = ItemSpace(("a", "b"), (2, 1))
    rows = [[0, 2], [1, 2], [0, 1, 2], [0]]
    model = ItemKNN(ItemKNNConfig(shrinkage=0)).fit(Interactions(space, Histories.from_lists(rows, 3)))
    history = Histories.from_lists([[0, 1]], 3, weights=[[2.0, 0.5]])
    # people linked to b: 0, 1, 2; item 0 has two of them, item 1 two, item 2 three
    expected = 2.0 * 2 / np.sqrt(2 * 3) + 0.5 * 2 / np.sqrt(2 * 3)
    np.testing.assert_allclose(model.score(history, "b"), [[expected]], rtol=1e-6)


def test_one_item_catalogues_work() -> None:
    space = ItemSpace(("a", "b"), (1, 1))
    model = ItemKNN(ItemKNNConfig(shrinkage=0)).fit(Interactions(space, Histories.from_lists([[0, 1], [0], [1]], 2)))
    np.testing.assert_allclose(model.score(Histories.from_lists([[0]], 2), "b"), [[1.0]])


def test_without_overlap_scores_are_zero_not_invented() -> None:
    space = ItemSpace(("a", "b"), (2, 2))
    model = ItemKNN().fit(Interactions(space, Histories.from_lists([[0, 1], [2, 3]], 4)))
    np.testing.assert_array_equal(model.score(Histories.from_lists([[0, 1]], 4), "b"), [[0.0, 0.0]])


def test_the_plan_goes_by_rows_when_pairs_do_not_fit_and_refuses_when_neighbours_do_not() -> None:
    shape = DataShape(1_000_000, 20_000_000, ItemSpace(("a", "b"), (60_000, 40_000)))
    assert ItemKNN().plan(shape, FitOptions()).method == "row-blocks"
    with pytest.raises(ResourceError, match=r"100,000 items needs about .* GiB, available are 0\.1 GiB. Choose"):
        ItemKNN().plan(shape, FitOptions(memory_bytes=2**27))
