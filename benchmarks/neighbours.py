"""Item neighbours at seed size: cross-domain similarity, best items for everybody, and `implicit` as a peer."""

import warnings

import numpy as np
from implicit.nearest_neighbours import CosineRecommender
from scipy import sparse

from benchmarks.measure import Row, seconds, show
from benchmarks.worlds import THREADS, seed_interactions
from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.numerics.similarity import Similarity, item_neighbours
from kuajie.numerics.topk import best_sparse


def run() -> list[Row]:
    """Measure."""
    world = seed_interactions()
    space, matrix = world.space, world.matrix()
    everything = Similarity(k=space.n_items)
    both = seconds(lambda: item_neighbours(matrix, space, everything, THREADS))
    model = ItemKNN(ItemKNNConfig()).fit(world, FitOptions(threads=THREADS))
    weights = model.weights_.matrix

    def best_of_all() -> None:
        for domain in space.domains:
            part = space.slice(domain)
            best_sparse(matrix, weights, part, 10, model.support_[part] > 0, world.histories, THREADS)

    best = seconds(best_of_all)
    ours, theirs = against_implicit(matrix, world)
    size = f"{matrix.shape[0]:,} people, {len(world.histories.items):,} events"
    return [
        Row(f"similarity of all courses and parts, both ways ({size})", f"{both:.2f} s", "1 s"),
        Row("ten best parts and ten best courses for every person", f"{best:.2f} s", "2 s"),
        Row("100 neighbours of each item, as implicit's CosineRecommender", f"{theirs / ours:.1f} times as fast", "2"),
    ]


def against_implicit(matrix: sparse.csr_array, world: Interactions) -> tuple[float, float]:
    """Seconds of ours and theirs for 100 neighbours over one joint catalogue; the neighbours are compared."""
    space = type(world.space)(("all",), (world.space.n_items,))
    plain = Similarity(k=100)
    peer = sparse.csr_matrix(matrix, dtype=np.float64)

    def theirs() -> CosineRecommender:
        model = CosineRecommender(K=101, num_threads=THREADS)  # theirs counts an item as its own neighbour
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it converts its own input
            model.fit(peer, show_progress=False)
        return model

    found = item_neighbours(matrix, space, plain, THREADS)
    expected = theirs().similarity.tolil()
    expected.setdiag(0)
    close = abs(found - sparse.csr_array(expected).T)
    assert (close > 1e-4).sum() <= 0.01 * found.nnz, "the neighbours are not the same"
    return seconds(lambda: item_neighbours(matrix, space, plain, THREADS)), seconds(theirs, warm=False)


if __name__ == "__main__":
    show(run())
