"""How good a graph is: what repeats, dangles or contradicts, whom it covers, and what joins the domains."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from kuajie.core.side import TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.numerics.network import Network, distinct

EXAMPLES = 5


@dataclass(frozen=True)
class Contradiction:
    """A head with several tails of a relation that has one.

    Attributes:
        relation: its name.
        head: node.
        tails: nodes.
    """

    relation: str
    head: int
    tails: tuple[int, ...]


@dataclass(frozen=True)
class Bridge:
    """What joins two domains.

    Attributes:
        a: a domain.
        b: another.
        shared: entities that triples join to items of both.
        within_two: entities at most two triples away from items of both.
    """

    a: str
    b: str
    shared: int
    within_two: int


@dataclass(frozen=True)
class Quality:
    """The account of a graph: triples = distinct + repeats + self_loops.

    Attributes:
        triples: given.
        distinct: different ones that join two nodes.
        repeats: given more than once.
        self_loops: of a node with itself; they say nothing and are not walked.
        entities: nodes that are no items.
        relations: distinct triples of each.
        dangling: entities that a single triple names: nothing leads on from them.
        contradictions: how many heads have several tails of a functional relation.
        examples: some of them.
        components: parts that no triple joins, among nodes with triples.
        largest: share of the nodes with triples that the largest part holds.
        covered: domain -> (items with triples, items).
        bridges: between each two domains.
    """

    triples: int
    distinct: int
    repeats: int
    self_loops: int
    entities: int
    relations: dict[str, int]
    dangling: int
    contradictions: int
    examples: tuple[Contradiction, ...]
    components: int
    largest: float
    covered: dict[str, tuple[int, int]]
    bridges: tuple[Bridge, ...]


def quality(graph: TripleGraph, space: ItemSpace, functional: Collection[str] = ()) -> Quality:
    """Look a graph over; nothing is changed.

    Args:
        graph: the joint graph.
        space: of its items.
        functional: relations of which a head has one tail.
    """
    clean, repeats, loops = distinct(graph)
    network = Network.of(clean)
    degrees = network.degrees
    counts = np.bincount(clean.kinds, minlength=len(clean.relations))
    number, examples = contradictions(clean, functional)
    components, largest = _components(network)
    covered = {}
    for domain in space.domains:
        own = degrees[space.slice(domain)]
        covered[domain] = (int((own > 0).sum()), len(own))
    return Quality(
        triples=graph.n_triples,
        distinct=clean.n_triples,
        repeats=repeats,
        self_loops=loops,
        entities=len(graph.entities),
        relations=dict(zip(clean.relations, counts.tolist(), strict=True)),
        dangling=int((degrees[graph.n_items :] == 1).sum()),
        contradictions=number,
        examples=examples,
        components=components,
        largest=largest,
        covered=covered,
        bridges=bridges(network, space),
    )


def contradictions(clean: TripleGraph, functional: Collection[str]) -> tuple[int, tuple[Contradiction, ...]]:
    """Heads with several tails of a functional relation: how many, and the first of them."""
    found: list[Contradiction] = []
    number = 0
    for place, name in enumerate(clean.relations):
        if name not in functional:
            continue
        mine = clean.kinds == place
        order = np.lexsort((clean.tails[mine], clean.heads[mine]))
        heads, tails = clean.heads[mine][order], clean.tails[mine][order]
        several, counts = np.unique(heads, return_counts=True)
        several = several[counts > 1]
        number += len(several)
        some = several[: max(EXAMPLES - len(found), 0)].tolist()
        found += [Contradiction(name, head, tuple(tails[heads == head].tolist())) for head in some]
    return number, tuple(found)


def bridges(network: Network, space: ItemSpace) -> tuple[Bridge, ...]:
    """What joins each two domains, as counts of entities."""
    edges = network.matrix(np.ones(len(network.ends)))
    member = np.zeros((network.n_nodes, len(space.domains)), np.float32)
    member[np.arange(space.n_items), space.domain_of(np.arange(space.n_items))] = 1
    one = _reached(edges, member, space.n_items)
    two = one | _reached(edges, one.astype(np.float32), space.n_items)
    names = space.domains
    return tuple(
        Bridge(names[a], names[b], int((one[:, a] & one[:, b]).sum()), int((two[:, a] & two[:, b]).sum()))
        for a, b in combinations(range(len(names)), 2)
    )


def _reached(edges: sparse.csr_array, start: npt.NDArray[np.float32], n_items: int) -> npt.NDArray[np.bool_]:
    """Entities next to what is marked: (n_nodes, n_domains); items are passed over."""
    found = np.asarray(edges @ start) > 0
    found[:n_items] = False
    return np.asarray(found)


def _components(network: Network) -> tuple[int, float]:
    alone = network.degrees == 0
    if alone.all():
        return 0, 0.0
    _, labels = csgraph.connected_components(network.matrix(np.ones(len(network.ends))), directed=False)
    sizes = np.bincount(labels[~alone])
    return int((sizes > 0).sum()), float(sizes.max() / (~alone).sum())
