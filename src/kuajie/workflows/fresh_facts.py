"""Fresh facts: what was said of items since the snapshot, as far as business rules read it.

`PUT /v1/items` -> this process at once, others with their next look at the store -> facts of the item -> rules

The newest record of an item replaces all that the snapshot says of it, as the next import will; what it does not name
is not known.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kuajie.core import columns as c
from kuajie.core.records import Item
from kuajie.data.catalog import Catalog
from kuajie.numerics.jit import I32
from kuajie.rerank.base import Items
from kuajie.rerank.pipeline import RerankConfig
from kuajie.rerank.rules import RulesConfig
from kuajie.workflows.item_facts import finite_numbers, groups_of, labels_of, words_of

MOST_ARRIVED = 200_000
"""Items that the catalogue does not hold; of more the oldest are forgotten, and then nothing is known of them."""
POPULARITY = "popularity"
Values = tuple[str, ...]


class FreshFacts:
    """See the module.

    Args:
        config: whose rules say what must be known.
        catalog: numbers items.
        items: what the snapshot says, whence popularity comes.
    """

    def __init__(self, config: RerankConfig, catalog: Catalog, items: Items) -> None:
        rules = [step for step in config.steps if isinstance(step, RulesConfig)]
        self._numeric = numeric_of(config)
        self._labels = dict.fromkeys(name for step in rules for name in (*step.only, *step.never))
        self._groups = dict.fromkeys(step.regions for step in rules if step.regions)
        self._names = tuple(dict.fromkeys([*self._numeric, *self._labels, *self._groups]))
        self._catalog, self._items = catalog, items
        self._changed = np.zeros(catalog.space.n_items, bool)
        self._known: dict[int, Values] = {}
        self._arrived: dict[tuple[str, str], Values] = {}
        self._lock = threading.Lock()

    def learn(self, items: Iterable[Item]) -> None:
        """Items as they are now."""
        if not self._names:
            return
        with self._lock:
            for item in items:
                values = tuple(_word(item, name) for name in self._names)
                ids = self._catalog.ids.get(item.domain)
                if ids is not None and item.item in ids:
                    number = self._catalog.number(item.domain, item.item)
                    self._known[number] = values
                    self._changed[number] = True
                else:
                    self._arrived.pop((item.domain, item.item), None)
                    self._arrived[item.domain, item.item] = values
            while len(self._arrived) > MOST_ARRIVED:
                del self._arrived[next(iter(self._arrived))]

    def of(self, target: str, numbers: I32, id_of: Callable[[int], str]) -> tuple[I32, Items] | None:
        """What is known anew of some items; None: nothing.

        Args:
            target: their domain.
            numbers: (m,), in the joint space, -1 where the catalogue does not hold one.
            id_of: a place among them -> the item's id; asked where the number is -1.

        Returns:
            (m,) places in the facts, -1 where the snapshot still says what is known; and the facts.
        """
        if not (self._known or self._arrived):
            return None
        rows, found, known = np.full(len(numbers), -1, np.int32), list[Values](), list[int]()
        for place in np.flatnonzero((numbers < 0) | self._changed[numbers]).tolist():
            number = int(numbers[place])
            values = self._known.get(number) if number >= 0 else self._arrived.get((target, id_of(place)))
            if values is not None:
                rows[place] = len(found)
                found.append(values)
                known.append(number)
        return (rows, self._facts(found, np.array(known, np.int32))) if found else None

    def _facts(self, found: Sequence[Values], known: I32) -> Items:
        columns = dict(zip(self._names, zip(*found, strict=True), strict=True))
        numbers = {name: finite_numbers(columns[name], bad) for name, bad in self._numeric.items()}
        if POPULARITY in numbers:
            numbers[POPULARITY] = self._items.number(POPULARITY, known)
        return Items(
            labels={name: labels_of(columns[name]) for name in self._labels},
            groups={name: groups_of(words_of(columns[name])) for name in self._groups},
            numbers=numbers,
        )


def _word(item: Item, name: str) -> str:
    """What a record says under a name that a rule reads; empty: nothing."""
    match name:
        case c.CATEGORY:
            return item.category
        case c.BRAND:
            return item.brand
        case c.DOMAIN:
            return item.domain
        case c.PRICE:
            return "" if item.price is None else repr(item.price)
        case _:
            return item.attributes.get(name, "")


def numeric_of(config: RerankConfig) -> dict[str, float]:
    """Attributes that rules read as numbers, and what a text in them counts as that is none.

    A least age that nobody can read is one that nobody has; other numbers are not known.
    """
    rules = [step for step in config.steps if isinstance(step, RulesConfig)]
    names = {name: np.nan for step in rules for name in (step.stock, *step.numbers) if name}
    return {**names, **{step.least_age: np.inf for step in rules if step.least_age}}
