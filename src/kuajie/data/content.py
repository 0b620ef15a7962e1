"""Content: which items that people have used stand for one that nobody has used yet.

Those of its brand and category; where there is none, of its category, else of its brand. Nothing is said of an item
that has neither (`data.starts` asks its texts too).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.records import Item
from kuajie.data.catalog import Catalog

Key = tuple[str, str, str]
"""Domain, brand, category; empty where it does not matter."""
WORD_BYTES = 200
"""Longer names of groups are cut before they are shown."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Items of one domain that stand together for an unknown one.

    Attributes:
        items: int32 (n,), n >= 1, joint numbers, the most used first.
        label: what they have in common, in the words of the catalogue.
    """

    items: npt.NDArray[np.int32]
    label: str


class BrandAndCategory:
    """Neighbours by equal brand and category.

    Items that share a group get the same `Neighbours` object.

    Args:
        catalog: all items of a snapshot.
        support: (n_items,), how often each was used; those with 0 stand for nothing.
    """

    def __init__(self, catalog: Catalog, support: npt.NDArray[np.float64]) -> None:
        used = (
            catalog.table.select(c.DOMAIN, c.BRAND, c.CATEGORY)
            .with_columns(number=pl.Series(np.arange(len(support), dtype=np.int32)), support=pl.Series(support))
            .filter((pl.col("support") > 0) & ((pl.col(c.BRAND) != "") | (pl.col(c.CATEGORY) != "")))
            .sort("support", descending=True, maintain_order=True)
        )
        self._groups: dict[Key, Neighbours] = {}
        for names in ((c.BRAND, c.CATEGORY), (c.CATEGORY,), (c.BRAND,)):
            known = used.filter(pl.all_horizontal(pl.col(name) != "" for name in names))
            for row in known.group_by(c.DOMAIN, *names, maintain_order=True).agg("number").iter_rows(named=True):
                key = (row[c.DOMAIN], row.get(c.BRAND, ""), row.get(c.CATEGORY, ""))
                label = " ".join(row[name] for name in names)
                self._groups[key] = Neighbours(np.array(row["number"], np.int32), cut(label))

    def neighbours(self, item: Item) -> Neighbours | None:
        """The used items that stand for this one; None where there is none."""
        for key in self._keys(item):
            found = self._groups.get(key)
            if found is not None:
                return found
        return None

    @staticmethod
    def _keys(item: Item) -> Iterable[Key]:
        if item.brand and item.category:
            yield item.domain, item.brand, item.category
        if item.category:
            yield item.domain, "", item.category
        if item.brand:
            yield item.domain, item.brand, ""


def cut(text: str, most: int = WORD_BYTES) -> str:
    """At most so many bytes of a text, whole characters."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= most else data[:most].decode("utf-8", "ignore") + "…"
