import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from kuajie.core.histories import Histories
from kuajie.numerics.hops import hops


@pytest.mark.parametrize("most", [0, 1, 2, 4])
def test_steps_equal_shortest_paths(most: int) -> None:
    rng = np.random.default_rng(most)
    n_items, n_entities = 8, 20
    heads, tails = rng.integers(0, n_entities, (2, 25))  # self-loops, repeats and cycles among them
    ends = (np.concatenate([heads, tails]), np.concatenate([tails, heads]))
    edges = sparse.coo_array((np.ones(50, bool), ends), shape=(n_entities, n_entities)).tocsr()
    rows = [[], [3, 3], *[rng.integers(0, n_items, 2).tolist() for _ in range(8)]]
    histories = Histories.from_lists(rows, n_items)
    part = slice(3, 8)
    asked_rows, items = np.repeat(np.arange(10), 5), np.tile(np.arange(5), 10)
    got = hops(histories, edges, part, asked_rows, items, most).reshape(10, 5)
    far = dijkstra(edges.astype(float), unweighted=True)
    for row, mine in enumerate(rows):
        wanted = far[mine].min(axis=0)[3:8] if mine else np.full(5, np.inf)
        np.testing.assert_array_equal(got[row], np.minimum(wanted, most + 1))
