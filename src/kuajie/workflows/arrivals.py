"""Arrivals: what is new, and what it starts from, learned in the order in which it was stored.

What an item costs does not grow with the catalogue: one that has not changed keeps its start, texts are read of the
`read_new` latest ones alone, and averages are made anew for what came lately (`new_groups.Groups`).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories
from kuajie.core.records import Item
from kuajie.data.dataset import JointDataset
from kuajie.data.starts import Start
from kuajie.workflows.new_groups import Group, Groups, Kinds
from kuajie.workflows.recommend import Engine, title_of
from kuajie.workflows.stores import CatalogueStore

Key = tuple[str, str]
"""Domain and item."""
MOST_NEW = 200_000
"""New items that are known at once; of more, the oldest are forgotten until the next snapshot."""


class ContentModel(Protocol):
    """What is known of an item before anybody has used it."""

    def of(self, items: Sequence[Item], *, texts: bool = True) -> list[Start | None]:
        """Used items of the same domain that stand for each one; the same object for items that cannot be told apart.

        None where nothing can be said. Without texts, brand and category alone say it.
        """


class Arrivals:
    """The new items of one model version.

    Args:
        dataset: the snapshot of the model.
        engines: by language; titles that change are changed in them.
        content: finds what they start from.
        read_new: `NewItemsConfig.read_new`.
        tell: hears of every item that was put since the snapshot, new or not; None: nobody does.

    Attributes:
        items: the new ones.
        starts: of those of which something can be said.
        sequence: of the last item that was read from the store.
    """

    def __init__(
        self,
        dataset: JointDataset,
        engines: Mapping[str, Engine],
        content: ContentModel,
        read_new: int,
        tell: Callable[[Sequence[Item]], None] | None = None,
    ) -> None:
        self._catalog, self._engines, self._content = dataset.catalog, engines, content
        self._read_new, self._tell = read_new, tell
        self._known = known_items(next(iter(engines.values())))
        self.sequence = dataset.snapshot.store_sequence
        self._reading, self._lock = threading.Lock(), threading.Lock()
        self.items: dict[Key, Item] = {}
        self.starts: dict[Key, Start] = {}
        self._texts: dict[Key, None] = {}
        space = self._catalog.space
        self._groups = {domain: Groups(space.slice(domain)) for domain in space.domains}
        self._add_unused()

    def kinds(self, domain: str) -> Kinds | None:
        """What averages scores for the new items of a domain; None where there are none."""
        groups = self._groups.get(domain)
        return groups.kinds if groups is not None and len(groups.kinds) else None

    def parts(self, group: Group) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The items of a group: see `Group.parts`."""
        with self._lock:
            return group.parts()

    def read(self, catalogue: CatalogueStore) -> int:
        """Learn what was put into the catalogue since the last look; returns how many items that were.

        One thread at a time, so that an older record never comes after a newer one of the same item.

        Raises:
            StoreError: the store does not answer; the next look goes on where this one stopped.
        """
        count = 0
        with self._reading:
            while changes := catalogue.items_after(self.sequence):
                self._learn([change.value for change in changes])
                self.sequence = changes[-1].sequence
                count += len(changes)
        return count

    def _learn(self, items: Sequence[Item]) -> None:
        """Items that were put: new ones join their group, others show their new title at once."""
        if self._tell is not None:
            self._tell(items)
        new = [item for item in items if self._is_new(item)]
        changed = [item for item in new if self.items.get(key_of(item)) != item]
        found = dict(zip(map(key_of, changed), self._content.of(changed), strict=True))
        starts = [found[key] if key in found else self.starts.get(key) for key in map(key_of, new)]
        with self._lock:  # answers wait for it: only what takes no time
            for item in items:
                self._retitle(item)
            for item, start in zip(new, starts, strict=True):
                self._leave(key_of(item))
                self.items[key_of(item)] = item  # at once: answers read it meanwhile
                self._join(item, start, arrived=True)
            self._limit()
        self._settle()

    def _is_new(self, item: Item) -> bool:
        ids = self._catalog.ids.get(item.domain)
        if ids is None:
            return False
        return item.item not in ids or not self._known[self._catalog.number(item.domain, item.item)]

    def _retitle(self, item: Item) -> None:
        """Show the title of an item that is in the catalogue."""
        if item.item in self._catalog.ids.get(item.domain, ()):
            number = self._catalog.number(item.domain, item.item)
            for language, engine in self._engines.items():
                engine.retitle(number, title_of(item, language))

    def _add_unused(self) -> None:
        """The items of the snapshot that the model does not know, as far as something can be said of them.

        Where there are too many, all domains keep alike.
        """
        unused = np.flatnonzero(~self._known)
        domain = self._catalog.space.domain_of(unused)
        within = np.arange(len(unused)) - np.searchsorted(domain, domain)
        items = self._catalog.items(unused[np.argsort(within, kind="stable")[:MOST_NEW]])
        read, others = items[: self._read_new], items[self._read_new :]
        starts = [*self._content.of(read), *self._content.of(others, texts=False)]
        for item, start in zip(items, starts, strict=True):
            if start is not None:
                self.items[key_of(item)] = item
                self._join(item, start, arrived=False)
        self._settle()

    def _settle(self) -> None:
        for groups in self._groups.values():
            groups.settle()

    def _join(self, item: Item, start: Start | None, *, arrived: bool) -> None:
        if start is None:
            return
        key = key_of(item)
        self.starts[key] = start
        self._groups[item.domain].put(item.item, start, arrived=arrived)
        if len(start.items):
            self._texts[key] = None

    def _leave(self, key: Key) -> bool:
        """Take an item out of its group; returns whether it had arrived."""
        start = self.starts.pop(key, None)
        self._texts.pop(key, None)
        return start is not None and self._groups[key[0]].take(key[1], start)

    def _limit(self) -> None:
        """Forget the oldest of too many; of too many that start from texts, the oldest start without."""
        while len(self.items) > MOST_NEW:
            self._forget(next(iter(self.items)))
        while len(self._texts) > self._read_new:
            item = self.items[next(iter(self._texts))]
            (start,) = self._content.of([item], texts=False)
            self._join(item, start, arrived=self._leave(key_of(item)))

    def _forget(self, key: Key) -> None:
        self._leave(key)
        self.items.pop(key, None)


def key_of(item: Item) -> Key:
    """Domain and item."""
    return item.domain, item.item


def known_items(engine: Engine) -> npt.NDArray[np.bool_]:
    """Which items the model of an engine ranks: (n_items,), those that were used, and those that it knows otherwise.

    The most used item of every domain is scored: what a model does not know is NaN whatever the history.
    """
    space, used = engine.catalog.space, engine.popularity > 0
    best = [part.start + int(np.argmax(engine.popularity[part])) for part in map(space.slice, space.domains)]
    probe = Histories.from_lists([best], space.n_items)
    ranked = [~np.isnan(engine.model.score(probe, target)[0]) for target in space.domains]
    return np.asarray(used | np.concatenate(ranked))
