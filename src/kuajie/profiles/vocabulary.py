"""What people's documents are made of: the items that they used, and the words of these items.

    document of a person = sum over distinct used items of (the item itself + text_weight x its words)

The words of one item count `text_weight` together, each by its rarity (inverse document frequency), so that a long
description says no more than a short title. An item that nobody used when the topics were found still has words.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core import columns as c
from kuajie.data.catalog import Catalog
from kuajie.text.tokens import document_terms

MOST_CHARACTERS = 2_000
"""Of one field of one item; of longer ones the beginning counts."""
WORDS_OF_ITEM = 16
"""The rarest words of an item are enough."""
TOO_COMMON = 0.3
"""Words of more than this share of the items say nothing."""
TEXTS = (c.TITLE, c.TITLE_EN, c.CATEGORY, c.BRAND, c.ATTRIBUTES)
_NUMBER = re.compile(r"[\d.]+")
Bag = Counter[str]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Terms: items first, then words.

    Attributes:
        items: (domain, id) of the items that are told apart.
        words: that are told apart.
        rarity: float32 (words,), the inverse document frequency of each.
        text_weight: what the words of an item count together.
    """

    items: tuple[tuple[str, str], ...]
    words: tuple[str, ...]
    rarity: npt.NDArray[np.float32]
    text_weight: float

    @property
    def size(self) -> int:
        """Number of terms."""
        return len(self.items) + len(self.words)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def terms(self, catalog: Catalog) -> sparse.csr_array:
        """What each item of a catalogue adds to a document: float32 (n_items, terms)."""
        known = {name: place for place, name in enumerate(self.items)}
        rows, columns, values = [], [], []
        names = zip(catalog.table[c.DOMAIN], catalog.table[c.ITEM], strict=True)
        for number, (name, bag) in enumerate(zip(names, bags(catalog), strict=True)):
            place = known.get(name)
            if place is not None:
                rows.append(number)
                columns.append(place)
                values.append(1.0)
            words, shares = self._weighed(bag)
            rows += [number] * len(words)
            columns += words
            values += shares
        shape = (catalog.space.n_items, self.size)
        return sparse.csr_array((np.array(values, np.float32), (rows, columns)), shape=shape)

    def _weighed(self, bag: Bag) -> tuple[list[int], list[float]]:
        """Columns of an item's rarest words, and their shares of `text_weight`."""
        places = [self._places[word] for word in bag if word in self._places]
        if not places or not self.text_weight:
            return [], []
        rarest = sorted(places, key=lambda place: (-self.rarity[place], place))[:WORDS_OF_ITEM]
        shares = self.rarity[rarest]
        return [len(self.items) + place for place in rarest], (self.text_weight * shares / shares.sum()).tolist()


def make_vocabulary(
    catalog: Catalog, support: npt.NDArray[np.float64], most_items: int, most_words: int, text_weight: float
) -> Vocabulary:
    """The most used items, and the words that several items share, the most frequent first.

    Args:
        catalog: all items.
        support: (n_items,), how many people used each; items with 0 are not told apart.
        most_items: at most so many.
        most_words: at most so many.
        text_weight: see `Vocabulary`.
    """
    used = np.argsort(-support, kind="stable")[:most_items]
    items = tuple(catalog.name(number) for number in sorted(used[support[used] > 0].tolist()))
    found: Bag = Counter()
    for bag in bags(catalog):
        found.update(bag.keys())
    n = catalog.space.n_items
    shared = [(word, count) for word, count in found.items() if 2 <= count <= max(2.0, TOO_COMMON * n)]
    chosen = sorted(shared, key=lambda pair: (-pair[1], pair[0]))[:most_words]
    rarity = np.log((1 + n) / np.array([count for _, count in chosen], np.float32))
    return Vocabulary(items, tuple(word for word, _ in chosen), rarity.astype(np.float32), text_weight)


def bags(catalog: Catalog) -> Sequence[Bag]:
    """The words of every item. Single characters and numbers are none: they are parts of words and of sizes."""
    return [
        Counter(_words("\n".join(text[:MOST_CHARACTERS] for text in (*texts, _values(attributes)))))
        for *texts, attributes in catalog.table.select(TEXTS).iter_rows()
    ]


def _values(attributes: str) -> str:
    values = msgspec.json.decode(attributes).values() if attributes else ()
    return " ".join(str(value) for value in values if value is not None)


def _words(text: str) -> list[str]:
    return [term for term in document_terms(text) if len(term) > 1 and not _NUMBER.fullmatch(term)]
