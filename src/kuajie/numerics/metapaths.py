"""Meta-paths: what items have in common through entities one or two steps away, by relation.

    A_p (n_items, n_nodes)      entities that the path p reaches from each item; rare ones count more
    F   = sum_p sqrt(w_p) A_p
    s_ij = 2 (F F^T)_ij / ((F F^T)_ii + (F F^T)_jj)

F F^T counts the paths item -p- entity -q- item of all pairs of paths p and q that meet, weighed sqrt(w_p w_q): also
those of different kind, such as course -about- topic -about- category -category- product.

Sources: Sun et al. 2011, "PathSim: meta path-based top-k similarity search in heterogeneous information networks",
definition 4 (the normalisation); weights by lift are our own, see `path_weights`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F32, F64
from kuajie.numerics.network import Network

WIDEST = 1_000
"""Entities with more edges are not gone on from, where nobody says otherwise."""
LEAST_WEIGHT = 0.02
"""Of a path that says nothing of what is used together: what only it knows can still be found."""


@dataclass(frozen=True, eq=False)
class Paths:
    """The paths that start at items.

    Attributes:
        names: such as "brand", or "category.about" for two steps.
        reached: CSR (n_items, n_nodes) of each, entries >= 0.
        shape: (n_items, n_nodes).
    """

    shape: tuple[int, int]
    names: tuple[str, ...]
    reached: tuple[sparse.csr_array, ...]

    def features(self, weights: F64) -> sparse.csr_array:
        """F: float32 CSR (n_items, n_nodes)."""
        matrix = sparse.csr_array(self.shape, dtype=np.float32)
        for weight, each in zip(weights, self.reached, strict=True):
            matrix = matrix + np.float32(np.sqrt(weight)) * each.astype(np.float32)
        matrix.eliminate_zeros()
        return matrix


def item_paths(network: Network, hub_power: float, two_steps: bool, widest: int) -> Paths:
    """All paths of one step by relation, and of two steps by the relation of the second.

    Args:
        network: of the knowledge.
        hub_power: an entity with d edges counts d ** -hub_power in F F^T.
        two_steps: whether to go on from an entity to another one.
        widest: an entity with more edges is not gone on from.
    """
    n_items, degrees = network.n_items, np.maximum(network.degrees, 1)
    scale = degrees ** (-hub_power / 2)
    items = np.repeat(np.arange(network.n_nodes), network.degrees) < n_items
    entity_end = network.ends >= n_items
    names, reached = [], []
    for number, name in enumerate(network.relations):
        mine = items & (network.kinds == number)
        step = _boolean(network.matrix(mine.astype(np.float64))[:n_items])
        if step.nnz:
            names.append(name)
            reached.append(step @ sparse.diags_array(scale))
    if not names:
        return Paths((n_items, network.n_nodes), (), ())
    joined = sparse.csr_array(network.matrix((items & ~entity_end).astype(np.float64))[:n_items])
    if joined.nnz:  # items that triples join to items are reached as themselves too
        itself = sparse.diags_array((np.diff(joined.indptr) > 0).astype(np.float64))
        wide = sparse.csr_array(itself)
        wide.resize((n_items, network.n_nodes))
        names.append("itself")
        reached.append(wide @ sparse.diags_array(scale))
    if two_steps:
        first = _boolean(network.matrix((items & entity_end).astype(np.float64))[:n_items])
        narrow = degrees <= widest
        for number, name in enumerate(network.relations):
            between = ~items & entity_end & (network.kinds == number)
            second = network.matrix(between.astype(np.float64))
            step = sparse.csr_array(first @ sparse.diags_array(narrow * degrees**-hub_power) @ second)
            if step.nnz:
                names.append(f".{name}")
                reached.append(step @ sparse.diags_array(scale))
    return Paths((n_items, network.n_nodes), tuple(names), tuple(sparse.csr_array(each) for each in reached))


def _boolean(matrix: sparse.csr_array) -> sparse.csr_array:
    found = sparse.csr_array(matrix)
    found.data = np.ones_like(found.data)
    return found


def path_weights(paths: Paths, used: sparse.csr_array, stated: Mapping[str, float], learned: bool) -> F64:
    """The weight of each path: what is stated; else how much more often than by chance people use two things it joins.

    lift = (pairs of a person's items that meet, over all entities) / (the same if items were drawn by popularity);
    weight = 1 - 1 / lift, and at least LEAST_WEIGHT. A path whose meetings nobody could have used weighs 1 / 2.

    Args:
        paths: of the items.
        used: (n_people, n_items), who used what; values do not matter.
        stated: path -> weight.
        learned: False: what is not stated weighs 1.
    """
    weights = np.ones(len(paths.names))
    people = _boolean(used).astype(np.float64)
    counts = np.asarray(people.sum(axis=0)).ravel()
    lengths = np.asarray(people.sum(axis=1)).ravel()
    pairs, possible = float((lengths * (lengths - 1)).sum()), float(counts.sum() ** 2 - (counts**2).sum())
    for place, (name, reached) in enumerate(zip(paths.names, paths.reached, strict=True)):
        if name in stated:
            weights[place] = stated[name]
        elif learned:
            squares = sparse.csr_array(reached**2)
            met = people @ reached
            observed = float((met.data**2).sum() - (counts @ squares).sum())
            drawn = np.asarray(counts @ reached).ravel()
            expected = float((drawn**2).sum() - ((counts**2) @ squares).sum()) * pairs / max(possible, 1.0)
            lift = observed / expected if expected > 0 else 2.0
            weights[place] = max(1 - 1 / lift if lift > 0 else 0.0, LEAST_WEIGHT)
    return weights


def relation_weights(
    network: Network, hub_power: float, used: sparse.csr_array, stated: Mapping[str, float]
) -> dict[str, float]:
    """The weight of each relation: what is stated, else the larger one of its paths of one step and of two."""
    paths = item_paths(network, hub_power, two_steps=True, widest=WIDEST)
    found = dict(zip(paths.names, path_weights(paths, used, {}, learned=True).tolist(), strict=True))
    learned = {name: max(found.get(name, 0.0), found.get(f".{name}", 0.0)) for name in network.relations}
    return {name: weight or LEAST_WEIGHT for name, weight in learned.items()} | dict(stated)


class PathSim:
    """Rows of s, made where they are needed; the diagonal is left out."""

    def __init__(self, features: sparse.csr_array) -> None:
        self.features, self.across = features, sparse.csr_array(features.T)
        self.own = np.asarray(features.power(2).sum(axis=1), dtype=np.float32).ravel()

    def __call__(self, low: int, high: int) -> F32:
        """Rows low..high-1 of s: float32 (high - low, n_items)."""
        met = (self.features[low:high] @ self.across).toarray()
        both = self.own[low:high, None] + self.own[None, :]
        rows = np.divide(2 * met, both, out=np.zeros_like(met), where=both > 0)
        rows[np.arange(high - low), np.arange(low, high)] = 0
        return np.ascontiguousarray(rows, dtype=np.float32)
