"""Ranking tasks: whose history is scored, for which item, among which candidates.

One task is one target domain. A row asks for one positive item. Rows whose histories coincide share one history, so
that everybody is scored once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories, Interactions, Order
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.data.rows import Rows
from kuajie.data.split_folder import FixedCandidates

Ints = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Ragged:
    """Items of each row: row r has `items[indptr[r]:indptr[r + 1]]`, int32 numbers inside the target domain."""

    indptr: Ints
    items: Items

    def row(self, number: int) -> Items:
        """One row."""
        return self.items[self.indptr[number] : self.indptr[number + 1]]

    def take(self, rows: npt.NDArray[np.integer]) -> "Ragged":
        """Some rows."""
        indptr, source = gather(self.indptr, np.asarray(rows, dtype=np.int64))
        return Ragged(indptr, self.items[source])

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Ragged":
        """The same rows with some entries."""
        counts = np.concatenate([[0], np.cumsum(mask)])
        return Ragged(counts[self.indptr].astype(np.int64), self.items[mask])

    def rows(self) -> Ints:
        """Row number of each entry."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


@dataclass(frozen=True, eq=False)
class RankingTask:
    """Rows to rank in one target domain.

    Attributes:
        domain: the target.
        domain_index: its number in the item space; part of the seed of sampled candidates.
        first_item: joint number of the target's first item.
        n_items: items of the target (the pool).
        histories: the distinct histories, over the joint item space; nothing later than the row that is asked.
        history_of: int64 (n_rows,), the history of each row.
        positives: int32 (n_rows,), number inside the target of the item that is asked for.
        excluded: what is never a candidate of a row: the person's other known and asked items; the positive never.
        people: int64 (n_rows,), whom a row belongs to: what intervals and tests resample.
        target_lengths: int64 (n_rows,), entries of the row's history in the target domain.
        candidates: the negatives of each row, or None for all items of the target that are not excluded.
    """

    domain: str
    domain_index: int
    first_item: int
    n_items: int
    histories: Histories
    history_of: Ints
    positives: Items
    excluded: Ragged
    people: Ints
    target_lengths: Ints
    candidates: Ragged | None = None

    @property
    def n_rows(self) -> int:
        """Rows to rank."""
        return len(self.positives)

    def take(self, chosen: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "RankingTask":
        """Some rows, by number or mask; histories that nobody needs any more are dropped."""
        rows = np.arange(self.n_rows)[chosen]
        wanted, history_of = np.unique(self.history_of[rows], return_inverse=True)
        return replace(
            self,
            histories=self.histories.take(wanted),
            history_of=history_of.astype(np.int64),
            positives=self.positives[rows],
            excluded=self.excluded.take(rows),
            people=self.people[rows],
            target_lengths=self.target_lengths[rows],
            candidates=None if self.candidates is None else self.candidates.take(rows),
        )


def build_task(
    space: ItemSpace,
    domain: str,
    asked: Rows,
    known: Rows,
    order: Order,
    n_people: int,
    forbidden: Sequence[Rows] = (),
    fixed: FixedCandidates | None = None,
) -> RankingTask:
    """The task of ranking each asked row's item.

    Args:
        space: the joint item space.
        domain: the target; all asked rows lie in it.
        asked: one row each to rank.
        known: what histories are made of. With an order, entries later than the asked row are left out.
        order: what positions mean.
        n_people: people are 0..n_people-1.
        forbidden: further rows whose items are no candidates of their person, though they are in no history.
        fixed: negatives given from outside, one row for each asked row.
    """
    part = space.slice(domain)
    histories, history_of = histories_before(space, domain, asked, known, order, n_people)
    inside = (histories.items >= part.start) & (histories.items < part.stop)
    lengths = np.bincount(histories.rows()[inside], minlength=histories.n_rows)
    positives = (asked.items - part.start).astype(np.int32)
    excluded = other_items(asked, Rows.joined([known, *forbidden, asked]).within(part), part, n_people)
    task = RankingTask(
        domain,
        space.index(domain),
        part.start,
        part.stop - part.start,
        histories,
        history_of,
        positives,
        excluded,
        asked.people,
        lengths[history_of],
    )
    return task if fixed is None else replace(task, candidates=allowed_candidates(task, fixed, part))


def sort_rows(rows: Rows, space: ItemSpace, order: Order) -> Rows:
    """Rows as histories hold them: person after person, oldest first; domain after domain where order is per domain."""
    keys: list[npt.NDArray[Any]] = [rows.people]
    if order == "domain":
        keys.insert(0, space.domain_of(rows.items))
    if order != "none" and rows.positions is not None:
        keys.insert(0, rows.positions)
    return rows.take(np.lexsort(keys))


def interactions_of(
    rows: Rows, space: ItemSpace, order: Order, n_people: int, side: SideInformation | None = None
) -> Interactions:
    """Training data of some rows: one history for each of `n_people`, `at` the person's newest time."""
    rows = sort_rows(rows, space, order)
    indptr = row_starts(rows.people, n_people)
    at = None
    if rows.times is not None:
        at = newest(rows.times, rows.people, n_people)
    weights = rows.strengths
    histories = Histories(indptr, rows.items, weights, space.n_items, rows.times, at, order)
    return Interactions(space, histories, side)


def histories_before(
    space: ItemSpace, domain: str, asked: Rows, known: Rows, order: Order, n_people: int
) -> tuple[Histories, Ints]:
    """The distinct histories of the asked rows, and which one each row has.

    With joint order a history ends before the asked row; with order per domain its part in the target does.
    """
    known = sort_rows(known, space, order)
    indptr = row_starts(known.people, n_people)
    starts, stops = visible(space, domain, asked, known, order, indptr)
    at = None
    if known.times is not None:
        last = newest(known.times, known.people, n_people)[asked.people]
        at = last if asked.times is None else np.where(np.isnan(asked.times), last, asked.times)
    key = np.stack([asked.people, stops, *([] if at is None else [at.view(np.int64)])], axis=1)
    _, first, history_of = np.unique(key, axis=0, return_index=True, return_inverse=True)
    people, starts, stops = asked.people[first], starts[first], stops[first]
    new_indptr, source = gather(indptr, people)
    lengths = np.diff(new_indptr)
    # entries of the ordered part that come after the asked row
    ends = indptr[people + 1] if order != "domain" else starts + segment_lengths(space, domain, known, people, n_people)
    later = (source >= np.repeat(stops, lengths)) & (source < np.repeat(ends, lengths))
    histories = Histories(
        new_indptr,
        known.items[source],
        known.strengths[source],
        space.n_items,
        None if known.times is None else known.times[source],
        None if at is None else at[first],
        order,
    )
    return histories.keep(~later), history_of.reshape(-1).astype(np.int64)


def visible(space: ItemSpace, domain: str, asked: Rows, known: Rows, order: Order, indptr: Ints) -> tuple[Ints, Ints]:
    """Where in the sorted known rows the ordered part of each asked person starts, and where it is cut."""
    if order == "none" or known.positions is None or asked.positions is None:
        return indptr[asked.people], indptr[asked.people + 1]
    n = len(known)
    ranks = np.unique(np.concatenate([known.positions, asked.positions]), return_inverse=True)[1].astype(np.int64)
    width = int(ranks.max(initial=0)) + 1
    groups, wanted = known.people, asked.people
    if order == "domain":
        groups = groups * len(space.domains) + space.domain_of(known.items)
        wanted = wanted * len(space.domains) + space.index(domain)
    keys = groups * width + ranks[:n]
    return np.searchsorted(keys, wanted * width), np.searchsorted(keys, wanted * width + ranks[n:], side="right")


def segment_lengths(space: ItemSpace, domain: str, known: Rows, people: Ints, n_people: int) -> Ints:
    """Known entries of each person inside the target domain."""
    return np.bincount(known.within(space.slice(domain)).people, minlength=n_people)[people]


def other_items(asked: Rows, rows: Rows, part: slice, n_people: int) -> Ragged:
    """The distinct items of each asked row's person in `rows`, without the row's own: numbers inside the target."""
    width = part.stop - part.start
    pairs = np.unique(rows.people * width + (rows.items - part.start))
    own = Ragged(row_starts(pairs // width, n_people), (pairs % width).astype(np.int32)).take(asked.people)
    return own.keep(own.items != np.repeat(asked.items - part.start, np.diff(own.indptr)))


def allowed_candidates(task: RankingTask, fixed: FixedCandidates, part: slice) -> Ragged:
    """The given negatives without the positive and what is excluded; repeats stay, as their table counted them."""
    given = Ragged(fixed.indptr, (fixed.items - part.start).astype(np.int32))
    rows = given.rows()
    excluded = task.excluded.rows() * task.n_items + task.excluded.items
    return given.keep((given.items != task.positives[rows]) & ~np.isin(rows * task.n_items + given.items, excluded))


def row_starts(sorted_people: Ints, n_people: int) -> Ints:
    """CSR row starts of entries sorted by person: int64 (n_people + 1,)."""
    return np.searchsorted(sorted_people, np.arange(n_people + 1)).astype(np.int64)


def gather(indptr: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Row starts of some CSR rows put one after the other, and where their entries stood."""
    lengths = (indptr[1:] - indptr[:-1])[rows]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return starts, np.arange(starts[-1]) + np.repeat(indptr[rows] - starts[:-1], lengths)


def newest(times: npt.NDArray[np.float64], people: Ints, n_people: int) -> npt.NDArray[np.float64]:
    """The newest known time of each person; of everybody where a person has none; 0 where nobody has."""
    known = ~np.isnan(times)
    latest = np.full(n_people, -np.inf)
    np.maximum.at(latest, people[known], times[known])
    everybody = latest.max(initial=-np.inf)
    return np.where(np.isfinite(latest), latest, everybody if np.isfinite(everybody) else 0.0)
