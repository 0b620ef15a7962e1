"""Adjacency, local push, and embeddings, against slow and obvious seconds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kuajie.core.side import TripleGraph
from kuajie.numerics.embedding import Training, gradient, train
from kuajie.numerics.network import Network, distinct
from kuajie.numerics.push import Space, Walker


def graph_of(n_items: int, n_others: int, triples: list[tuple[int, int, int]], n_relations: int = 3) -> TripleGraph:
    heads, kinds, tails = (np.array([t[place] for t in triples], np.int32) for place in range(3))
    names = tuple(f"实体{number}" for number in range(n_others))
    return TripleGraph(n_items, names, tuple(f"r{number}" for number in range(n_relations)), heads, kinds, tails)


triples = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(0, 8)), max_size=30)


@given(triples)
@settings(deadline=None)
def test_every_triple_is_kept_or_counted(listed: list[tuple[int, int, int]]) -> None:
    graph = graph_of(4, 5, listed)
    clean, repeats, loops = distinct(graph)
    kept = set(zip(clean.heads.tolist(), clean.kinds.tolist(), clean.tails.tolist(), strict=True))
    assert clean.n_triples + repeats + loops == len(listed)
    assert kept == {triple for triple in listed if triple[0] != triple[2]}
    assert len(kept) == clean.n_triples


@given(triples)
@settings(deadline=None)
def test_the_network_holds_both_directions(listed: list[tuple[int, int, int]]) -> None:
    network = Network.of(graph_of(4, 5, listed))
    found = set()
    for node in range(network.n_nodes):
        for place in range(network.indptr[node], network.indptr[node + 1]):
            found.add((node, int(network.kinds[place]), int(network.ends[place]), bool(network.outward[place])))
    expected = {(h, r, t, True) for h, r, t in listed if h != t} | {(t, r, h, False) for h, r, t in listed if h != t}
    assert found == expected


def dense_pagerank(matrix: np.ndarray, start: np.ndarray, alpha: float) -> np.ndarray:
    sums = matrix.sum(axis=1)
    P = np.where(sums[:, None] > 0, matrix / np.where(sums > 0, sums, 1)[:, None], np.eye(len(matrix)))
    return alpha * start @ np.linalg.inv(np.eye(len(matrix)) - (1 - alpha) * P)


@pytest.mark.parametrize("seed", range(6))
def test_local_push_is_pagerank(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.random((40, 40)) * (rng.random((40, 40)) < 0.1)
    matrix[7] = 0  # goes nowhere
    starts, shares = np.array([3, 7, 11], np.int32), np.array([0.5, 0.3, 0.2])
    start = np.zeros(40)
    start[starts] = shares
    slow, space = dense_pagerank(matrix, start, 0.2), Space.of(40)
    exact = Walker.of(sparse.csr_array(matrix), 0.2, 1e-12, 40)
    out = np.zeros(40, np.float32)
    for _ in range(2):  # the memory of a walk is empty again afterwards
        out[:] = 0
        exact.walk(starts, shares, space, out)
        np.testing.assert_allclose(out, slow, atol=1e-6)
    rough = Walker.of(sparse.csr_array(matrix), 0.2, 1e-3, 25)
    out = np.zeros(25, np.float32)
    steps = rough.walk(starts, shares, space, out)
    assert steps <= 1 / (0.2 * 1e-3)
    assert (out <= slow[:25] + 1e-6).all()
    assert (slow[:25] - out <= 1e-3 * (matrix > 0).sum() + 40e-3).all()


@pytest.mark.parametrize("rotation", [False, True])
def test_gradients_are_those_of_the_distance(rotation: bool) -> None:
    rng = np.random.default_rng(1)
    head, tail = rng.normal(size=6).astype(np.float32), rng.normal(size=6).astype(np.float32)
    relation = rng.normal(size=3 if rotation else 6).astype(np.float32)

    def slow(h: np.ndarray, r: np.ndarray, t: np.ndarray) -> float:
        if not rotation:
            return float(np.linalg.norm(h + r - t))
        complex_h, complex_t = h[:3] + 1j * h[3:], t[:3] + 1j * t[3:]
        return float(np.abs(complex_h * np.exp(1j * r) - complex_t).sum())

    by = [np.zeros_like(x) for x in (head, relation, tail)]
    assert gradient(rotation, head, relation, tail, *by) == pytest.approx(slow(head, relation, tail), rel=1e-5)
    parts = [x.astype(np.float64) for x in (head, relation, tail)]
    for place, part in enumerate(parts):
        for k in range(len(part)):
            moved = [x.copy() for x in parts]
            moved[place][k] += 1e-6
            slope = (slow(*moved) - slow(*parts)) / 1e-6
            assert by[place][k] == pytest.approx(slope, abs=1e-3)


@pytest.mark.parametrize("geometry", ["translation", "rotation"])
def test_an_embedding_completes_a_planted_graph(geometry: str) -> None:
    # entity i of 60 -next-> i + 1 (mod 60, a cycle), -group-> one of 6 groups; some triples are left out of training
    cycle = [(i, 0, (i + 1) % 60) for i in range(60)] if geometry == "rotation" else []
    groups = [(i, 1, 60 + i % 6) for i in range(60)]
    friends = [(i, 2, (i + 6) % 60) for i in range(60)]
    rng = np.random.default_rng(0)
    hidden = set(rng.choice(60, 12, replace=False).tolist())
    known = [t for t in groups if t[0] not in hidden] + friends + cycle
    heads, kinds, tails = (np.array(column, np.int32) for column in zip(*known, strict=True))
    how = Training(geometry, 32, 6.0 if geometry == "rotation" else 2.0, epochs=200)
    found = train(heads, kinds, tails, 66, 3, how, seed=3)
    again = train(heads, kinds, tails, 66, 3, how, seed=3)
    np.testing.assert_array_equal(found.entities, again.entities)
    by = [np.zeros(32, np.float32), np.zeros(found.relations.shape[1], np.float32), np.zeros(32, np.float32)]
    right = 0
    for entity in hidden:
        distances = [
            gradient(geometry == "rotation", found.entities[entity], found.relations[1], found.entities[60 + g], *by)
            for g in range(6)
        ]
        right += int(np.argmin(distances)) == entity % 6
    assert right >= 9, math.nan
