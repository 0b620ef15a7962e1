"""The graph for other programs: GraphML, and the CSV files of `neo4j-admin database import`.

GraphML: http://graphml.graphdrawing.org/primer/graphml-primer.html (attributes as `<key>` and `<data>`).
Neo4j: https://neo4j.com/docs/operations-manual/current/import/ (headers `:ID`, `:LABEL`, `:START_ID`, `:END_ID`,
`:TYPE`; a field with a quote, comma or line break is quoted, a quote doubled).

Knowledge alone goes out: no person and nothing that a person did.
"""

import csv
import io
import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from kuajie.graph.nodes import Knowledge

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 knows no way to write."""
REPLACEMENT = "\ufffd"
KEYS = (("key", "node"), ("title", "node"), ("kind", "node"), ("domain", "node"), ("relation", "edge"))


def graphml(graph: Knowledge) -> Iterator[str]:
    """The lines of a GraphML file: items and entities with triples, and every triple as it was given."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for name, what in KEYS:
        yield f'  <key id="{name}" for="{what}" attr.name="{name}" attr.type="string"/>\n'
    yield '  <graph id="kuajie" edgedefault="directed">\n'
    for node in _nodes(graph):
        values = {"key": graph.nodes.key(node), "title": graph.nodes.title(node), "kind": graph.nodes.kind(node)}
        values["domain"] = graph.nodes.domain(node)
        data = "".join(f"<data key={quoteattr(name)}>{_xml(value)}</data>" for name, value in values.items() if value)
        yield f'    <node id="n{node}">{data}</node>\n'
    for head, relation, tail in _triples(graph):
        data = f'<data key="relation">{_xml(relation)}</data>'
        yield f'    <edge source="n{head}" target="n{tail}">{data}</edge>\n'
    yield "  </graph>\n</graphml>\n"


def neo4j_nodes(graph: Knowledge) -> Iterator[str]:
    """The lines of the nodes' file."""
    yield "id:ID,key,title,kind,domain,:LABEL\n"
    nodes = graph.nodes
    for node in _nodes(graph):
        label = "Item" if node < graph.triples.n_items else "Entity"
        yield _csv(f"n{node}", nodes.key(node), nodes.title(node), nodes.kind(node), nodes.domain(node), label)


def neo4j_relationships(graph: Knowledge) -> Iterator[str]:
    """The lines of the relationships' file."""
    yield ":START_ID,:END_ID,:TYPE\n"
    for head, relation, tail in _triples(graph):
        yield _csv(f"n{head}", f"n{tail}", relation)


def _nodes(graph: Knowledge) -> list[int]:
    triples = graph.triples
    named = set(triples.heads.tolist()) | set(triples.tails.tolist())
    return sorted(named)


def _triples(graph: Knowledge) -> Iterator[tuple[int, str, int]]:
    triples = graph.triples
    for head, kind, tail in zip(triples.heads.tolist(), triples.kinds.tolist(), triples.tails.tolist(), strict=True):
        yield head, triples.relations[kind], tail


def _xml(text: str) -> str:
    return escape(FORBIDDEN.sub(REPLACEMENT, text))


def _csv(*values: str) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()
