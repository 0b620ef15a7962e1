"""Things of the knowledge graph: brands, topics, categories, whatever triples lead to, found by their names.

A thing is a head or a tail that is no item. Graphs of all domains are one: what two domains name alike is one thing,
which is how a topic of courses leads to products.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kuajie.core import columns as c
from kuajie.core.records import Triple
from kuajie.core.search import Document, SearchIndex
from kuajie.data.catalog import Catalog

FIELDS: Mapping[str, float] = {"name": 1.0, "name_en": 1.0, "relation": 0.3}
"""What of a thing is searched: its names, and how it is related to others."""
EXAMPLES = 3
"""Triples of a thing that are shown, of each domain in turn."""


@dataclass(frozen=True)
class Thing:
    """One thing that a query found.

    Attributes:
        name: as the triples write it.
        relations: how it is reached or what leads from it.
        domains: whose triples name it, and how many of each.
        triples: examples.
        score: of the text.
    """

    name: str
    relations: tuple[str, ...]
    domains: Mapping[str, int]
    triples: tuple[Triple, ...]
    score: float


@dataclass(frozen=True, eq=False)
class Things:
    """All things of the graph.

    Attributes:
        names: one for each document of the index.
        relations: theirs.
        rows: places of their triples, in the order of the domains.
        triples: domain, head, relation, tail of each.
        index: of the names.
    """

    names: tuple[str, ...]
    relations: tuple[tuple[str, ...], ...]
    rows: tuple[Sequence[int], ...]
    triples: Sequence[tuple[str, str, str, str]]
    index: SearchIndex

    def find(self, query: str, domains: Sequence[str], most: int) -> list[Thing]:
        """The best things for a query; of two that fit alike the one that is named more often.

        Args:
            query: in words.
            domains: whose triples count.
            most: things.
        """
        found = self.index.find(query)
        numbered = zip(found.scores.tolist(), found.documents.tolist(), strict=True)
        ordered = sorted(numbered, key=lambda pair: (-round(pair[0], 2), -len(self.rows[pair[1]]), pair[1]))
        things: list[Thing] = []
        for score, number in ordered:
            if len(things) == most:
                break
            thing = self._thing(number, score, domains)
            if thing.domains:
                things.append(thing)
        return things

    def _thing(self, number: int, score: float, domains: Collection[str]) -> Thing:
        counts: dict[str, int] = {}
        shown: list[tuple[int, int]] = []
        for row in self.rows[number]:
            domain = self.triples[row][0]
            if domain in domains:
                shown.append((counts.get(domain, 0), row))  # one of each domain before the second of any
                counts[domain] = counts.get(domain, 0) + 1
        examples = tuple(
            Triple(domain=domain, head=head, relation=relation, tail=tail)
            for domain, head, relation, tail in (self.triples[row] for _, row in sorted(shown)[:EXAMPLES])
        )
        return Thing(self.names[number], self.relations[number], counts, examples, score)


def things(
    triples: pl.DataFrame, catalog: Catalog, make: Callable[[Sequence[Document], Mapping[str, float]], SearchIndex]
) -> Things:
    """Everything that triples name and that is no item of its domain."""
    rows: dict[str, list[int]] = {}
    named_en = pl.col(c.RELATION) == c.NAME_EN
    english = dict(triples.filter(named_en).select(c.HEAD, c.TAIL).iter_rows())
    listed = triples.filter(~named_en).rows()
    relations: dict[str, dict[str, None]] = {}
    for row, (domain, head, relation, tail) in enumerate(listed):
        for name in dict.fromkeys((head, tail)):
            if domain not in catalog.ids or name in catalog.ids[domain]:
                continue
            rows.setdefault(name, []).append(row)
            relations.setdefault(name, {})[relation] = None
    documents = [
        {"name": name, "name_en": english.get(name, ""), "relation": " ".join(relations[name])} for name in rows
    ]
    return Things(
        names=tuple(rows),
        relations=tuple(tuple(relations[name]) for name in rows),
        rows=tuple(rows.values()),
        triples=listed,
        index=make(documents, FIELDS),
    )
