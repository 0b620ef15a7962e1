"""What nodes of the joint graph are called."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kuajie.core.side import TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.numerics.network import Network

_KIND = re.compile(r"([a-z_][a-z0-9_ -]*):(?=\S)")


def plain_name(name: str) -> str:
    """An entity's name without the kind before it: "topic:涡轮" is "涡轮"."""
    found = _KIND.match(name)
    return name[found.end() :] if found and not name[found.end() :].startswith("//") else name


def kind_of(name: str) -> str:
    """The kind before an entity's name, "" where there is none."""
    found = _KIND.match(name)
    return found[1] if found and not name[found.end() :].startswith("//") else ""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Names of all nodes.

    Attributes:
        space: the joint item space.
        ids: of the items, in the order of their numbers.
        titles: theirs, "" where there is none.
        entities: names of all other nodes.
    """

    space: ItemSpace
    ids: Sequence[str]
    titles: Sequence[str]
    entities: Sequence[str]

    def title(self, node: int) -> str:
        """What people call a node."""
        if node < len(self.ids):
            return self.titles[node] or self.ids[node]
        return plain_name(self.entities[node - len(self.ids)])

    def key(self, node: int) -> str:
        """What tells a node from all others: "domain:id" of an item, the name of an entity."""
        if node < len(self.ids):
            return f"{self.domain(node)}:{self.ids[node]}"
        return self.entities[node - len(self.ids)]

    def domain(self, node: int) -> str:
        """The domain of an item, "" of an entity."""
        if node >= len(self.ids):
            return ""
        return self.space.domains[int(self.space.domain_of(np.array([node]))[0])]

    def kind(self, node: int) -> str:
        """The domain of an item; of an entity the kind that its name says."""
        return self.domain(node) or kind_of(self.entities[node - len(self.ids)])


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
    def of(cls, graph: TripleGraph, space: ItemSpace, ids: Sequence[str], titles: Sequence[str]) -> "Knowledge":
        """Of a graph and its items."""
        return cls(graph, Nodes(space, ids, titles, graph.entities), Network.of(graph))
