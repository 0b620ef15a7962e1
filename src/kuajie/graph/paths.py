"""Why two items are near in the graph: the strongest short paths between them.

    course --about--> topic <--about-- category <--category-- product

A path of at most four edges is found from both ends, two edges from each. Its strength is the product over the nodes in
between of 1 / (edges of the node), the chance that a walk takes it: a shared rare concept says more than a shared
category, and a short path more than a long one.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from kuajie.graph.nodes import Knowledge, Nodes
from kuajie.numerics.meeting import Meeting

MOST_EDGES = 4


class Step(NamedTuple):
    """One edge of a path.

    Attributes:
        relation: its name.
        outward: whether the triple points along the path.
        node: where it leads.
        key: of that node: "domain:id" of an item, the name of an entity.
        title: what people call it.
    """

    relation: str
    outward: bool
    node: int
    key: str
    title: str


class Path(NamedTuple):
    """A path from an item of the history.

    Attributes:
        strength: above 0 and at most 1.
        start: the item's number.
        key: of the start.
        title: of the start.
        steps: at most four.
    """

    strength: float
    start: int
    key: str
    title: str
    steps: tuple[Step, ...]


class PathFinder:
    """Finds paths in one graph; holds memory of its size, so one at a time (`paths` takes turns by a new finder)."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.nodes: Nodes = knowledge.nodes
        self.network = knowledge.network
        self.meeting = Meeting.of(self.network)

    def paths(self, from_items: Sequence[int], to_item: int, most: int = 3) -> list[Path]:
        """The strongest paths, strongest first; no two share both their start and the node before the item.

        Args:
            from_items: joint numbers of items of a history; the item itself is passed over.
            to_item: the recommended one.
            most: paths.
        """
        starts = np.array([item for item in dict.fromkeys(from_items) if item != to_item], np.int32)
        return [self._path(strength, nodes) for strength, nodes in self.meeting.strongest(starts, to_item, most)]

    def _path(self, strength: float, route: Sequence[int]) -> Path:
        network, nodes = self.network, self.nodes
        steps = []
        for before, node in pairwise(route):
            edge = self.meeting.edge(before, node)
            relation = network.relations[network.kinds[edge]]
            steps.append(Step(relation, bool(network.outward[edge]), node, nodes.key(node), nodes.title(node)))
        return Path(strength, route[0], nodes.key(route[0]), nodes.title(route[0]), tuple(steps))


def paths(graph: Knowledge, from_items: Sequence[int], to_item: int, most: int = 3) -> list[Path]:
    """See `PathFinder.paths`, which is quicker where many are asked for."""
    return PathFinder(graph).paths(from_items, to_item, most)
