"""Histories as padded lines of items, for models that read them in order.

Where one order holds over all domains, a history is one line. Where the order holds inside each domain only, domains
are never interleaved: for each target there is one line, with the other domains' entries, domain after domain, before
the target's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import DataError
from kuajie.core.histories import Histories
from kuajie.core.space import ItemSpace

I64 = npt.NDArray[np.int64]
SORTED_BATCHES = 16
"""Windows of so many batches are brought into order by length, so that a batch holds little padding."""


def line_of_target(histories: Histories, space: ItemSpace, target: str) -> Histories:
    """The entries in the order in which they are read for one target."""
    if histories.order != "domain":
        return histories
    domains = space.domain_of(histories.items)
    own = domains == space.index(target)
    order = np.lexsort((np.arange(len(domains)), domains, own, histories.rows()))
    times = None if histories.times is None else histories.times[order]
    return Histories(
        histories.indptr,
        histories.items[order],
        histories.weights[order],
        histories.n_items,
        times,
        histories.at,
        histories.order,
    )


@dataclass(frozen=True, eq=False)
class Windows:
    """Stretches of lines, each entry to be told from those before it.

    Attributes:
        items: int64, all lines one after the other.
        asked: bool, the entries that are to be told.
        starts, lengths: int64 (n_windows,), the entries that are read; what is told of each is the one after it.
        pad: stands for no item; the number after the last item.
    """

    items: I64
    asked: npt.NDArray[np.bool_]
    starts: I64
    lengths: I64
    pad: int

    @classmethod
    def of(cls, histories: Histories, space: ItemSpace, length: int) -> "Windows":
        """Cut lines into windows of at most `length` entries, from their ends.

        Raises:
            DataError: the histories have no order.
        """
        if histories.order == "none":
            raise DataError(
                "this model reads the order of events, and these have none. Choose a model of sets, such as ease or "
                "als, or give the events times."
            )
        if histories.order == "joint":
            parts = [(histories, np.ones(len(histories.items), dtype=bool))]
        else:
            parts = []
            for target in space.domains:
                line = line_of_target(histories, space, target)
                parts.append((line, space.domain_of(line.items) == space.index(target)))
        items = np.concatenate([line.items for line, _ in parts]).astype(np.int64)
        asked = np.concatenate([mask for _, mask in parts])
        lengths = np.concatenate([line.lengths for line, _ in parts])
        ends = np.cumsum(lengths)
        counts = np.maximum(-(-(lengths - 1) // length), 0)  # windows of each line
        lines = np.repeat(np.arange(len(lengths)), counts)
        places = np.arange(len(lines)) - np.repeat(np.cumsum(counts) - counts, counts)
        stops = ends[lines] - 1 - places * length
        starts = np.maximum(stops - length, ends[lines] - lengths[lines])
        told = np.concatenate([[0], np.cumsum(asked)])
        some = told[stops + 1] > told[starts + 1]
        return cls(items, asked, starts[some], (stops - starts)[some], histories.n_items)

    def only(self, part: slice) -> "Windows":
        """The windows in which entries of one domain are to be told, and these alone."""
        asked = self.asked & (self.items >= part.start) & (self.items < part.stop)
        told = np.concatenate([[0], np.cumsum(asked)])
        some = told[self.starts + self.lengths + 1] > told[self.starts + 1]
        return replace(self, asked=asked, starts=self.starts[some], lengths=self.lengths[some])

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[I64, I64, I64]]:
        """An epoch: the items read (n_rows, n_places), the items told (-1 where none is), and the rows' lengths."""
        order = rng.permutation(len(self.starts))
        stretch = np.arange(len(order)) // (size * SORTED_BATCHES)
        order = order[np.lexsort((self.lengths[order], stretch))]
        starts = np.arange(0, len(order), size)
        for start in rng.permutation(starts):
            chosen = order[start : start + size]
            places = self.starts[chosen, None] + np.arange(self.lengths[chosen].max())
            inside = places < (self.starts + self.lengths)[chosen, None]
            places = np.where(inside, places, 0)
            told = inside & self.asked[np.where(inside, places + 1, 0)]
            yield (
                np.where(inside, self.items[places], self.pad),
                np.where(told, self.items[np.where(told, places + 1, 0)], -1),
                self.lengths[chosen],
            )


def newest(histories: Histories, length: int) -> tuple[I64, I64]:
    """The newest entries of rows that are not empty, padded at their ends: (n_rows, n_places), and their lengths."""
    lengths = np.minimum(histories.lengths, length)
    places = (histories.indptr[1:] - lengths)[:, None] + np.arange(lengths.max(initial=1))
    inside = places < histories.indptr[1:, None]
    items = histories.items[np.where(inside, places, 0)]
    return np.where(inside, items, histories.n_items).astype(np.int64), lengths


def only_domain(items: I64, space: ItemSpace, domain: str) -> tuple[I64, I64]:
    """Padded lines with one domain's entries alone, at their starts; and the lengths, which may be 0."""
    part = space.slice(domain)
    inside = (items >= part.start) & (items < part.stop)
    lengths = inside.sum(axis=1)
    order = np.argsort(~inside, axis=1, kind="stable")[:, : max(int(lengths.max(initial=1)), 1)]
    kept = np.take_along_axis(items, order, axis=1)
    return np.where(np.arange(order.shape[1]) < lengths[:, None], kept, space.n_items), lengths
