"""Factors of items learned by alternating least squares, and a person's factors from any history.

Objective (Hu, Koren, Volinsky 2008, in the form of Rendle et al. 2022, "Revisiting the performance of iALS on item
recommendation benchmarks"), over observed pairs with weight w and all pairs of domain d with weight a_d:

    sum_observed w_uj (1 - x_u y_j)^2 + sum_all a_d (x_u y_j)^2 + sum_u reg_u |x_u|^2 + sum_j reg_j |y_j|^2
    reg = lambda * (c / typical c)^nu,  c = the sum of w and a over the row

a_d is set so that all pairs of a domain together weigh `zeros` times what its observed ones do: their number means
little in itself, it depends on the size of the catalogue. Unless `absent`, a pair counts only where the person has
some entry in the item's domain: who is not known there has refused nothing.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.recommender import FitOptions
from kuajie.core.space import ItemSpace
from kuajie.numerics.als_kernels import Systems, solve
from kuajie.numerics.cooccurrence import Rows
from kuajie.numerics.threads import blas_threads, run_blocks

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GRAM_ROWS = 8_192


@dataclass(frozen=True)
class Objective:
    """The numbers of the objective that are chosen."""

    zeros: float
    regularization: float
    frequency_power: float
    absent: bool

    def ridges(self, confidence: F64, typical: F64) -> F32:
        """Reg of rows with these c and typical c; rows that nothing is typical for have c = 0 and get 0."""
        share = np.divide(confidence, typical, out=np.zeros_like(confidence), where=typical > 0)
        return np.asarray(self.regularization * share**self.frequency_power, dtype=np.float32)

    def ridge(self, confidence: float, typical: float) -> float:
        """The same for one row."""
        share = confidence / typical if typical > 0 else 0.0
        return float(self.regularization * share**self.frequency_power)


@dataclass(frozen=True, eq=False)
class Scales:
    """The numbers of the objective that are found in the data, for each domain: float64 (n_domains,).

    Attributes:
        unobserved: a_d.
        typical: mean of the c of people known in the domain, over the domain.
    """

    unobserved: F64
    typical: F64

    @classmethod
    def of(cls, matrix: sparse.csr_array, space: ItemSpace, objective: Objective) -> Self:
        """Measure training data (n_people, n_items)."""
        active = active_domains(matrix, space)
        sums = np.bincount(space.domain_of(matrix.indices), matrix.data, len(space.domains)).astype(np.float64)
        trained = trained_items(np.bincount(matrix.indices, minlength=space.n_items), space)
        known = np.maximum(active.sum(axis=0), 1)
        pairs = np.maximum(trained, 1) * (matrix.shape[0] if objective.absent else known)
        unobserved = objective.zeros * sums / pairs
        return cls(unobserved, sums / known + unobserved * trained)


@dataclass(frozen=True, eq=False)
class ItemFactors:
    """What is learned: y of every item, and what folding a history in needs.

    Attributes:
        space: the joint item space.
        factors: float32 (n_items, f), 0 for items never trained.
        objective, scales: the numbers it was learned with.
        grams: float32 (n_domains, f, f): a_d * sum of y y^T over each domain.
        zeros: float64 (n_domains,): a_d * trained items of the domain.
    """

    space: ItemSpace
    factors: F32
    objective: Objective
    scales: Scales
    grams: F32
    zeros: F64

    @classmethod
    def of(cls, space: ItemSpace, factors: F32, objective: Objective, scales: Scales) -> Self:
        """Sum up the factors of each domain."""
        parts = [factors[space.slice(name)] for name in space.domains]
        grams = np.stack([a * (part.T @ part) for a, part in zip(scales.unobserved, parts, strict=True)])
        zeros = scales.unobserved * trained_items(np.any(factors != 0, axis=1), space)
        return cls(space, factors, objective, scales, grams.astype(np.float32), zeros)

    def fold_in(
        self, matrix: sparse.csr_array, prior: F32 | None = None, prior_weight: float = 0.0, threads: int = 1
    ) -> F32:
        """X of each row of weights (n_rows, n_items), to float32 precision: (n_rows, f).

        Args:
            matrix: histories, CSR.
            prior: float32 (n_rows, f), drawn to with `prior_weight` in the place of 0 with reg.
            prior_weight: weight of the prior.
            threads: how many threads.
        """
        people = People.of(matrix, self)
        if prior is not None:
            people = replace(people, ridges=np.full(len(people.ridges), prior_weight, np.float32))
        return solve(people.rows, people.systems(self), None, prior, steps=200, threads=threads)

    def system(self, row: sparse.csr_array, ridge: float | None = None) -> npt.NDArray[np.float64]:
        """A of a single row, formed: float64 (f, f); `ridge` in the place of its reg."""
        person = People.of(row, self)
        y = self.factors[row.indices].astype(np.float64)
        reg = float(person.ridges[0]) if ridge is None else ridge
        return np.asarray(person.systems(self).grams[0] + (y.T * row.data) @ y + reg * np.eye(y.shape[1]))


@dataclass(frozen=True, eq=False)
class People:
    """Histories as rows of equations.

    Attributes:
        rows: their entries.
        table: bool (n_patterns, n_domains): the sets of domains in which zeros count.
        patterns: int32 (n_rows,): which of them is each row's.
        ridges: float32 (n_rows,): reg.
    """

    rows: Rows
    table: Bools
    patterns: npt.NDArray[np.int32]
    ridges: F32

    @classmethod
    def of(cls, matrix: sparse.csr_array, learned: ItemFactors) -> Self:
        """Find out who is known where."""
        objective = learned.objective
        table, patterns = patterns_of(active_domains(matrix, learned.space), objective.absent)
        confidence = matrix.sum(axis=1, dtype=np.float64) + (table @ learned.zeros)[patterns]
        ridges = objective.ridges(confidence, (table @ learned.scales.typical)[patterns])
        return cls(Rows.of(matrix), table, patterns, ridges)

    def systems(self, learned: ItemFactors) -> Systems:
        """The equations, given what was learned about items."""
        grams = np.einsum("pd,dij->pij", self.table.astype(np.float32), learned.grams)
        return Systems(learned.factors, grams, self.patterns, self.ridges)


def train(
    matrix: sparse.csr_array,
    space: ItemSpace,
    objective: Objective,
    rank: int,
    iterations: int,
    options: FitOptions,
    start: F32 | None = None,
) -> tuple[F32, ItemFactors]:
    """Alternate between people and items.

    Args:
        matrix: float32 (n_people, n_items), weights >= 0 without stored zeros.
        space: the domains of its columns.
        objective: what is minimised.
        rank: f.
        iterations: of one solve for the people and one for the items each.
        options: seed and threads.
        start: float32 (n_items, f), factors to go on from; rows of zeros start anew.

    Returns:
        the people's factors (n_people, f) and the items'.
    """
    rng = np.random.default_rng(options.seed)
    columns = matrix.T.tocsr()
    scales = Scales.of(matrix, space, objective)
    people, items = (
        rng.standard_normal((n, rank), dtype=np.float32) * np.float32(0.1 / np.sqrt(rank)) for n in matrix.shape
    )
    if start is not None:
        items = np.where(np.any(start != 0, axis=1, keepdims=True), start, items)
    people[np.diff(matrix.indptr) == 0] = 0
    items[np.diff(columns.indptr) == 0] = 0
    learned = ItemFactors.of(space, items, objective, scales)
    sides, item_side = People.of(matrix, learned), Items.of(matrix, columns, learned)
    with blas_threads(1):  # products are shared out by rows instead, as everything here
        for _ in range(iterations):
            people = solve(sides.rows, sides.systems(learned), people, steps=3, threads=options.threads)
            items = solve(
                item_side.rows, item_side.systems(people, options.threads), items, steps=3, threads=options.threads
            )
            learned = ItemFactors.of(space, items, objective, scales)
    return people, learned


@dataclass(frozen=True, eq=False)
class Items:
    """Items as rows of equations, over people.

    Attributes:
        rows: their entries.
        counted: bool (n_people, n_domains): whose zeros count where.
        domains: int32 (n_items,).
        ridges: float32 (n_items,): reg.
        unobserved: a_d.
    """

    rows: Rows
    counted: Bools
    domains: npt.NDArray[np.int32]
    ridges: F32
    unobserved: F64

    @classmethod
    def of(cls, matrix: sparse.csr_array, columns: sparse.csr_array, learned: ItemFactors) -> Self:
        """Take training data (n_people, n_items) and its transpose."""
        space, objective = learned.space, learned.objective
        counted = active_domains(matrix, space) | objective.absent
        domains = space.domain_of(np.arange(space.n_items)).astype(np.int32)
        unobserved = learned.scales.unobserved
        sums = columns.sum(axis=1, dtype=np.float64)
        confidence = np.where(sums > 0, sums + (unobserved * counted.sum(axis=0))[domains], 0)
        trained = np.maximum(np.bincount(domains[sums > 0], minlength=len(space.domains)), 1)
        typical = np.bincount(domains, confidence, len(space.domains)) / trained
        ridges = objective.ridges(confidence, typical[domains])
        return cls(Rows.of(columns), counted, domains, ridges, unobserved)

    def systems(self, people: F32, threads: int) -> Systems:
        """The equations, given the people's factors."""
        grams = np.zeros((len(self.unobserved), people.shape[1], people.shape[1]), np.float32)
        table, patterns = patterns_of(self.counted, absent=False)
        for number, row in enumerate(table):
            part = people if len(table) == 1 else people[patterns == number]
            grams[row] += gram(part, threads)
        grams *= self.unobserved[:, None, None].astype(np.float32)
        return Systems(people, grams, self.domains, self.ridges)


def gram(factors: F32, threads: int) -> F32:
    """Y^T Y, summed by blocks of rows in their order: (f, f)."""
    parts = run_blocks(lambda low, high: factors[low:high].T @ factors[low:high], len(factors), threads, GRAM_ROWS)
    return np.asarray(np.sum(parts, axis=0), dtype=np.float32)


def trained_items(trained: npt.NDArray[np.generic], space: ItemSpace) -> F64:
    """How many items of each domain have a value other than 0: float64 (n_domains,)."""
    return np.array([np.count_nonzero(trained[space.slice(name)]) for name in space.domains], dtype=np.float64)


def active_domains(matrix: sparse.csr_array, space: ItemSpace) -> Bools:
    """Where each row has an entry: (n_rows, n_domains)."""
    flat = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * len(space.domains)
    flat += space.domain_of(matrix.indices)
    active = np.zeros(matrix.shape[0] * len(space.domains), dtype=np.bool_)
    active[flat] = True
    return active.reshape(matrix.shape[0], len(space.domains))


def patterns_of(active: Bools, absent: bool) -> tuple[Bools, npt.NDArray[np.int32]]:
    """The distinct rows of `active`, (n_patterns, n_domains), and which of them each row is; one of all if `absent`."""
    if absent:
        return np.ones((1, active.shape[1]), np.bool_), np.zeros(len(active), np.int32)
    packed = np.packbits(active, axis=1)
    keys = packed[:, 0] if packed.shape[1] == 1 else packed.view(f"V{packed.shape[1]}")[:, 0]
    _, first, patterns = np.unique(keys, return_index=True, return_inverse=True)
    return active[first], patterns.astype(np.int32).reshape(-1)
