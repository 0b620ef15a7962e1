"""Walks between items over the people who used them: what round trips item - person - item reach.

    D = R^-a X C^-b                  X (n_people, n_items), R and C the sums of its rows and columns
    W = C^-b sum_{l=1..L} w_l (D^T D)^l

Sources: Katz 1953, "A new status index derived from sociometric analysis" (the series); Cooper et al. 2014, "Random
walks in recommender systems: exact computation and simulations" (P3alpha, one round trip with powers).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kuajie.numerics.cooccurrence import Rows, by_item, pair_sums
from kuajie.numerics.jit import F32, I32, I64, U32, kernel
from kuajie.numerics.spread import WIDTH, put_rows, to_items, to_people


@dataclass(frozen=True, eq=False)
class Graph:
    """The normalised graph.

    Attributes:
        edges: float32 CSR (n_people, n_items): D.
        left: float32 (n_items,): the diagonal of C^-b.
    """

    edges: sparse.csr_array
    left: F32

    @classmethod
    def of(cls, matrix: sparse.csr_array, person_power: float, item_power: float) -> "Graph":
        """Normalise X (n_people, n_items), no negative value; powers a and b."""
        people = _power(matrix.sum(axis=1), -person_power)
        items = _power(matrix.sum(axis=0), -item_power)
        values = matrix.data * np.repeat(people, np.diff(matrix.indptr)) * items[matrix.indices]
        shape = matrix.shape
        return cls(sparse.csr_array((values.astype(np.float32), matrix.indices, matrix.indptr), shape=shape), items)

    def growth(self, rounds: int = 50) -> float:
        """Largest eigenvalue of D^T D, by power iteration: by how much a round trip grows; 1 for a = b = 1/2."""
        back = self.edges.T.tocsr()
        vector = np.full(self.edges.shape[1], 1.0)
        growth = 0.0
        for _ in range(rounds):
            vector = back @ (self.edges @ vector)
            growth = float(np.linalg.norm(vector))
            if growth == 0:
                return 1.0
            vector /= growth
        return growth


class Walks:
    """Rows of W, made where they are needed.

    Args:
        graph: the normalised graph.
        weights: w_1, ..., w_L.
    """

    def __init__(self, graph: Graph, weights: list[float]) -> None:
        self.rows = Rows.of(graph.edges)
        self.item_indptr, self.people, places = by_item(self.rows)
        self.item_values = self.rows.values[places]
        self.left, self.ones = graph.left, np.ones_like(graph.left)
        self.weights = np.array(weights, dtype=np.float32)

    def __call__(self, low: int, high: int) -> F32:
        """Rows low..high-1 of W: float32 (high - low, n_items)."""
        out = np.empty((high - low, self.rows.n_items), np.float32)
        n_people = len(self.rows.indptr) - 1
        at_items = np.empty((self.rows.n_items, WIDTH), np.float32)
        at_people = np.empty((n_people, WIDTH), np.float32)
        for start in range(low, high, WIDTH):
            stop = min(start + WIDTH, high)
            _walk(
                start, stop, self.rows.indptr, self.rows.items, self.rows.values, self.item_indptr, self.people,
                self.item_values, self.left, self.ones, self.weights, at_people, at_items,
                out[start - low : stop - low],
            )  # fmt: skip
        return out


def whole(graph: Graph, weights: list[float], threads: int = 1) -> F32:
    """W as a full matrix, by products of (n_items, n_items): float32, C order."""
    rows = Rows.of(graph.edges)
    step = pair_sums(rows, rows.values, threads)
    squares = np.bincount(rows.items, rows.values.astype(np.float64) ** 2, minlength=rows.n_items)
    step[np.diag_indices_from(step)] = squares
    # Horner: w_1 G + w_2 G^2 + ... = G (w_1 + G (w_2 + ...))
    total = step * np.float32(weights[-1])
    for weight in weights[-2::-1]:
        total[np.diag_indices_from(total)] += np.float32(weight)
        total = step @ total
    total *= graph.left[:, None]
    return total


def _power(sums: F32, exponent: float) -> F32:
    """Raise to a power: sums ** exponent, 0 where a sum is 0."""
    sums = np.asarray(sums, dtype=np.float64)
    return np.where(sums > 0, np.where(sums > 0, sums, 1.0) ** exponent, 0.0).astype(np.float32)


@kernel
def _walk(
    start: int,
    stop: int,
    indptr: I64,
    items: U32,
    values: F32,
    item_indptr: I64,
    people: I32,
    item_values: F32,
    left: F32,
    ones: F32,
    weights: F32,
    at_people: F32,
    at_items: F32,
    out: F32,
) -> None:
    """Rows start..stop-1 of W, at most WIDTH of them, by Horner's rule from the last round trip to the first."""
    last = len(weights) - 1
    # the first half step leaves single items: only their own people are reached
    at_people[:] = 0
    for item in range(start, stop):
        for place in range(item_indptr[item], item_indptr[item + 1]):
            at_people[people[place], item - start] = item_values[place] * weights[last]
    to_items(indptr, items, values, at_people, at_items)
    for trip in range(last - 1, -1, -1):
        for item in range(start, stop):
            at_items[item, item - start] += weights[trip]
        to_people(indptr, items, values, at_items, at_people)
        to_items(indptr, items, values, at_people, at_items)
    put_rows(at_items, ones, out)
    for item in range(start, stop):
        out[item - start] *= left[item]
