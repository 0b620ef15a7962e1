"""What is shown of the knowledge graph of a workspace's newest snapshot."""

from collections.abc import Sequence

import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import DataError, UsageError
from kuajie.core.names import normalised, suggest
from kuajie.core.side import TripleGraph
from kuajie.data.dataset import JointDataset
from kuajie.graph.drawing import Drawn, GraphConfig, draw
from kuajie.graph.nodes import Knowledge


def open_graph(dataset: JointDataset, language: str) -> Knowledge:
    """Triples and labels of all domains as one graph, items called as readers of a language do.

    Raises:
        DataError: the snapshot has neither triples nor labels.
    """
    graph = dataset.side.joint
    if not graph.n_triples:
        raise DataError(
            "the snapshot has no triples and its items no labels, so there is no graph. Add a source of triples (kg)."
        )
    table = dataset.catalog.table
    first, second = (c.TITLE_EN, c.TITLE) if language == "en" else (c.TITLE, c.TITLE_EN)
    titles = table.select(pl.when(pl.col(first) != "").then(first).otherwise(second).alias("title"))["title"]
    names = graph.english if language == "en" else {}
    return Knowledge.of(graph, dataset.space, table[c.ITEM].to_list(), titles.to_list(), names)


def stated(dataset: JointDataset) -> TripleGraph:
    """The triples as the sources gave them, without labels: what a report counts."""
    return dataset.side.graph or TripleGraph.empty(dataset.space.n_items)


def node_named(graph: Knowledge, name: str) -> int:
    """The node of a name: "domain:id", an entity's name with or without its kind, or an item's title.

    Raises:
        UsageError: nothing is called so, or several things are.
    """
    nodes, wanted = graph.nodes, normalised(name)
    keys = nodes.keys()
    exact = [node for node, key in enumerate(keys) if key == name]
    near = exact or [
        node for node, key in enumerate(keys) if wanted in {normalised(key), normalised(nodes.title(node))}
    ]
    if len(near) == 1:
        return near[0]
    if near:
        listed = ", ".join(keys[node] for node in near[:8])
        raise UsageError(
            "'{name}' is the name of {count} things; say which: {known}", name=name, count=len(near), known=listed
        )
    known = [title for title in map(nodes.title, reversed(range(len(keys)))) if title]
    raise UsageError(
        "nothing in the graph is called '{name}'{hint}", name=name[:80], hint=suggest(name[:80], known[:50_000])
    )


def drawn(dataset: JointDataset, config: GraphConfig) -> Drawn:
    """What linking and texts would add to the triples of the snapshot.

    Raises:
        MissingExtraError: `fuzzy` without rapidfuzz.
    """
    return draw(dataset.knowledge(), dataset.catalog.table, config)


def items_named(graph: Knowledge, names: Sequence[str]) -> list[int]:
    """The items of several names.

    Raises:
        UsageError: one is no item.
    """
    found = [node_named(graph, name) for name in names]
    for node, name in zip(found, names, strict=True):
        if node >= graph.network.n_items:
            raise UsageError("'{name}' is no item; a path leads from items to an item", name=name)
    return found
