"""Starts: which used items a new one starts from: those whose texts are nearest, and those of its brand and category.

    weight of a near text = likeness^2,  weight of all items of its kind together = kind_weight,  shares = weights / sum

Likeness is the cosine of TF-IDF of words. So the kind decides where texts say little, as a prior does where there are
few observations, and texts decide where they are near.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.records import Item
from kuajie.data.catalog import Catalog
from kuajie.data.content import BrandAndCategory, Neighbours
from kuajie.numerics.products import sparse_product
from kuajie.numerics.pruning import pruned
from kuajie.text.tfidf import Tfidf, TfidfConfig

F64 = npt.NDArray[np.float64]
LEAST_LIKENESS = 0.25
"""Texts that are less alike share a common word or a number, and nothing more."""
ENCODER = TfidfConfig(most_share=1.0)
"""Words of whole domains stay in: they are known, and weigh little."""
MOST_CHARACTERS = 4_000
"""Of what is said of one item; more is not read."""
NOTHING = np.empty(0, np.int32), np.empty(0)
"""No text is near."""


@dataclass(frozen=True, eq=False)
class Start:
    """What a new item starts from; all shares together are 1.

    Attributes:
        kind: items of its brand and category, which count alike; None: there are none.
        kind_share: of them together.
        items: int32 (n,), joint numbers of the nearest texts, nearest first.
        shares: float64 (n,), theirs.
    """

    kind: Neighbours | None
    kind_share: float
    items: npt.NDArray[np.int32]
    shares: F64

    def heaviest(self, most: int) -> npt.NDArray[np.int32]:
        """The items with the largest shares, of equal ones the nearest, then the most used: int32 (<= most,)."""
        if self.kind is None:
            return self.items[:most]
        numbers = np.array(list(dict.fromkeys([*self.items.tolist(), *self.kind.items[:most].tolist()])), np.int32)
        shares = np.isin(numbers, self.kind.items) * (self.kind_share / len(self.kind.items))
        shares[: len(self.items)] += self.shares
        return numbers[np.argsort(-shares, kind="stable")[:most]]


class Starts:
    """Finds starts (`workflows.new_items.ContentModel`). Items that cannot be told apart get one object.

    Args:
        catalog: all items of a snapshot; its texts are the vocabulary.
        support: (n_items,), how often each was used; those with 0 stand for nothing.
        nearest: texts that count for an item; 0: brand and category alone.
        kind_weight: what brand and category together count, against 1 for an equal text.
        most_texts: of each domain that are read, of the most used items.
    """

    def __init__(
        self,
        catalog: Catalog,
        support: F64,
        nearest: int = 10,
        kind_weight: float = 2.0,
        most_texts: int = 50_000,
    ) -> None:
        self._kinds = BrandAndCategory(catalog, support)
        self._nearest, self._kind_weight = nearest, kind_weight
        self._texts: dict[str, tuple[npt.NDArray[np.int32], sparse.csr_array]] = {}
        self._made: WeakValueDictionary[tuple[object, ...], Start] = WeakValueDictionary()
        if nearest:
            parts = [catalog.space.slice(domain) for domain in catalog.space.domains]
            read = np.concatenate([part.start + _most_used(support[part], most_texts) for part in parts])
            self._encoder, rows = Tfidf.fit_encode(ENCODER, [text_of(item) for item in catalog.items(read)])
            for domain, part in zip(catalog.space.domains, parts, strict=True):
                places = np.flatnonzero((read >= part.start) & (read < part.stop) & (support[read] > 0))
                self._texts[domain] = read[places].astype(np.int32), sparse.csr_array(rows[places].T)

    def of(self, items: Sequence[Item], *, texts: bool = True) -> list[Start | None]:
        """The start of each item, by its text too or by brand and category alone; None where nothing can be said."""
        found: list[Start | None] = [None] * len(items)
        for domain in {item.domain for item in items}:
            places = [place for place, item in enumerate(items) if item.domain == domain]
            own = [items[place] for place in places]
            near = self._near(domain, own) if texts else [NOTHING] * len(own)
            for place, item, nearest in zip(places, own, near, strict=True):
                found[place] = self._start(self._kinds.neighbours(item), *nearest)
        return found

    def _near(self, domain: str, items: Sequence[Item]) -> Iterator[tuple[npt.NDArray[np.int32], F64]]:
        """Numbers and likenesses of the nearest texts of each item, nearest first."""
        used, columns = self._texts.get(domain, (np.empty(0, np.int32), None))
        if columns is None or not len(used):
            yield from ((used[:0], np.empty(0)) for _ in items)
            return
        rows, width = self._encoder.encode_whole([text_of(item) for item in items]), len(used)

        def products(low: int, high: int) -> npt.NDArray[np.float32]:
            return sparse_product(rows[low:high], columns, slice(0, width))

        best = pruned(products, len(items), np.array([0, width]), self._nearest)
        for start, stop in zip(best.indptr[:-1].tolist(), best.indptr[1:].tolist(), strict=True):
            likeness = best.data[start:stop].astype(np.float64)
            order = np.argsort(-likeness, kind="stable")
            order = order[likeness[order] >= LEAST_LIKENESS]
            yield used[best.indices[start:stop][order]], likeness[order]

    def _start(self, kind: Neighbours | None, items: npt.NDArray[np.int32], likeness: F64) -> Start | None:
        weights, kind_weight = likeness**2, 0.0 if kind is None else self._kind_weight
        total = float(weights.sum()) + kind_weight
        if not total:
            return None
        key = (kind, items.tobytes(), weights.tobytes())
        made = self._made.get(key)
        if made is None:
            self._made[key] = made = Start(kind, kind_weight / total, items, weights / total)
        return made


def _most_used(support: F64, most: int) -> npt.NDArray[np.int64]:
    """Places of the most used, ascending."""
    return np.sort(np.argsort(-support, kind="stable")[:most])


def text_of(item: Item) -> str:
    """What is said of an item as one text, what is said twice once; attributes that are numbers say nothing."""
    told = (value for value in item.attributes.values() if not _is_number(value))
    said = dict.fromkeys(filter(None, (item.title, item.title_en, item.category, item.brand, *told)))
    return "\n".join(said)[:MOST_CHARACTERS]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
