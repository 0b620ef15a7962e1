"""How two items are connected: a thing of the knowledge graph that both lead to, or words that both titles hold.

A reason says which entry of a history carried an item; a link says why that makes sense. An item leads to the things
beside it and to what these lead to (course -> topic; product -> category -> topic). Of what two items share, the rarest
and nearest tells most:

    weight(item, thing) = sqrt(ln(n_items / items that lead to it)) * FURTHER ** (steps - 1)

and of words the rarest. Links are looked up for many pairs at once, in microseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.side import Labels, SideInformation, TripleGraph
from kuajie.numerics.network import pair_keys
from kuajie.numerics.shared import best_shared
from kuajie.text.tokens import document_terms, fold, fold_places, spans

FURTHER = 0.6
"""What a thing two steps away counts."""
MOST_SHARE = 0.2
"""Things that more of the items lead to say nothing."""
MOST_WORD_SHARE = 0.05
MOST_THINGS = 64
"""Things beside so many other things lead nowhere in particular."""
MOST_WORD_ITEMS = 50_000
"""Titles of larger catalogues are not read for words."""
MOST_KEPT = 50_000
"""Worded links that stay at hand."""
SHOWN_WORDS = 3
WORD_LETTERS = 3
"""Shorter English words are no link; a pair of ideographs is."""
_FUNCTION_WORDS = """
about after all and any are but before each for from has have how into its more most not off one our out over set that
the them they this two under what when why with without you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that titles share without being about the same thing."""
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Link:
    """Why two items belong together.

    Attributes:
        kind: a path of things, or shared words.
        via: relations and things in turn, from the first item to the second, which are left out; or the words.
    """

    kind: Literal["path", "words"]
    via: tuple[str, ...]

    @property
    def things(self) -> tuple[str, ...]:
        """What is passed on the way, or the words."""
        return self.via[1::2] if self.kind == "path" else self.via


@dataclass(frozen=True, eq=False)
class Shared:
    """A sparse matrix of items and what they lead to.

    Attributes:
        matrix: float32 CSR (n_items, n_things), ascending columns.
    """

    matrix: sparse.csr_array

    def between(self, first: Ints, second: Ints) -> Ints:
        """The best shared column of each pair; -1: none."""
        if not self.matrix.shape[1]:
            return np.full(len(first), -1, np.int32)
        return best_shared(
            self.matrix.indptr.astype(np.int64, copy=False), self.matrix.indices, self.matrix.data, first, second
        )


@dataclass(frozen=True, eq=False)
class Things:
    """The things of a graph and of labels, numbered together, and what leads to what.

    Attributes:
        names: of the things.
        relations: names of relations.
        beside: int32 CSR (n_items, n_things), 1 + the relation by which an item leads to a thing.
        onwards: int32 CSR (n_things, n_things), the same between things.
        english: what English readers call things, where that is known.
    """

    names: tuple[str, ...]
    relations: tuple[str, ...]
    beside: sparse.csr_array
    onwards: sparse.csr_array
    english: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, side: SideInformation) -> "Things":
        """Entities of the graph, and the labels of items that have no such graph."""
        graph = side.graph
        if graph is not None:
            return cls(graph.entities, graph.relations, *_edges(graph), graph.english)
        fields = [(name, labels) for name, labels in side.labels.items() if labels.names]
        return cls._of_labels(fields, side.n_items)

    @classmethod
    def _of_labels(cls, fields: Sequence[tuple[str, Labels]], n_items: int) -> "Things":
        names = tuple(label for _, labels in fields for label in labels.names)
        parts = [labels.matrix.astype(np.int32) * (1 + number) for number, (_, labels) in enumerate(fields)]
        empty = sparse.csr_array((n_items, 0), dtype=np.int32)
        beside = sparse.csr_array(sparse.hstack([empty, *parts], format="csr"))
        return cls(
            names, tuple(name for name, _ in fields), beside, sparse.csr_array((len(names),) * 2, dtype=np.int32)
        )

    @cached_property
    def shared(self) -> Shared:
        """Items and the things at one or two steps, by weight."""
        near, leads = ((matrix > 0).astype(np.float32) for matrix in (self.beside, self.onwards))
        n_items, size = max(near.shape[0], 1), near.shape[1]
        most = max(2, MOST_SHARE * n_items)
        narrow = np.diff(leads.indptr) <= MOST_THINGS
        hub = np.bincount(near.indices, minlength=size) > most
        middle = _diagonal(narrow & ~hub)  # what a hub leads to is reached by as many items: neither is in the product
        end = _diagonal(~(hub | (leads.T @ (hub & narrow).astype(np.float32) > 0)))
        far = (near @ middle @ leads @ end > 0).astype(np.float32)
        reached = sparse.csr_array((near @ end).maximum(FURTHER * far))
        reached.eliminate_zeros()
        holding = np.bincount(reached.indices, minlength=size)
        telling = (holding > 1) & (holding <= most)
        rarity = np.where(telling, np.sqrt(np.log(n_items / np.maximum(holding, 1)) + 1e-6), 0.0)
        weighed = sparse.csr_array(reached @ sparse.diags_array(rarity.astype(np.float32), format="csr"))
        weighed.eliminate_zeros()
        weighed.sort_indices()
        return Shared(weighed.astype(np.float32))

    def path(self, first: int, thing: int, second: int) -> tuple[str, ...]:
        """Relations and things from an item to another by way of a thing."""
        there, back = self._way(first, thing), self._way(second, thing)
        onwards = [self.names[thing] if step is None else step for step in there]
        return (*onwards, *reversed(back[:-1]))  # type: ignore[arg-type]

    def _way(self, item: int, thing: int) -> list[str | None]:
        """Relation, thing, relation, ... from an item to a thing, which is None."""
        near = _row(self.beside, item)
        if thing in near:
            return [self.relations[near[thing] - 1], None]
        for middle, relation in near.items():
            onwards = _row(self.onwards, middle)
            if len(onwards) <= MOST_THINGS and thing in onwards:
                return [self.relations[relation - 1], self.names[middle], self.relations[onwards[thing] - 1], None]
        raise AssertionError("the thing was reached")


def _edges(graph: TripleGraph) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Items to things, and things to things, both ways; of several relations the first counts."""
    heads, tails, kinds = graph.both_ways()
    kept = (tails >= graph.n_items) & (heads != tails)
    heads, tails, kinds = heads[kept], tails[kept], kinds[kept]
    _, place = np.unique(pair_keys(graph, heads, tails), return_index=True)
    heads, tails, kinds = heads[place], tails[place] - graph.n_items, kinds[place] + 1
    size = graph.n_entities - graph.n_items
    item = heads < graph.n_items
    beside = sparse.csr_array((kinds[item], (heads[item], tails[item])), shape=(graph.n_items, size))
    far = ~item
    onwards = sparse.csr_array((kinds[far], (heads[far] - graph.n_items, tails[far])), shape=(size, size))
    return beside, onwards


def _diagonal(mask: npt.NDArray[np.bool_]) -> sparse.csr_array:
    """A diagonal that keeps some rows or columns."""
    return sparse.csr_array(sparse.diags_array(mask.astype(np.float32), format="csr"))


def _row(matrix: sparse.csr_array, row: int) -> dict[int, int]:
    part = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return dict(zip(matrix.indices[part].tolist(), matrix.data[part].tolist(), strict=True))


def words_of(titles: Sequence[str]) -> Shared:
    """Titles and their rarer words: pairs of ideographs, and English words of at least `WORD_LETTERS` letters."""
    if len(titles) > MOST_WORD_ITEMS:
        return Shared(sparse.csr_array((len(titles), 0), dtype=np.float32))
    numbers: dict[str, int] = {}
    rows = [
        sorted({numbers.setdefault(t, len(numbers)) for t in document_terms(title) if is_word(t)}) for title in titles
    ]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    columns = np.array([number for row in rows for number in row], np.int32)
    holding = np.bincount(columns, minlength=len(numbers))
    n_items = max(len(titles), 1)
    telling = (holding > 1) & (holding <= max(2, MOST_WORD_SHARE * n_items))
    rarity = np.where(telling, np.sqrt(np.log(n_items / np.maximum(holding, 1)) + 1e-6), 0.0).astype(np.float32)
    matrix = sparse.csr_array((rarity[columns], columns, indptr), shape=(len(titles), len(numbers)))
    matrix.eliminate_zeros()
    return Shared(matrix)


def is_word(term: str) -> bool:
    """Whether a term tells something by itself."""
    long = len(term) >= WORD_LETTERS if term.isascii() else len(term) > 1
    return long and not term.isdigit() and term not in FUNCTION_WORDS


def shared_words(first: str, second: str) -> tuple[str, ...]:
    """The words of the second title that the first holds too, as written there, at most `SHOWN_WORDS`.

    Overlapping pairs of ideographs are one word.
    """
    known = {term for term in document_terms(first) if is_word(term)}
    folded, places = fold_places(second)
    runs: list[list[int]] = []
    for term, start, end in spans(folded):
        if term in known and is_word(term):
            if runs and start < runs[-1][1]:
                runs[-1][1] = max(end, runs[-1][1])
            else:
                runs.append([start, end])
    found = (second[places[start] : places[end - 1] + 1] for start, end in runs)
    distinct = {fold(word): word for word in found}
    return tuple(sorted(distinct.values(), key=len, reverse=True)[:SHOWN_WORDS])


@dataclass(frozen=True, eq=False)
class Links:
    """Looks up links between items of a catalogue.

    Attributes:
        things: of the graph.
        shared: items and things, `things.shared`.
        words: of the titles.
        titles: in the reader's language.
        names: of things in that language, where they are called otherwise there.
    """

    things: Things
    shared: Shared
    words: Shared
    titles: Sequence[str]
    names: Mapping[str, str] = field(default_factory=dict)
    _kept: dict[tuple[int, int], Link | None] = field(default_factory=dict)

    @classmethod
    def of(cls, things: Things, titles: Sequence[str], names: Mapping[str, str] | None = None) -> "Links":
        """Of a catalogue, in one language; `names` of things in it. Reads the whole graph and all titles."""
        return cls(things, things.shared, words_of(titles), titles, names or {})

    def retitled(self, number: int) -> None:
        """An item has another title: words of the old one are no link any more, those of the new one not yet."""
        row = slice(self.words.matrix.indptr[number], self.words.matrix.indptr[number + 1])
        self.words.matrix.data[row] = 0
        self._kept.clear()

    def between(self, used: Ints, items: Ints) -> list[Link | None]:
        """How each pair of joint item numbers is connected; None: no way that tells something."""
        things = self.shared.between(used, items)
        words = self.words.between(used, items)
        pairs = zip(used.tolist(), items.tolist(), things.tolist(), words.tolist(), strict=True)
        return [self._worded(*pair) if pair[2] >= 0 or pair[3] >= 0 else None for pair in pairs]

    def _worded(self, used: int, item: int, thing: int, word: int) -> Link | None:
        key = (used, item)
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = self._made(used, item, thing, word)
        return self._kept[key]

    def _made(self, used: int, item: int, thing: int, word: int) -> Link | None:
        if thing >= 0:
            return Link("path", self.things.path(used, thing, item))
        words = shared_words(self.titles[used], self.titles[item]) if word >= 0 else ()
        return Link("words", words) if words else None
