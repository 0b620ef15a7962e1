"""The knowledge of items as one network: triples and labels, every edge to be walked in both directions.

side information -> joint triples (labels become entities) -> CSR adjacency over items and entities
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.side import Labels, SideInformation, TripleGraph

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


def normalised(name: str) -> str:
    """A name without what does not tell names apart: width, case, spaces at the ends and repeated ones (NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def joint_triples(side: SideInformation | None) -> TripleGraph | None:
    """The graph with an entity for every label of an item; None where nothing is known.

    A label is the entity that a triple already joins it to: one that is called "field:label" or, joined to the same
    item, "label". Only pairs that no triple joins get one, whose relation is the field.
    """
    if side is None or (side.graph is None and not side.labels):
        return None
    none = np.zeros(0, np.int32)
    graph = side.graph or TripleGraph(side.n_items, (), (), none, none, none)
    for name, labels in side.labels.items():
        graph = _with_labels(graph, name, labels)
    return graph


def _with_labels(graph: TripleGraph, field: str, labels: Labels) -> TripleGraph:
    known = {normalised(name): number for number, name in reversed(list(enumerate(graph.entities, graph.n_items)))}
    entities, of_label = list(graph.entities), np.empty(len(labels.names), np.int32)
    for place, name in enumerate(labels.names):
        full = f"{field}:{name}"
        number = known.get(normalised(full), known.get(normalised(name)))
        if number is None:
            number = known[normalised(full)] = graph.n_items + len(entities)
            entities.append(full)
        of_label[place] = number
    matrix = labels.matrix.tocoo()
    items, ends = matrix.coords[0].astype(np.int32), of_label[matrix.coords[1]]
    joined = np.concatenate([pair_keys(graph, graph.heads, graph.tails), pair_keys(graph, graph.tails, graph.heads)])
    new = ~np.isin(items * np.int64(graph.n_items + len(entities) + 1) + ends, _rekeyed(graph, joined, len(entities)))
    relations = graph.relations if field in graph.relations else (*graph.relations, field)
    kinds = np.full(int(new.sum()), relations.index(field), np.int32)
    return TripleGraph(
        graph.n_items,
        tuple(entities),
        relations,
        np.concatenate([graph.heads, items[new]]),
        np.concatenate([graph.kinds, kinds]),
        np.concatenate([graph.tails, ends[new]]),
    )


def pair_keys(graph: TripleGraph, first: I32, second: I32) -> I64:
    """One number for each pair of nodes."""
    return first.astype(np.int64) * (graph.n_entities + 1) + second


def _rekeyed(graph: TripleGraph, keys: I64, n_others: int) -> I64:
    first, second = np.divmod(keys, graph.n_entities + 1)
    return np.asarray(first * (graph.n_items + n_others + 1) + second)


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
        starts = np.concatenate([graph.heads, graph.tails])
        ends = np.concatenate([graph.tails, graph.heads])
        kinds = np.concatenate([graph.kinds, graph.kinds])
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
