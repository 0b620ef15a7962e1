"""What nodes of the joint graph are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np

from kuajie.core.names import kind_of_name, plain_name
from kuajie.core.side import TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.numerics.network import Network


@dataclass(frozen=True, eq=False)
class Nodes:
    """Names of all nodes.

    Attributes:
        space: the joint item space.
        ids: of the items, in the order of their numbers.
        titles: theirs, "" where there is none.
        entities: names of all other nodes.
        names: entity -> what readers call it, where that is not its own name.
    """

    space: ItemSpace
    ids: Sequence[str]
    titles: Sequence[str]
    entities: Sequence[str]
    names: Mapping[str, str] = field(default_factory=dict)

    def title(self, node: int) -> str:
        """What people call a node."""
        if node < len(self.ids):
            return self.titles[node] or self.ids[node]
        entity = self.entities[node - len(self.ids)]
        return self.names.get(entity) or plain_name(entity)

    def key(self, node: int) -> str:
        """What tells a node from all others: "domain:id" of an item, the name of an entity."""
        if node < len(self.ids):
            return f"{self.domain(node)}:{self.ids[node]}"
        return self.entities[node - len(self.ids)]

    def keys(self) -> list[str]:
        """The keys of all nodes, in their order."""
        sizes = zip(self.space.domains, self.space.sizes, strict=True)
        domains = chain.from_iterable(repeat(domain, size) for domain, size in sizes)
        return [*(f"{domain}:{item}" for domain, item in zip(domains, self.ids, strict=True)), *self.entities]

    def domain(self, node: int) -> str:
        """The domain of an item, "" of an entity."""
        if node >= len(self.ids):
            return ""
        return self.space.domains[int(self.space.domain_of(np.array([node]))[0])]

    def kind(self, node: int) -> str:
        """The domain of an item; of an entity the kind that its name says."""
        return self.domain(node) or kind_of_name(self.entities[node - len(self.ids)])


@dataclass(frozen=True, eq=False)
class Knowledge:
    """A joint graph with the names of its nodes.

    Attributes:
        triples: as they were given, repeats included.
        nodes: names.
        network: both directions of the distinct triples.
    """

    triples: TripleGraph
    nodes: Nodes
    network: Network

    @classmethod
    def of(
        cls,
        graph: TripleGraph,
        space: ItemSpace,
        ids: Sequence[str],
        titles: Sequence[str],
        names: Mapping[str, str] | None = None,
    ) -> "Knowledge":
        """Of a graph and its items; `names` of entities that readers call otherwise."""
        return cls(graph, Nodes(space, ids, titles, graph.entities, names or {}), Network.of(graph))
