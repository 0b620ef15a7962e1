"""Histories: what people did, as sparse rows over the joint item space.

A recommender never sees a stored user number; it scores a history. Training data (`Interactions`) are histories
too, one row for every person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace

Order = Literal["joint", "domain", "none"]
"""What the order inside a row means: one order over all domains, one inside each domain only, or nothing."""


@dataclass(frozen=True, eq=False)
class Histories:
    """Rows of (item, weight, time), oldest first, repeats kept.

    Attributes:
        indptr: int64, (n_rows + 1,); row r is `indptr[r]:indptr[r + 1]`.
        items: int32, (n_entries,), numbers of the joint item space.
        weights: float32, (n_entries,), finite and >= 0.
        n_items: size of the joint item space.
        times: float64 unix seconds, (n_entries,), NaN where unknown; or None where no entry has one.
        at: float64 unix seconds, (n_rows,): "now" of each row; or None where there are no times.
        order: what the order of a row's entries means.
        borrowed: (n_entries,), which entries are what other people did; None where all are the person's own.
    """

    indptr: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    n_items: int
    times: npt.NDArray[np.float64] | None = None
    at: npt.NDArray[np.float64] | None = None
    order: Order = "none"
    borrowed: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        entries = int(self.indptr[-1])
        if len(self.items) != entries or len(self.weights) != entries:
            raise UsageError(
                "histories need {entries} items and weights, got {items}, {weights}",
                entries=entries,
                items=len(self.items),
                weights=len(self.weights),
            )
        if entries and (self.items.min() < 0 or self.items.max() >= self.n_items):
            raise UsageError("history items must lie in 0..{last}", last=self.n_items - 1)
        if not np.isfinite(self.weights).all() or (entries and self.weights.min() < 0):
            raise UsageError("history weights must be finite and >= 0")
        if self.times is not None and len(self.times) != entries:
            raise UsageError("histories need {entries} times, got {got}", entries=entries, got=len(self.times))
        if self.borrowed is not None and len(self.borrowed) != entries:
            raise UsageError(
                "histories need {entries} values of 'borrowed', got {got}", entries=entries, got=len(self.borrowed)
            )
        if self.at is not None and len(self.at) != self.n_rows:
            raise UsageError("histories need {n_rows} values of 'at', got {got}", n_rows=self.n_rows, got=len(self.at))

    @property
    def n_rows(self) -> int:
        """Number of histories."""
        return len(self.indptr) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Entries of each row."""
        return np.diff(self.indptr)

    def rows(self) -> npt.NDArray[np.int64]:
        """Row number of each entry."""
        return np.repeat(np.arange(self.n_rows), self.lengths)

    def matrix(self) -> sparse.csr_array:
        """float32 (n_rows, n_items), repeats summed: what models of sets read."""
        matrix = sparse.csr_array(
            (self.weights.astype(np.float32), self.items, self.indptr),
            shape=(self.n_rows, self.n_items),
            copy=True,
        )
        matrix.sum_duplicates()
        return matrix

    @property
    def own_items(self) -> npt.NDArray[np.int32]:
        """Items of the entries that are nobody else's, repeats kept."""
        return self.own().items

    @property
    def borrowed_items(self) -> npt.NDArray[np.int32]:
        """Items that are in histories only because others used them, each once."""
        if self.borrowed is None:
            return np.empty(0, np.int32)
        return np.setdiff1d(self.items[self.borrowed], self.own_items)

    def reversed_positions(self) -> npt.NDArray[np.int64]:
        """0 for the newest entry of each row, 1 for the one before, ..."""
        return np.repeat(self.indptr[1:], self.lengths) - 1 - np.arange(len(self.items))

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Histories":
        """The same rows with only the entries where `mask` (n_entries,) is true."""
        counts = np.concatenate([[0], np.cumsum(mask)])
        return replace(
            self,
            indptr=counts[self.indptr].astype(np.int64),
            items=self.items[mask],
            weights=self.weights[mask],
            times=None if self.times is None else self.times[mask],
            borrowed=None if self.borrowed is None else self.borrowed[mask],
        )

    def own(self) -> "Histories":
        """The same rows without what is borrowed."""
        return self if self.borrowed is None else self.keep(~self.borrowed)

    def only(self, part: slice) -> "Histories":
        """The same rows with the items of one slice of the item space alone; numbering unchanged."""
        return self.keep((self.items >= part.start) & (self.items < part.stop))

    def without(self, part: slice) -> "Histories":
        """The same rows without the items of one slice of the item space; numbering unchanged."""
        return self.keep((self.items < part.start) | (self.items >= part.stop))

    def take(self, rows: npt.ArrayLike) -> "Histories":
        """Some rows, in the given order (a slice is not copied needlessly by callers: batch with `batches`)."""
        wanted = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[wanted]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.arange(indptr[-1]) + np.repeat(self.indptr[wanted] - indptr[:-1], lengths)
        return replace(
            self,
            indptr=indptr,
            items=self.items[source],
            weights=self.weights[source],
            times=None if self.times is None else self.times[source],
            at=None if self.at is None else self.at[wanted],
            borrowed=None if self.borrowed is None else self.borrowed[source],
        )

    def with_weights(self, weights: npt.NDArray[np.float32]) -> "Histories":
        """The same entries with other weights."""
        return replace(self, weights=weights.astype(np.float32))

    @classmethod
    def from_lists(
        cls,
        rows: Sequence[Iterable[int]],
        n_items: int,
        weights: Sequence[Iterable[float]] | None = None,
        times: Sequence[Iterable[float]] | None = None,
        at: Sequence[float] | None = None,
        order: Order = "none",
    ) -> "Histories":
        """Histories from plain lists, oldest first."""
        lists = [list(row) for row in rows]
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)

        def flat(values: Sequence[Iterable[float]]) -> npt.NDArray[np.float64]:
            return np.array([value for row in values for value in row], dtype=np.float64)

        return cls(
            indptr=indptr,
            items=flat(lists).astype(np.int32),
            weights=np.ones(indptr[-1], np.float32) if weights is None else flat(weights).astype(np.float32),
            n_items=n_items,
            times=None if times is None else flat(times),
            at=None if at is None else np.asarray(at, dtype=np.float64),
            order=order,
        )

    @classmethod
    def from_matrix(cls, matrix: sparse.csr_array) -> "Histories":
        """Histories without order from a sparse matrix (n_rows, n_items)."""
        return cls(
            indptr=matrix.indptr.astype(np.int64),
            items=matrix.indices.astype(np.int32),
            weights=matrix.data.astype(np.float32),
            n_items=matrix.shape[1],
        )


@dataclass(frozen=True, eq=False)
class Interactions:
    """Training data: one history for every person, over one item space.

    What a model fits on. Row numbers mean nothing outside the snapshot they came from.

    Attributes:
        space: the joint item space.
        histories: over it.
        side: what is known of the items besides, where anything is.
    """

    space: ItemSpace
    histories: Histories
    side: SideInformation | None = None

    def __post_init__(self) -> None:
        if self.histories.n_items != self.space.n_items:
            raise UsageError(
                "histories are over {got} items, the space has {n_items}",
                got=self.histories.n_items,
                n_items=self.space.n_items,
            )
        if self.side is not None and self.side.n_items != self.space.n_items:
            raise UsageError(
                "side information is of {got} items, the space has {n_items}",
                got=self.side.n_items,
                n_items=self.space.n_items,
            )

    @property
    def n_people(self) -> int:
        """Rows, people without any entry included."""
        return self.histories.n_rows

    def take(self, rows: npt.ArrayLike) -> "Interactions":
        """Some people, in the given order."""
        return replace(self, histories=self.histories.take(rows))

    def only(self, domain: str) -> "Interactions":
        """The same people with one domain's entries alone; item numbering unchanged."""
        return replace(self, histories=self.histories.only(self.space.slice(domain)))

    def matrix(self, domain: str | None = None) -> sparse.csr_array:
        """float32 (n_people, n_items) or, for one domain, (n_people, items of it)."""
        matrix = self.histories.matrix()
        return matrix if domain is None else matrix[:, self.space.slice(domain)]

    def support(self) -> npt.NDArray[np.float64]:
        """Number of entries with weight > 0 of each item: (n_items,). 0 means: no training support."""
        counted = self.histories.items[self.histories.weights > 0]
        return np.bincount(counted, minlength=self.space.n_items).astype(np.float64)

    def domain_counts(self) -> npt.NDArray[np.int64]:
        """Entries of each person in each domain: (n_people, n_domains)."""
        domains = self.space.domain_of(self.histories.items)
        flat = self.histories.rows() * len(self.space.domains) + domains
        counts = np.bincount(flat, minlength=self.n_people * len(self.space.domains))
        return counts.reshape(self.n_people, len(self.space.domains))
