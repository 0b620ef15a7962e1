"""Provider places: how many places of the lists that were shown each provider was given, in this process.

Fairness reads them. They are counted when a list is given away, and kept by name, so that they outlive a model version
whose catalogue numbers its providers otherwise. Floors that hold in each process hold in all of them.
"""

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kuajie.core.space import ItemSpace
from kuajie.numerics.jit import F64
from kuajie.rerank.base import Items
from kuajie.rerank.fairness import Exposures

Floors = Callable[[str, str], F64]
"""Target and label -> the floor of each of its words."""


class ProviderPlaces:
    """Counts by target and by the label that names providers.

    Args:
        items: know whose an item is.
        space: of the items.
    """

    def __init__(self, items: Items, space: ItemSpace) -> None:
        self._items, self._space = items, space
        self._lock = threading.Lock()
        self._given: dict[tuple[str, str], Exposures] = {}
        self._gone: dict[tuple[str, str], dict[str, float]] = {}

    def known(self, target: str, by: str) -> Exposures:
        """What was given so far."""
        return self._given.get((target, by)) or Exposures.none(self._items.label(by))

    def count(self, target: str, by: str, items: npt.NDArray[np.int32]) -> None:
        """One more list that somebody is shown: its items by number, -1 for unknown ones."""
        codes = self._items.label(by).of(items)
        with self._lock:
            before = self.known(target, by)
            counts = np.bincount(codes[codes >= 0], minlength=len(before.counts)).astype(np.float64)
            self._given[target, by] = before + Exposures(counts, len(items))

    def inherit(self, before: "ProviderPlaces", floors: Floors) -> None:
        """Go on from the counts over another catalogue; a provider that is new to a target is owed nothing yet."""
        with before._lock:  # which goes on counting
            counted, gone = dict(before._given), dict(before._gone)
        for (target, by), given in counted.items():
            if by not in self._items.labels or not {target} <= {*self._space.domains} & {*before._space.domains}:
                continue
            labels = before._items.label(by)
            there = labels.sizes(before._space.slice(target)) > 0
            named = zip(labels.names, given.counts.tolist(), there.tolist(), strict=True)
            known = gone.get((target, by), {}) | {name: count for name, count, own in named if own}
            first = (floors(target, by) * given.total).tolist()
            names = self._items.label(by).names
            counts = [known.pop(name, owed) for name, owed in zip(names, first, strict=True)]
            self._given[target, by] = Exposures(np.array(counts, np.float64), given.total)
            self._gone[target, by] = known
