"""The knowledge of items as one network: triples and labels, every edge to be walked in both directions.

joint triples (labels are entities there, see `core.joint`) -> CSR adjacency over items and entities
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.side import TripleGraph

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


def pair_keys(graph: TripleGraph, first: I32, second: I32) -> I64:
    """One number for each pair of nodes."""
    return first.astype(np.int64) * (graph.n_entities + 1) + second


def distinct(graph: TripleGraph) -> tuple[TripleGraph, int, int]:
    """The graph without repeated triples and self-loops, and how many there were of each.

    Triples of the result + repeats + self-loops = triples of the graph.
    """
    loops = graph.heads == graph.tails
    keys = pair_keys(graph, graph.heads, graph.tails) * max(len(graph.relations), 1) + graph.kinds
    first = np.zeros(graph.n_triples, np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    kept = first & ~loops
    clean = replace(graph, heads=graph.heads[kept], kinds=graph.kinds[kept], tails=graph.tails[kept])
    return clean, int((~first & ~loops).sum()), int(loops.sum())


def neighbours(graph: TripleGraph) -> sparse.csr_array:
    """Which nodes a triple joins, whatever it says: bool CSR (n_nodes, n_nodes), symmetric, indices ascending."""
    starts, ends, _ = graph.both_ways()
    shape = (graph.n_entities, graph.n_entities)
    edges = sparse.coo_array((np.ones(len(starts), np.bool_), (starts, ends)), shape=shape).tocsr()
    edges.sort_indices()
    return edges


@dataclass(frozen=True, eq=False)
class Network:
    """Both directions of every distinct triple, as CSR over nodes; nodes 0..n_items-1 are items.

    Attributes:
        n_items: items.
        indptr: int64 (n_nodes + 1,).
        ends: int32, the other node of each edge, ascending within a node.
        kinds: int32, its relation.
        outward: bool, true where the node is the head of the triple.
        relations: names.
        names: of the entities from node `n_items` on.
    """

    n_items: int
    indptr: I64
    ends: I32
    kinds: I32
    outward: npt.NDArray[np.bool_]
    relations: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, graph: TripleGraph) -> "Network":
        """Of a graph; repeats and self-loops are left out."""
        graph, _, _ = distinct(graph)
        starts, ends, kinds = graph.both_ways()
        outward = np.arange(len(starts)) < graph.n_triples
        order = np.lexsort((kinds, ends, starts))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(starts, minlength=graph.n_entities))]).astype(np.int64)
        return cls(
            graph.n_items, indptr, ends[order], kinds[order], outward[order], graph.relations, graph.entities
        )  # fmt: skip

    @property
    def n_nodes(self) -> int:
        """Items and entities."""
        return len(self.indptr) - 1

    @property
    def degrees(self) -> I64:
        """Edges of each node."""
        return np.diff(self.indptr)

    def known(self) -> npt.NDArray[np.bool_]:
        """Which items have an edge: (n_items,)."""
        return np.asarray(self.degrees[: self.n_items] > 0)

    def weights(self, stated: Mapping[str, float], hub_power: float) -> F64:
        """Of each edge: what is stated of its relation (else 1) * (edges of its end) ** -hub_power."""
        of_kind = np.array([stated.get(name, 1.0) for name in self.relations])
        return np.asarray(of_kind[self.kinds] * np.maximum(self.degrees, 1)[self.ends] ** -hub_power)

    def matrix(self, values: F64) -> sparse.csr_array:
        """The edges with values: float64 CSR (n_nodes, n_nodes), edges between the same two nodes added."""
        shape = (self.n_nodes, self.n_nodes)
        matrix = sparse.csr_array((values.copy(), self.ends.copy(), self.indptr.copy()), shape=shape)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return matrix
