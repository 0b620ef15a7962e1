"""Business ids outside, dense integers inside: the one translation point.

Text is kept exactly: `007`, ` 7` and `７` are three ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.core.errors import UsageError
from kuajie.core.records import Item
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text

ITEM_COLUMNS = {
    c.DOMAIN: pl.String(),
    c.ITEM: pl.String(),
    c.TITLE: pl.String(),
    c.TITLE_EN: pl.String(),
    c.CATEGORY: pl.String(),
    c.BRAND: pl.String(),
    c.PRICE: pl.Float64(),
    c.ATTRIBUTES: pl.String(),
}


class IdMap:
    """Business id <-> int32, frozen.

    Args:
        ids: all different; the position is the number.
        what: what they are, for errors.
    """

    def __init__(self, ids: Iterable[str], what: str = Text("id")) -> None:
        self._ids = tuple(ids)
        self._what = what
        if len(self._numbers) != len(self._ids):
            raise UsageError(
                "every {what} must occur once, got {got} repeats", what=what, got=len(self._ids) - len(self._numbers)
            )

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._numbers

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {text: number for number, text in enumerate(self._ids)}

    @property
    def all(self) -> tuple[str, ...]:
        """Every id, in the order of the numbers."""
        return self._ids

    def number(self, id: str) -> int:
        """The number of an id.

        Raises:
            UsageError: it is not known.
        """
        try:
            return self._numbers[id]
        except KeyError:
            raise UsageError(
                "there is no {what} '{got}'; ids are compared exactly, as text", what=self._what, got=id[:80]
            ) from None

    def numbers(self, ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Numbers of ids, -1 where one is not known."""
        return np.fromiter((self._numbers.get(text, -1) for text in ids), np.int32, len(ids))

    def id(self, number: int) -> str:
        """The id of a number."""
        if not 0 <= number < len(self._ids):
            raise UsageError(
                "{what} numbers lie in 0..{last}, got {number}", what=self._what, last=len(self._ids) - 1, number=number
            )
        return self._ids[number]

    def names(self, numbers: Iterable[int]) -> list[str]:
        """The ids of numbers."""
        return [self.id(int(number)) for number in numbers]


@dataclass(frozen=True, eq=False)
class Catalog:
    """All items of all domains.

    Attributes:
        space: the joint item space.
        ids: of each domain, numbered inside the domain.
        table: one row for each item, in the order of the joint space; columns `ITEM_COLUMNS`.
    """

    space: ItemSpace
    ids: Mapping[str, IdMap]
    table: pl.DataFrame

    @classmethod
    def of(cls, items: pl.DataFrame, domains: Sequence[str]) -> "Catalog":
        """From items grouped by domain, in the order of `domains`.

        Args:
            items: at least `domain` and `item`; what is missing is empty.
            domains: all of them, also one without items.

        Raises:
            UsageError: an item occurs twice, or a domain is not listed.
        """
        filled = [
            items[name].cast(kind)
            if name in items.columns
            else pl.Series(name, [None], kind).new_from_index(0, len(items))
            for name, kind in ITEM_COLUMNS.items()
        ]
        table = pl.DataFrame(filled).with_columns(pl.col(pl.String).fill_null(""))
        parts = {name: table.filter(pl.col(c.DOMAIN) == name)[c.ITEM].to_list() for name in domains}
        expected = [name for name in domains for _ in parts[name]]
        if table[c.DOMAIN].to_list() != expected:
            raise UsageError("items must be grouped by domain, in the order {known}", known=", ".join(domains))
        ids = {name: IdMap(part, Text("item of {domain}", domain=name)) for name, part in parts.items()}
        space = ItemSpace(tuple(domains), tuple(len(part) for part in ids.values()))
        return cls(space, ids, table)

    def number(self, domain: str, item: str) -> int:
        """The joint number of an item.

        Raises:
            UsageError: no such domain or item.
        """
        part = self.space.slice(domain)
        return int(part.start) + self.ids[domain].number(item)

    def name(self, number: int) -> tuple[str, str]:
        """Domain and id of a joint number."""
        domain = self.space.domains[int(self.space.domain_of(np.array([number]))[0])]
        return domain, self.ids[domain].id(number - self.space.slice(domain).start)

    def item(self, number: int) -> Item:
        """The record of a joint number."""
        return self.items(np.array([number]))[0]

    def items(self, numbers: npt.NDArray[np.integer]) -> list[Item]:
        """The records of joint numbers, much faster than one by one."""
        return [_item(row) for row in self.table[numbers].iter_rows(named=True)]

    def titles(self, language: str | None = None) -> list[str]:
        """A title for each joint number, the English one for "en"; the other where there is but one; else the id."""
        names = (c.TITLE_EN, c.TITLE) if language == "en" else (c.TITLE, c.TITLE_EN)
        given = [pl.when(pl.col(name).str.len_bytes() > 0).then(name) for name in names]
        return self.table.select(pl.coalesce(*given, c.ITEM)).to_series().to_list()


def _item(row: Mapping[str, Any]) -> Item:
    attributes = msgspec.json.decode(row[c.ATTRIBUTES]) if row[c.ATTRIBUTES] else {}
    return Item(
        domain=row[c.DOMAIN],
        item=row[c.ITEM],
        title=row[c.TITLE],
        title_en=row[c.TITLE_EN],
        category=row[c.CATEGORY],
        brand=row[c.BRAND],
        price=row[c.PRICE],
        attributes={key: str(value) for key, value in attributes.items() if value is not None},
    )
