"""Side information: what is known of items beside who used them: texts, labels, numbers, vectors, and a graph.

All of it is numbered by the joint item space. Models that read it take it from `Interactions.side`; what is not known
of an item is an empty text, no label, NaN, or a row of NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.joint import joined
from kuajie.core.texts import Text


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of one kind, none, one or several for each item.

    Attributes:
        names: of the labels, distinct.
        matrix: bool (n_items, n_names), true where the item has the label.
    """

    names: tuple[str, ...]
    matrix: sparse.csr_array

    @classmethod
    def of(cls, values: Sequence[str | Sequence[str | None] | None]) -> "Labels":
        """From the labels of each item; empty ones and None are none. Names are numbered by first appearance."""
        numbers: dict[str, int] = {}
        rows = [[value] if isinstance(value, str) else list(value or ()) for value in values]
        distinct = [dict.fromkeys(str(name) for name in row if name is not None) for row in rows]
        codes = [[numbers.setdefault(name, len(numbers)) for name in row if name] for row in distinct]
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in codes])]).astype(np.int64)
        columns = np.array([code for row in codes for code in row], np.int32)
        matrix = sparse.csr_array((np.ones(len(columns), np.bool_), columns, indptr), shape=(len(rows), len(numbers)))
        matrix.sort_indices()
        return cls(tuple(numbers), matrix)


@dataclass(frozen=True, eq=False)
class TripleGraph:
    """Triples over entities; entities 0..n_items-1 are the items of the joint space, all others follow.

    Attributes:
        n_items: size of the joint item space.
        entities: names of the entities from `n_items` on, distinct.
        relations: names of the relations.
        heads, kinds, tails: int32 (n_triples,): entity, relation, entity.
        english: entity -> what English readers call it, where that is known.
    """

    n_items: int
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    heads: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int32]
    tails: npt.NDArray[np.int32]
    english: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, values, size in (
            (Text("heads"), self.heads, self.n_entities),
            (Text("tails"), self.tails, self.n_entities),
            (Text("relations"), self.kinds, len(self.relations)),
        ):
            if len(values) != len(self.heads) or (len(values) and not 0 <= values.min() <= values.max() < size):
                raise UsageError(
                    "a graph needs {count} {what} in 0..{last}", count=len(self.heads), what=what, last=size - 1
                )

    @classmethod
    def empty(cls, n_items: int) -> "TripleGraph":
        """Items, and nothing that is known of them."""
        none = np.zeros(0, np.int32)
        return cls(n_items, (), (), none, none, none)

    @property
    def n_entities(self) -> int:
        """Items and other entities."""
        return self.n_items + len(self.entities)

    @property
    def n_triples(self) -> int:
        """Edges, repeats included."""
        return len(self.heads)

    def both_ways(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Every triple as an edge from its head to its tail, then every one as an edge back: starts, ends, kinds."""
        starts = np.concatenate([self.heads, self.tails])
        return starts, np.concatenate([self.tails, self.heads]), np.tile(self.kinds, 2)


@dataclass(frozen=True, eq=False)
class SideInformation:
    """What is known of the items of a joint space.

    Attributes:
        n_items: size of the joint item space.
        texts: field ("title", "title_en", "category", "brand", "description", ...) -> one text for each item.
        labels: field ("category", "brand", an attribute) -> labels of each item.
        numbers: field ("price", a numeric attribute) -> float64 (n_items,).
        vectors: name ("image", "audio", ...) -> float32 (n_items, dimension).
        graph: triples, where there are any.
    """

    n_items: int
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, Labels] = field(default_factory=dict)
    numbers: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    vectors: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    graph: TripleGraph | None = None

    def __post_init__(self) -> None:
        sizes = {
            **{name: len(values) for name, values in self.texts.items()},
            **{name: found.matrix.shape[0] for name, found in self.labels.items()},
            **{name: len(values) for name, values in self.numbers.items()},
            **{name: len(values) for name, values in self.vectors.items()},
            **({"graph": self.graph.n_items} if self.graph else {}),
        }
        for name, size in sizes.items():
            if size != self.n_items:
                raise UsageError(
                    "side information '{name}' is of {got} items, the space has {n_items}",
                    name=name,
                    got=size,
                    n_items=self.n_items,
                )

    @cached_property
    def joint(self) -> TripleGraph:
        """Triples and labels as one graph, see `joint.joined`; without triples where there are neither."""
        return joined(self.graph or TripleGraph.empty(self.n_items), self.labels)
