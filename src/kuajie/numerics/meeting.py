"""Strongest paths of at most four edges between nodes, found from both ends.

The strength of a path is the product over its inner nodes of 1 / (edges of the node). Two edges are
gone from each end; a node that joins everything to everything is not gone on from, but halves can meet in it.
"""

from dataclasses import dataclass

import numpy as np

from kuajie.numerics.jit import F64, I32, I64, kernel
from kuajie.numerics.network import Network

WIDEST = 300
"""A node with more edges is not gone on from: it joins everything to everything. It can be where two halves meet."""

WAYS = 3
"""Ways of two edges that are remembered of a node: two may lead back over the first half of a path."""


@dataclass(frozen=True, eq=False)
class Meeting:
    """Both halves of the search; for one search at a time.

    Attributes:
        indptr: of the nodes.
        ends: other node of each edge.
        near: (1 + WAYS, n_nodes) strength of the way of one edge to the aim, and of the best ways of two.
        via: (1 + WAYS, n_nodes) the next node on it.
        stamp: (1 + WAYS, n_nodes) the search that wrote it.
        clock: (1,) number of the search.
    """

    indptr: I64
    ends: I32
    near: F64
    via: I32
    stamp: I64
    clock: I64

    @classmethod
    def of(cls, network: Network) -> "Meeting":
        """For searches in a network."""
        size = (1 + WAYS, network.n_nodes)
        via, stamp = np.zeros(size, np.int32), np.zeros(size, np.int64)
        return cls(network.indptr, network.ends, np.zeros(size), via, stamp, np.zeros(1, np.int64))

    def strongest(self, starts: I32, aim: int, most: int) -> list[tuple[float, list[int]]]:
        """The strongest paths from any start: strength and nodes in order; no start and last inner node twice.

        Args:
            starts: distinct nodes.
            aim: where to.
            most: paths.
        """
        self.clock[0] += 1
        room, clock = max(64, 16 * most), int(self.clock[0])
        strengths, routes = np.zeros(room), np.full((room, 4), -1, np.int32)
        _mark(self.indptr, self.ends, aim, self.near, self.via, self.stamp, clock)
        count = int(
            _search(self.indptr, self.ends, starts, aim, self.near, self.via, self.stamp, clock, strengths, routes)
        )
        found: list[tuple[float, list[int]]] = []
        seen: set[tuple[int, int]] = set()
        order = sorted(range(count), key=lambda place: (-strengths[place], routes[place].tolist()))
        for place in order:
            nodes = [node for node in routes[place].tolist() if node >= 0]
            if (nodes[0], nodes[-1]) not in seen and len(found) < most:
                seen.add((nodes[0], nodes[-1]))
                found.append((float(strengths[place]), [*nodes, aim]))
        return found

    def edge(self, start: int, end: int) -> int:
        """The number of the first edge from one node to another."""
        low, high = self.indptr[start], self.indptr[start + 1]
        return int(low + np.searchsorted(self.ends[low:high], end))


@kernel
def _remember(near: F64, via: I32, stamp: I64, clock: int, node: int, strength: float, first: int) -> None:
    """Put a way of two edges among the best of a node."""
    for way in range(1, WAYS + 1):
        if stamp[way, node] != clock:
            near[way, node], via[way, node], stamp[way, node] = strength, first, clock
            return
        if strength > near[way, node]:
            near[way, node], strength = strength, near[way, node]
            via[way, node], first = first, via[way, node]


@kernel
def _mark(indptr: I64, ends: I32, aim: int, near: F64, via: I32, stamp: I64, clock: int) -> None:
    """Mark what lies one edge and two edges before the aim, with the best ways on from there."""
    last = -1
    for place in range(indptr[aim], indptr[aim + 1]):
        first = ends[place]
        if first == last:  # a second relation between the same two nodes
            continue
        last, before = first, -1
        near[0, first], via[0, first], stamp[0, first] = 1.0, aim, clock
        size = indptr[first + 1] - indptr[first]
        if size > WIDEST:
            continue
        for other in range(indptr[first], indptr[first + 1]):
            second = ends[other]
            if second == aim or second == before:  # noqa: PLR1714, SIM109 - numbers of several types
                continue
            before = second
            _remember(near, via, stamp, clock, second, 1.0 / size, first)


@kernel
def _keep(strengths: F64, routes: I32, count: int, strength: float, a: int, b: int, c: int, d: int) -> int:
    """Put a path into its place among the strongest, if it has one; how many there are."""
    size = len(strengths)
    if count == size and strength <= strengths[size - 1]:
        return count
    place = min(count, size - 1)
    while place > 0 and strengths[place - 1] < strength:
        strengths[place] = strengths[place - 1]
        routes[place] = routes[place - 1]
        place -= 1
    strengths[place] = strength
    routes[place, 0], routes[place, 1], routes[place, 2], routes[place, 3] = a, b, c, d
    return min(count + 1, size)


@kernel
def _search(  # noqa: PLR0912 - paths of one, two, three and four edges
    indptr: I64,
    ends: I32,
    starts: I32,
    aim: int,
    near: F64,
    via: I32,
    stamp: I64,
    clock: int,
    strengths: F64,
    routes: I32,
) -> int:
    count = 0
    for start in starts:
        last = -1
        for one in range(indptr[start], indptr[start + 1]):
            middle = ends[one]
            if middle == last:
                continue
            last = middle
            if middle == aim:  # one edge
                count = _keep(strengths, routes, count, 1.0, start, -1, -1, -1)
                continue
            size = indptr[middle + 1] - indptr[middle]
            if stamp[0, middle] == clock:  # two
                count = _keep(strengths, routes, count, 1.0 / size, start, middle, -1, -1)
            for way in range(1, WAYS + 1):  # three
                if stamp[way, middle] == clock and via[way, middle] != start:
                    strength = near[way, middle] / size
                    count = _keep(strengths, routes, count, strength, start, middle, via[way, middle], -1)
            if size > WIDEST:
                continue
            before = -1
            for two in range(indptr[middle], indptr[middle + 1]):
                meet = ends[two]
                if meet == before or meet == start or meet == aim:  # noqa: PLR1714, SIM109 - numbers of several types
                    continue
                before = meet
                if stamp[1, meet] != clock and stamp[0, meet] != clock:
                    continue
                width = indptr[meet + 1] - indptr[meet]
                share = 1.0 / (size * width)
                if (
                    stamp[0, meet] == clock and width > WIDEST
                ):  # three over what was not gone on from, seen from the aim
                    count = _keep(strengths, routes, count, share, start, middle, meet, -1)
                for way in range(1, WAYS + 1):  # four
                    node = via[way, meet]
                    if stamp[way, meet] == clock and node != middle and node != start:  # noqa: PLR1714 - as above
                        count = _keep(strengths, routes, count, share * near[way, meet], start, middle, meet, node)
    return count
