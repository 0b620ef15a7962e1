"""A picture of what lies around a node: an SVG of rings, the node in the middle, the same every time.

Nodes are reached breadth first, the rarer ones first; each gets a share of its parent's angle by how many leaves lie
behind it. Lines to nodes that were reached otherwise are drawn thinner.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from kuajie.graph.export import FORBIDDEN, REPLACEMENT
from kuajie.graph.nodes import Knowledge

RING = 190.0
MARGIN = 150.0
LONGEST = 16
"""Characters of a name; wide ones count twice."""
COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2", "#65a30d", "#db2777")
ENTITY = "#475569"
FONT = "system-ui, 'Noto Sans CJK SC', 'WenQuanYi Micro Hei', 'Microsoft YaHei', 'PingFang SC', sans-serif"


@dataclass(frozen=True)
class Edge:
    """A triple between two drawn nodes."""

    head: int
    relation: str
    tail: int


@dataclass(frozen=True)
class Neighbourhood:
    """What lies around a node.

    Attributes:
        centre: node.
        rings: nodes by their distance, the centre alone in the first.
        parents: node -> the node that it was reached from.
        edges: all distinct triples between them.
        left_out: neighbours within the distance that were too many.
    """

    centre: int
    rings: tuple[tuple[int, ...], ...]
    parents: dict[int, int] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    left_out: int = 0

    @property
    def nodes(self) -> list[int]:
        """All of them, nearest first."""
        return [node for ring in self.rings for node in ring]


def neighbourhood(graph: Knowledge, centre: int, steps: int = 2, most: int = 40) -> Neighbourhood:
    """The nodes at most so many triples away; of too many those with the fewest edges, for they say most.

    Args:
        graph: the joint graph.
        centre: a node.
        steps: distance.
        most: nodes around the centre.
    """
    network = graph.network
    degrees = network.degrees
    parents: dict[int, int] = {centre: centre}
    rings: list[tuple[int, ...]] = [(centre,)]
    left_out = 0
    for _ in range(steps):
        reached: dict[int, int] = {}
        for node in rings[-1]:
            for place in range(network.indptr[node], network.indptr[node + 1]):
                other = int(network.ends[place])
                if other not in parents:
                    reached.setdefault(other, node)
        by_rarity = sorted(reached, key=lambda node: (degrees[node], node))
        room = most - (len(parents) - 1)
        if len(rings) == 1:
            room = min(room, max(most * 2 // 3, 1)) if steps > 1 else room
        kept = by_rarity[: max(room, 0)]
        left_out += len(by_rarity) - len(kept)
        if not kept:
            break
        parents.update((node, reached[node]) for node in kept)
        rings.append(tuple(kept))
    edges = []
    for node in parents:
        for place in range(network.indptr[node], network.indptr[node + 1]):
            other = int(network.ends[place])
            if network.outward[place] and other in parents:
                edges.append(Edge(node, network.relations[network.kinds[place]], other))
    return Neighbourhood(centre, tuple(rings), parents, tuple(edges), left_out)


def svg(graph: Knowledge, around: Neighbourhood) -> str:
    """The picture."""
    places = layout(around)
    size = 2 * (RING * (len(around.rings) - 1) + MARGIN)
    half = size / 2
    tree = {(node, parent) for node, parent in around.parents.items()}
    lines, labels = [], []
    for edge in around.edges:
        (x1, y1), (x2, y2) = places[edge.head], places[edge.tail]
        near = (edge.head, edge.tail) in tree or (edge.tail, edge.head) in tree
        lines.append(
            f'<line x1="{x1 + half:.1f}" y1="{y1 + half:.1f}" x2="{x2 + half:.1f}" y2="{y2 + half:.1f}" '
            f'stroke="{"#94a3b8" if near else "#e2e8f0"}" stroke-width="{1.2 if near else 0.8}"/>'
        )
        if near:
            x, y = (x1 + x2) / 2 + half, (y1 + y2) / 2 + half
            turn = math.degrees(math.atan2(y2 - y1, x2 - x1))
            turn = turn - 180 if turn > 90 else turn + 180 if turn < -90 else turn
            labels.append(
                f'<text x="{x:.1f}" y="{y - 3:.1f}" transform="rotate({turn:.1f} {x:.1f} {y:.1f})" '
                f'class="relation">{_text(edge.relation, LONGEST)}</text>'
            )
    dots = [_dot(graph, node, *places[node], half, node == around.centre) for node in around.nodes]
    title = _text(graph.nodes.title(around.centre), 80)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size:.0f} {size:.0f}" width="{size:.0f}" '
            f'height="{size:.0f}" role="img"><title>{title}</title>',
            f"<style>text{{font-family:{FONT};font-size:12px;fill:#0f172a}}.relation{{font-size:9px;fill:#64748b;"
            "text-anchor:middle}.halo{paint-order:stroke;stroke:#fff;stroke-width:3px}</style>",
            f'<rect width="{size:.0f}" height="{size:.0f}" fill="#fff"/>',
            *lines,
            *labels,
            *dots,
            "</svg>\n",
        ]
    )


def layout(around: Neighbourhood) -> dict[int, tuple[float, float]]:
    """Where each node lies, the centre at 0, 0."""
    children: dict[int, list[int]] = {node: [] for node in around.nodes}
    for node, parent in around.parents.items():
        if node != around.centre:
            children[parent].append(node)
    leaves: dict[int, int] = {}
    for node in reversed(around.nodes):
        leaves[node] = sum(leaves[child] for child in children[node]) or 1
    places = {around.centre: (0.0, 0.0)}
    spans: list[tuple[int, float, float, int]] = [(around.centre, -math.pi / 2, 3 * math.pi / 2, 0)]
    for node, begin, end, depth in spans:  # grows while it is walked
        angle = begin
        for child in children[node]:
            width = (end - begin) * leaves[child] / leaves[node]
            middle, radius = angle + width / 2, RING * (depth + 1)
            places[child] = (radius * math.cos(middle), radius * math.sin(middle))
            spans.append((child, angle, angle + width, depth + 1))
            angle += width
    return places


def _dot(graph: Knowledge, node: int, x: float, y: float, half: float, centre: bool) -> str:
    domain, size = graph.nodes.domain(node), 9 if centre else 6
    domains: Sequence[str] = graph.nodes.space.domains
    colour = COLOURS[domains.index(domain) % len(COLOURS)] if domain else ENTITY
    angle = math.degrees(math.atan2(y, x))
    left = not -90 < angle <= 90
    anchor, turn = ("middle", 0.0) if centre else ("end", angle - 180) if left else ("start", angle)
    dx, dy = (0, -14) if centre else (-10 if left else 10, 4)
    shape = (
        f'<circle cx="{x + half:.1f}" cy="{y + half:.1f}" r="{size}" fill="{colour}"/>'
        if domain
        else f'<rect x="{x + half - size:.1f}" y="{y + half - size:.1f}" width="{2 * size}" height="{2 * size}" rx="2" '
        f'fill="{colour}"/>'
    )
    return (
        f"<g><title>{_text(graph.nodes.key(node), 200)}</title>{shape}"
        f'<text x="{x + half + dx:.1f}" y="{y + half + dy:.1f}" text-anchor="{anchor}" '
        f'transform="rotate({turn:.1f} {x + half:.1f} {y + half:.1f})" class="halo">'
        f"{_text(graph.nodes.title(node), LONGEST)}</text></g>"
    )


def _text(name: str, most: int) -> str:
    """A name of at most so many narrow characters, for XML."""
    width, end = 0, 0
    for end, char in enumerate(name, 1):
        width += 1 if ord(char) < 0x1100 else 2
        if width > most and end < len(name):
            name = name[: end - 1] + "…"
            break
    return escape(FORBIDDEN.sub(REPLACEMENT, name))
