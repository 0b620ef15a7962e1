"""Strongest paths of at most four edges between nodes, found from both ends.

The strength of a path is the product over its inner nodes of 1 / (edges of the node). Paths of length L are met at the
node that lies ceil(L / 2) edges from the start, so that each is found once.
"""

from dataclasses import dataclass

import numpy as np

from kuajie.numerics.jit import F64, I32, I64, kernel
from kuajie.numerics.network import Network

WIDEST = 5_000
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
        edge: (1 + WAYS, n_nodes) its first edge.
        stamp: (1 + WAYS, n_nodes) the search that wrote it.
        clock: (1,) number of the search.
    """

    indptr: I64
    ends: I32
    near: F64
    edge: I64
    stamp: I64
    clock: I64

    @classmethod
    def of(cls, network: Network) -> "Meeting":
        """For searches in a network."""
        size = (1 + WAYS, network.n_nodes)
        none = np.zeros(size, np.int64)
        return cls(network.indptr, network.ends, np.zeros(size), none, none.copy(), np.zeros(1, np.int64))

    def strongest(self, starts: I32, aim: int, most: int) -> list[tuple[float, list[int]]]:
        """The strongest paths from any start: strength and edge numbers in order; no start and last inner node twice.

        Args:
            starts: distinct nodes.
            aim: where to.
            most: paths.
        """
        self.clock[0] += 1
        room = max(64, 16 * most)
        strengths, routes = np.zeros(room), np.full((room, 4), -1, np.int64)
        _mark(self.indptr, self.ends, aim, self.near, self.edge, self.stamp, int(self.clock[0]))
        count = int(
            _search(
                self.indptr, self.ends, starts, aim, self.near, self.edge, self.stamp, int(self.clock[0]), strengths,
                routes,
            )
        )  # fmt: skip
        found: list[tuple[float, list[int]]] = []
        seen: set[tuple[int, int]] = set()
        order = sorted(range(count), key=lambda place: (-strengths[place], routes[place].tolist()))
        for place in order:
            edges = [edge for edge in routes[place].tolist() if edge >= 0]
            start = int(np.searchsorted(self.indptr, edges[0], side="right")) - 1
            last = start if len(edges) == 1 else int(self.ends[edges[-2]])
            if (start, last) not in seen and len(found) < most:
                seen.add((start, last))
                found.append((float(strengths[place]), edges))
        return found


@kernel
def _edge_between(indptr: I64, ends: I32, start: int, end: int) -> int:
    """The first edge from one node to another; ends of a node ascend."""
    low, high = indptr[start], indptr[start + 1]
    while low < high:
        middle = (low + high) // 2
        if ends[middle] < end:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _remember(near: F64, edge: I64, stamp: I64, clock: int, node: int, strength: float, first: int) -> None:
    """Put a way of two edges among the best of a node."""
    for way in range(1, WAYS + 1):
        if stamp[way, node] != clock:
            near[way, node], edge[way, node], stamp[way, node] = strength, first, clock
            return
        if strength > near[way, node]:
            near[way, node], strength = strength, near[way, node]
            edge[way, node], first = first, edge[way, node]


@kernel
def _mark(indptr: I64, ends: I32, aim: int, near: F64, edge: I64, stamp: I64, clock: int) -> None:
    """Mark what lies one edge and two edges before the aim, with the best ways on from there."""
    last = -1
    for place in range(indptr[aim], indptr[aim + 1]):
        first = ends[place]
        near[0, first], stamp[0, first] = 1.0, clock
        edge[0, first] = _edge_between(indptr, ends, first, aim)
        size = indptr[first + 1] - indptr[first]
        if size > WIDEST or first == last:
            continue
        last, before = first, -1
        for other in range(indptr[first], indptr[first + 1]):
            second = ends[other]
            if second == aim or second == before:  # noqa: PLR1714, SIM109 - as below
                continue
            before = second
            _remember(near, edge, stamp, clock, second, 1.0 / size, _edge_between(indptr, ends, second, first))


@kernel
def _keep(strengths: F64, routes: I64, count: int, strength: float, a: int, b: int, c: int, d: int) -> int:
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
def _search(
    indptr: I64,
    ends: I32,
    starts: I32,
    aim: int,
    near: F64,
    edge: I64,
    stamp: I64,
    clock: int,
    strengths: F64,
    routes: I64,
) -> int:
    count = 0
    for start in starts:
        last = -1
        for one in range(indptr[start], indptr[start + 1]):
            middle = ends[one]
            if middle == last:  # a second relation between the same two nodes
                continue
            last = middle
            if middle == aim:  # length 1
                count = _keep(strengths, routes, count, 1.0, one, -1, -1, -1)
                continue
            size = indptr[middle + 1] - indptr[middle]
            if stamp[0, middle] == clock:  # length 2
                count = _keep(strengths, routes, count, 1.0 / size, one, edge[0, middle], -1, -1)
            if size > WIDEST:
                continue
            before = -1
            for two in range(indptr[middle], indptr[middle + 1]):
                meet = ends[two]
                if meet == before or meet == start or meet == aim:  # noqa: PLR1714, SIM109 - numbers of several types
                    continue
                before = meet
                share = 1.0 / (size * (indptr[meet + 1] - indptr[meet]))
                if stamp[0, meet] == clock:  # length 3
                    count = _keep(strengths, routes, count, share, one, two, edge[0, meet], -1)
                for way in range(1, WAYS + 1):  # length 4
                    if stamp[way, meet] != clock:
                        break
                    third = edge[way, meet]
                    node = ends[third]
                    if node != middle and node != start:  # noqa: PLR1714 - as above
                        strength = share * near[way, meet]
                        count = _keep(strengths, routes, count, strength, one, two, third, edge[0, node])
    return count
