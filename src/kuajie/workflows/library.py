"""The library: everything that can be found by words.

    snapshot's items  +  items that arrived since  ->  items          triples of the knowledge graph  ->  things

It is read when it is first needed, or after the start by a thread, and never changes afterwards: what arrives makes a
new one, whose new items lie in a small index of their own under the statistics of the large one.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import StoreError
from kuajie.core.records import Item
from kuajie.core.search import Document, SearchIndex
from kuajie.data.catalog import Catalog
from kuajie.text.bm25 import bm25
from kuajie.workflows.knowledge import Things, things
from kuajie.workflows.stores import CatalogueStore

log = logging.getLogger("kuajie.find")
FIELDS: Mapping[str, float] = {c.TITLE: 3, c.TITLE_EN: 3, c.CATEGORY: 2, c.BRAND: 2, c.ATTRIBUTES: 1, c.ITEM: 1}
"""What of an item is searched, and what a match there counts."""
MOST_NEW = 50_000
"""Items that arrived since the snapshot and can be found; of more the newest."""
IDLE = 10
"""New items are indexed again after so many times the seconds that it took: a bulk load must not keep doing it."""
MakeIndex = Callable[[Sequence[Document], Mapping[str, float]], SearchIndex]


@dataclass(frozen=True, eq=False)
class Library:
    """What can be found now.

    Numbers below `catalog.space.n_items` are the catalogue's; those from there on are new items.

    Attributes:
        catalog: of the snapshot.
        index: of its items.
        things: of the knowledge graph.
        new: items that arrived since, or are not what they were.
        new_index: of those.
        stale: numbers of the catalogue that one of the new items replaces.
        domain: int32, of each number, its place among the catalogue's domains.
        category: int32, of each number, its place in `categories`.
        categories: names.
    """

    catalog: Catalog
    index: SearchIndex
    things: Things
    domain: npt.NDArray[np.int32]
    category: npt.NDArray[np.int32]
    categories: tuple[str, ...]
    new: tuple[Item, ...] = ()
    new_index: SearchIndex | None = None
    stale: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, catalog: Catalog, knowledge: pl.DataFrame, make: MakeIndex) -> "Library":
        """Read a snapshot's items and triples."""
        names = catalog.table[c.CATEGORY].unique(maintain_order=True)
        numbers = catalog.table[c.CATEGORY].cast(pl.Enum(names)).to_physical()
        sizes = catalog.space.sizes
        return cls(
            catalog=catalog,
            index=make(documents(catalog.table), FIELDS),
            things=things(knowledge, catalog, make),
            domain=np.repeat(np.arange(len(sizes)), sizes).astype(np.int32),
            category=numbers.to_numpy().astype(np.int32),
            categories=tuple(names.to_list()),
        )

    def with_new(self, items: Sequence[Item]) -> "Library":
        """The same snapshot with other new items."""
        space, n_items = self.catalog.space, self.catalog.space.n_items
        places = {name: place for place, name in enumerate(self.categories)}
        domain = [space.index(item.domain) for item in items]
        category = [places.setdefault(item.category, len(places)) for item in items]
        known = [number_of(self.catalog, item) for item in items]
        return replace(
            self,
            new=tuple(items),
            new_index=self.index.extended([document(item) for item in items]),
            stale=np.array([number for number in known if number is not None], np.int64),
            domain=np.concatenate([self.domain[:n_items], domain]).astype(np.int32),
            category=np.concatenate([self.category[:n_items], category]).astype(np.int32),
            categories=tuple(places),
        )

    def find(self, query: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Numbers and scores of the items that a query matches."""
        found = self.index.find(query)
        numbers, scores = found.documents, found.scores
        if self.new_index is not None:
            kept = ~np.isin(numbers, self.stale)
            more = self.new_index.find(query)
            numbers = np.concatenate([numbers[kept], more.documents + self.catalog.space.n_items])
            scores = np.concatenate([scores[kept], more.scores])
        return self._with_ids(query.strip(), numbers, scores)

    def number(self, domain: str, item: str) -> int | None:
        """The number of an item, as it is now."""
        place = self._new_places.get((domain, item))
        if place is not None:
            return self.catalog.space.n_items + place
        known = domain in self.catalog.ids and item in self.catalog.ids[domain]
        return self.catalog.number(domain, item) if known else None

    @cached_property
    def _new_places(self) -> dict[tuple[str, str], int]:
        return {(item.domain, item.item): place for place, item in enumerate(self.new)}

    def item(self, number: int) -> Item:
        """The record of a number."""
        n_items = self.catalog.space.n_items
        return self.catalog.item(number) if number < n_items else self.new[number - n_items]

    def _with_ids(
        self, query: str, numbers: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Who asks for an id gets what has it first, whatever words it is made of."""
        named = (self.number(domain, query) for domain in self.catalog.space.domains)
        exact = [number for number in named if number is not None]
        if not exact:
            return numbers, scores
        best = 2 * scores.max(initial=np.float32(0.5))
        others = ~np.isin(numbers, exact)
        return (
            np.concatenate([np.array(exact, np.int64), numbers[others]]),
            np.concatenate([np.full(len(exact), best, np.float32), scores[others]]),
        )


class Shelves:
    """The library of one snapshot, kept up to date.

    Args:
        catalog: of the snapshot.
        knowledge: reads its triples.
        store: where new items arrive; None: there is no store.
        make: makes an index.
        monotonic: seconds.
    """

    def __init__(
        self,
        catalog: Catalog,
        knowledge: Callable[[], pl.DataFrame],
        store: CatalogueStore | None = None,
        make: MakeIndex = bm25,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog, self._knowledge, self._make = catalog, knowledge, make
        self._store, self._monotonic = store, monotonic
        self._building, self._reading = threading.Lock(), threading.Lock()
        self._library: Library | None = None
        self._new: dict[tuple[str, str], Item] = {}
        self._sequence, self._indexed, self._not_before = 0, 0, 0.0

    @property
    def ready(self) -> Library | None:
        """What can be found, if it was read."""
        return self._library

    def library(self) -> Library:
        """What can be found; read now if nobody has."""
        with self._building:
            if self._library is None:
                self._library = Library.of(self._catalog, self._knowledge(), self._make)
            return self._library

    def restock(self) -> None:
        """`look`, where nobody waits for it: a failure is logged, and the next look tries again."""
        try:
            self.look()
        except StoreError:
            pass  # whoever reads the tail says so
        except Exception:
            log.exception("what can be searched could not be read")

    def look(self) -> None:
        """Take in what arrived in the store since the last look; the first look takes in everything.

        Raises:
            StoreError: the store does not answer; the next look goes on where this one stopped.
        """
        library = self.library()
        if self._store is None:
            return
        with self._reading:
            try:
                self._read(self._store)
            finally:
                if self._sequence != self._indexed and self._monotonic() >= self._not_before:
                    self._index(library)

    def _read(self, store: CatalogueStore) -> None:
        while changes := store.items_after(self._sequence):
            for change in changes:
                self._take(change.value)
            self._sequence = changes[-1].sequence

    def _take(self, item: Item) -> None:
        if item.domain not in self._catalog.space.domains:
            return
        key = (item.domain, item.item)
        self._new.pop(key, None)
        number = number_of(self._catalog, item)
        if number is None or self._catalog.item(number) != item:
            self._new[key] = item
            if len(self._new) > MOST_NEW:
                del self._new[next(iter(self._new))]

    def _index(self, library: Library) -> None:
        began = self._monotonic()
        if self._new or library.new:
            self._library = library.with_new(tuple(self._new.values()))
        self._indexed = self._sequence
        self._not_before = self._monotonic() + IDLE * (self._monotonic() - began)


def number_of(catalog: Catalog, item: Item) -> int | None:
    """The number of an item that the snapshot knows too."""
    return catalog.number(item.domain, item.item) if item.item in catalog.ids[item.domain] else None


def document(item: Item) -> Document:
    """What of an item is searched."""
    return {
        c.TITLE: item.title,
        c.TITLE_EN: item.title_en,
        c.CATEGORY: item.category,
        c.BRAND: item.brand,
        c.ATTRIBUTES: " ".join(item.attributes.values()),
        c.ITEM: item.item,
    }


def documents(table: pl.DataFrame) -> Sequence[Document]:
    """The same of every row of a catalogue's table."""
    known: dict[str, str] = {"": ""}
    for text in table[c.ATTRIBUTES].unique():
        values = msgspec.json.decode(text).values() if text else ()
        known[text] = " ".join(str(value) for value in values if value is not None)
    texts = [known[text] for text in table[c.ATTRIBUTES]]
    return table.select(*FIELDS).with_columns(pl.Series(c.ATTRIBUTES, texts, pl.String())).to_dicts()
