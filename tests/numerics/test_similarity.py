import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from kuajie.core.space import ItemSpace
from kuajie.numerics.cooccurrence import Rows, by_item, pair_sums
from kuajie.numerics.similarity import Similarity, item_neighbours


def obvious_neighbours(X: np.ndarray, space: ItemSpace, similarity: Similarity) -> np.ndarray:
    """The formulas of `numerics.similarity`, pair by pair."""
    if similarity.kind == "jaccard":
        X = (X > 0).astype(float)
    n_items = X.shape[1]
    domains = space.domain_of(np.arange(n_items))
    active = np.stack([(X[:, space.slice(name)] > 0).any(axis=1) for name in space.domains], axis=1)
    if not similarity.linked:
        active[:] = True
    full = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in range(n_items):
            n = np.sum((X[:, i] > 0) & (X[:, j] > 0))
            if i == j or n == 0:
                continue
            dot = X[:, i] @ X[:, j]
            mass_i = np.sum(X[active[:, domains[j]], i] ** 2)
            mass_j = np.sum(X[active[:, domains[i]], j] ** 2)
            if similarity.kind == "jaccard":
                value = dot / (mass_i + mass_j - dot)
            else:
                value = dot / (mass_i**similarity.alpha * mass_j ** (1 - similarity.alpha))
            full[i, j] = value * n / (n + similarity.shrinkage)
    return full


def keep_nearest(full: np.ndarray, space: ItemSpace, k: int) -> np.ndarray:
    kept = np.zeros_like(full)
    for name in space.domains:
        part = np.arange(full.shape[0])[space.slice(name)]
        for j in range(full.shape[1]):
            best = part[np.lexsort((part, -full[part, j]))[:k]]
            kept[best, j] = full[best, j]
    return kept


def random_world(
    seed: int, n_people: int = 60, sizes: tuple[int, ...] = (9, 7, 5)
) -> tuple[sparse.csr_array, ItemSpace]:
    rng = np.random.default_rng(seed)
    dense = (rng.random((n_people, sum(sizes))) < 0.2) * rng.integers(1, 4, (n_people, sum(sizes)))
    dense[: n_people // 3, : sizes[0]] = 0  # partial overlap
    return sparse.csr_array(dense.astype(np.float32)), ItemSpace(("a", "b", "c")[: len(sizes)], sizes)


SIMILARITIES = [
    Similarity(k=50),
    Similarity(k=50, shrinkage=3),
    Similarity("jaccard", k=50, shrinkage=3),
    Similarity(k=50, alpha=0.7, linked=False),
]


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=str)
@pytest.mark.parametrize("dense", [True, False])
def test_all_neighbours_equal_the_obvious_ones(similarity: Similarity, dense: bool) -> None:
    matrix, space = random_world(0)
    found = item_neighbours(matrix, space, similarity, threads=2, dense=dense).toarray()
    np.testing.assert_allclose(found, obvious_neighbours(matrix.toarray(), space, similarity), rtol=1e-5)


@pytest.mark.parametrize("dense", [True, False])
def test_ties_at_the_kth_place_go_to_the_lower_number(dense: bool) -> None:
    matrix, space = random_world(1)
    matrix.data[:] = 1
    similarity = Similarity("jaccard", k=2)
    full = item_neighbours(matrix, space, Similarity("jaccard", k=50), dense=dense).toarray()
    found = item_neighbours(matrix, space, similarity, dense=dense).toarray()
    np.testing.assert_array_equal(found, keep_nearest(full, space, 2))
    assert (np.diff(item_neighbours(matrix, space, similarity).tocsc().indptr) <= 2 * 3).all()


@given(
    dense=hnp.arrays(np.float32, (12, 8), elements=st.sampled_from([0, 0, 1, 2, 5])),
    k=st.integers(1, 8),
    shrinkage=st.sampled_from([0.0, 1.0, 20.0]),
    kind=st.sampled_from(["cosine", "jaccard"]),
)
@settings(max_examples=40, deadline=None)
def test_both_ways_agree_bit_for_bit_on_any_threads(dense: np.ndarray, k: int, shrinkage: float, kind: str) -> None:
    matrix, space = sparse.csr_array(dense), ItemSpace(("a", "b"), (5, 3))
    similarity = Similarity(kind, k=k, shrinkage=shrinkage)  # type: ignore[arg-type]
    ways = [item_neighbours(matrix, space, similarity, threads, way) for threads in (1, 2, 3) for way in (True, False)]
    for other in ways[1:]:
        np.testing.assert_array_equal(ways[0].toarray(), other.toarray())
    assert np.isfinite(ways[0].data).all()
    assert (ways[0].data <= 1 + 1e-6).all()  # no similarity exceeds that of equal items
    assert (ways[0].diagonal() == 0).all()


def test_pair_sums_are_the_product_without_its_diagonal() -> None:
    matrix, _ = random_world(2)
    rows = Rows.of(matrix)
    expected = (matrix.T @ matrix).toarray()
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(pair_sums(rows, rows.values, threads=2), expected, rtol=1e-6)


def test_the_index_by_item_names_each_entry() -> None:
    matrix, _ = random_world(3)
    rows = Rows.of(matrix)
    indptr, people, places = by_item(rows)
    columns = matrix.tocsc()
    np.testing.assert_array_equal(indptr, columns.indptr)
    np.testing.assert_array_equal(people, columns.indices)
    np.testing.assert_array_equal(rows.values[places], columns.data)


def test_an_empty_matrix_has_no_neighbours() -> None:
    space = ItemSpace(("a", "b"), (3, 2))
    for dense in (True, False):
        assert item_neighbours(sparse.csr_array((4, 5), dtype=np.float32), space, Similarity(), 2, dense).nnz == 0
