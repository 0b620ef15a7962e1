"""Scores from the people nearest to a history: the kernel of the user neighbourhood.

For a history h and a person p with training row x_p:

    dot    = sum_i h_i x_pi,  n = number of shared items
    cosine = dot / (|h| |x_p|)
    s_hp   = (cosine * n / (n + shrinkage)) ^ sharpness

|x_p| is taken over the domains that h has entries in: where h is not known it cannot agree. The k nearest p among
those with entries in the target carry `score(h, j) = sum_p s_hp x_pj`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from kuajie.core.space import ItemSpace
from kuajie.numerics.cooccurrence import Rows, by_item
from kuajie.numerics.heap import offer
from kuajie.numerics.jit import F32, I32, I64, U32, Bools, kernel
from kuajie.numerics.threads import run_blocks

Entries = tuple[F32, I64, I32, I64]  # values of the rows, and the entries of each item as of `by_item`


@dataclass(frozen=True, eq=False)
class Crowd:
    """Training people, found by what they used.

    Attributes:
        rows: their entries.
        item_indptr, people, places: the entries of each item, see `cooccurrence.by_item`.
        masses: float32 (n_people, n_domains), squared length of each row in each domain.
        space: the domains.
    """

    rows: Rows
    item_indptr: I64
    people: I32
    places: I64
    masses: F32
    space: ItemSpace

    @classmethod
    def of(cls, matrix: sparse.csr_array, space: ItemSpace) -> Self:
        """Index training rows, canonical CSR without stored zeros."""
        owners = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        flat = owners * len(space.domains) + space.domain_of(matrix.indices)
        size = matrix.shape[0] * len(space.domains)
        masses = np.bincount(flat, matrix.data.astype(np.float64) ** 2, size).reshape(matrix.shape[0], -1)
        rows = Rows.of(matrix)
        return cls(rows, *by_item(rows), masses.astype(np.float32), space)

    def score(
        self, histories: sparse.csr_array, target: str, k: int, shrinkage: float, sharpness: float, threads: int = 1
    ) -> F32:
        """Scores (n_histories, items of the target) of canonical CSR histories; 0 where nobody is near."""
        part, number = self.space.slice(target), self.space.index(target)
        asked, domains = Rows.of(histories), self.space.domain_of(np.arange(self.space.n_items)).astype(np.int32)
        scores = np.zeros((histories.shape[0], part.stop - part.start), np.float32)
        wanted = self.masses[:, number] > 0
        entries = (self.rows.values, self.item_indptr, self.people, self.places)

        def work(low: int, high: int) -> None:
            _score(
                low, high, asked.indptr, asked.items, asked.values, self.rows.indptr, self.rows.items, entries,
                self.masses, domains, wanted, part.start, k, shrinkage, sharpness, scores,
            )  # fmt: skip

        run_blocks(work, histories.shape[0], threads)
        return scores


@kernel
def _meet(
    asked_items: U32,
    asked_values: F32,
    entries: Entries,
    domains: I32,
    active: Bools,
    dots: F32,
    counts: I32,
    touched: I32,
) -> tuple[int, float]:
    """Sums of one history with everybody it shares items with; how many they are, and its squared length.

    `touched` gets their numbers, `active` the history's domains; `dots` and `counts` are zero before.
    """
    values, item_indptr, people, places = entries
    n_touched, length = 0, 0.0
    active[:] = False
    for item, value in zip(asked_items, asked_values):  # noqa: B905 # numba knows no strict
        if value <= 0:
            continue
        active[domains[item]] = True
        length += value * value
        for place in range(item_indptr[item], item_indptr[item + 1]):
            person = people[place]
            touched[n_touched] = person
            n_touched += counts[person] == 0
            counts[person] += 1
            dots[person] += value * values[places[place]]
    return n_touched, length


@kernel
def _nearest(
    touched: I32,
    length: float,
    active: Bools,
    masses: F32,
    wanted: Bools,
    shrinkage: float,
    dots: F32,
    counts: I32,
    near: I32,
    likeness: F32,
) -> int:
    """The nearest of those touched into `near`, with their likeness; returns their number and zeroes the sums."""
    size = 0
    for person in touched:
        if wanted[person]:
            mass = 0.0
            for domain in range(len(active)):
                if active[domain]:
                    mass += masses[person, domain]
            value = dots[person] / np.sqrt(length * mass) * counts[person] / (counts[person] + shrinkage)
            if size < len(near) or value >= likeness[0]:
                size = offer(likeness, near, size, np.float32(value), person)
        dots[person] = 0
        counts[person] = 0
    return size


@kernel
def _score(
    low: int,
    high: int,
    asked_indptr: I64,
    asked_items: U32,
    asked_values: F32,
    indptr: I64,
    items: U32,
    entries: Entries,
    masses: F32,
    domains: I32,
    wanted: Bools,
    start: int,
    k: int,
    shrinkage: float,
    sharpness: float,
    scores: F32,
) -> None:
    n_people, n_domains = masses.shape
    values = entries[0]
    dots, counts = np.zeros(n_people, np.float32), np.zeros(n_people, np.int32)
    touched = np.empty(n_people + 1, np.int32)
    near, likeness = np.empty(k, np.int32), np.empty(k, np.float32)
    active = np.zeros(n_domains, np.bool_)
    for row in range(low, high):
        own = slice(asked_indptr[row], asked_indptr[row + 1])
        n_touched, length = _meet(asked_items[own], asked_values[own], entries, domains, active, dots, counts, touched)
        size = _nearest(touched[:n_touched], length, active, masses, wanted, shrinkage, dots, counts, near, likeness)
        line = scores[row]
        for place in range(size):
            weight = likeness[place] if sharpness == 1 else likeness[place] ** np.float32(sharpness)
            person = near[place]
            for entry in range(indptr[person], indptr[person + 1]):
                item = np.int64(items[entry]) - start
                if 0 <= item < len(line):
                    line[item] += weight * values[entry]
