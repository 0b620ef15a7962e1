import numpy as np
import pytest
from scipy import sparse

from kuajie.numerics.cooccurrence import Rows
from kuajie.numerics.inverse import inverse_of_gram
from kuajie.numerics.spread import rows_times_edges
from kuajie.numerics.walks import Graph, Walks, whole


def random_graph(n_people: int, n_items: int, seed: int = 0) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    matrix = ((rng.random((n_people, n_items)) < 0.1) * rng.integers(1, 4, (n_people, n_items))).astype(np.float32)
    matrix[3], matrix[:, 4] = 0, 0
    return sparse.csr_array(matrix)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.5, 0.25, 0.1]])
def test_walks_and_products_are_the_series(weights: list[float]) -> None:
    graph = Graph.of(random_graph(50, 37), 0.4, 0.6)
    D = graph.edges.toarray().astype(float)
    powers = [np.linalg.matrix_power(D.T @ D, step + 1) for step in range(len(weights))]
    expected = graph.left[:, None] * sum(weight * power for weight, power in zip(weights, powers, strict=True))
    np.testing.assert_allclose(whole(graph, weights), expected, rtol=1e-4, atol=1e-7)
    walks = Walks(graph, weights)
    np.testing.assert_allclose(walks(0, 37), expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(walks(5, 30), expected[5:30], rtol=1e-4, atol=1e-7)


def test_the_growth_is_the_largest_eigenvalue() -> None:
    for a, b in ((0.5, 0.5), (0.4, 0.3)):
        D = Graph.of(random_graph(60, 30, 1), a, b)
        expected = np.linalg.eigvalsh((D.edges.T @ D.edges).toarray().astype(float)).max()
        np.testing.assert_allclose(D.growth(), expected, rtol=1e-3)
    np.testing.assert_allclose(Graph.of(random_graph(60, 30, 1), 0.5, 0.5).growth(), 1.0, rtol=1e-3)


def test_an_empty_graph_grows_by_one() -> None:
    assert Graph.of(sparse.csr_array((4, 3), dtype=np.float32), 0.5, 0.5).growth() == 1.0


def test_spreading_is_a_product_of_matrices() -> None:
    edges = random_graph(40, 33, 2)
    over_people = np.random.default_rng(0).standard_normal((21, 40)).astype(np.float32)
    scale = np.arange(33, dtype=np.float32)
    got = rows_times_edges(over_people, Rows.of(edges), scale)
    np.testing.assert_allclose(got, over_people @ edges.toarray() * scale, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_rows", [1, 60, 1_500])
def test_the_inverse_of_a_gram_matrix(n_rows: int) -> None:
    matrix = sparse.random_array((n_rows, 200), density=0.05, rng=np.random.default_rng(0), dtype=np.float32).tocsr()
    ridge = np.linspace(1, 3, n_rows).astype(np.float32)
    dense = matrix.toarray().astype(float)
    expected = np.linalg.inv(dense @ dense.T + np.diag(ridge))
    got = inverse_of_gram(matrix, ridge)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_array_equal(got, got.T)
