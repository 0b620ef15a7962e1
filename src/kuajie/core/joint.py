"""Triples and labels of items as one graph (used by `side.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kuajie.core.names import normalised

if TYPE_CHECKING:
    from kuajie.core.side import Labels, TripleGraph

I64 = npt.NDArray[np.int64]


def joined(graph: "TripleGraph", labels: Mapping[str, "Labels"]) -> "TripleGraph":
    """The graph with an entity for every label of an item; given triples come first, as they are.

    A label is the entity that is called "field:label", or the one called "label" where a triple joins that one to an
    item with the label. Only pairs that no triple joins get one, whose relation is the field.
    """
    if not labels:
        return graph
    joining = _Joining.of(graph, 1 + graph.n_entities + sum(len(each.names) for each in labels.values()))
    heads, kinds, tails, relations = [graph.heads], [graph.kinds], [graph.tails], list(graph.relations)
    for name, each in labels.items():
        items, ends = joining.new_pairs(name, each)
        if name not in relations:
            relations.append(name)
        heads.append(items.astype(np.int32))
        kinds.append(np.full(len(items), relations.index(name), np.int32))
        tails.append(ends.astype(np.int32))
    return replace(
        graph,
        entities=tuple(joining.entities),
        relations=tuple(relations),
        heads=np.concatenate(heads),
        kinds=np.concatenate(kinds),
        tails=np.concatenate(tails),
    )


@dataclass
class _Joining:
    """What grows from field to field: entities, their numbers by name, and which pairs of nodes are joined."""

    n_items: int
    stride: int
    entities: list[str]
    numbers: dict[str, int]
    pairs: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, graph: "TripleGraph", stride: int) -> "_Joining":
        numbers: dict[str, int] = {}
        for number, name in enumerate(graph.entities, graph.n_items):
            numbers.setdefault(normalised(name), number)
        heads, tails = graph.heads.astype(np.int64), graph.tails.astype(np.int64)
        pairs = np.concatenate([heads * stride + tails, tails * stride + heads])
        return cls(graph.n_items, stride, list(graph.entities), numbers, pairs)

    def new_pairs(self, field_name: str, labels: "Labels") -> tuple[I64, I64]:
        """Items and entities that the labels of one field join, where nothing did."""
        matrix = labels.matrix.tocoo()
        items, codes = matrix.coords[0].astype(np.int64), matrix.coords[1]
        bare = np.array([self.numbers.get(normalised(name), -1) for name in labels.names], np.int64)
        said = np.isin(items * self.stride + bare[codes], self.pairs) & (bare[codes] >= 0)
        bare[~np.isin(bare, bare[codes[said]])] = -1
        ends = self._entities(field_name, labels, bare)[codes]
        keys = items * self.stride + ends
        new = ~np.isin(keys, self.pairs)
        self.pairs = np.concatenate([self.pairs, keys[new]])
        return items[new], ends[new]

    def _entities(self, field_name: str, labels: "Labels", bare: I64) -> I64:
        """The entity of each label; what is none yet becomes one."""
        found = np.empty(len(labels.names), np.int64)
        for place, name in enumerate(labels.names):
            full = f"{field_name}:{name}"
            number = self.numbers.get(normalised(full), int(bare[place]))
            if number < 0:
                number = self.numbers[normalised(full)] = self.n_items + len(self.entities)
                self.entities.append(full)
            found[place] = number
        return found
