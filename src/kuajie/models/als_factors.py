"""Factors of items learned by alternating least squares, and a person's factors from any history.

Objective (Hu, Koren, Volinsky 2008, divided by their alpha; regularisation of Rendle et al. 2022, "Revisiting the
performance of iALS on item recommendation benchmarks"):

    sum over pairs (u, j) of c_uj (p_uj - x_u y_j)^2 + sum_u reg_u |x_u|^2 + sum_j reg_j |y_j|^2
    c_uj = w_uj + a,  p_uj = 1 where w_uj > 0 else 0,  reg = lambda * (sum of the row's c) ^ nu

A pair counts only where the person has some entry in the item's domain (`absent = False`): who is not known there
has refused nothing.
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
from kuajie.numerics.threads import blas_threads

F32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Objective:
    """The numbers of the objective: a, lambda, nu, and whether absent people count."""

    unobserved: float
    regularization: float
    frequency_power: float
    absent: bool

    def ridges(self, sums: npt.NDArray[np.float64], possible: npt.NDArray[np.float64]) -> F32:
        """Reg of rows with these sums of weights and numbers of possible pairs."""
        confidence = sums + self.unobserved * possible
        return np.asarray(self.regularization * confidence**self.frequency_power, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class ItemFactors:
    """What is learned: y of every item, and what folding a history in needs.

    Attributes:
        space: the joint item space.
        factors: float32 (n_items, f), 0 for items never trained.
        objective: the numbers it was learned with.
        grams: float32 (n_domains, f, f): a * sum of y y^T over each domain.
        trained: float64 (n_domains,), trained items of each domain.
    """

    space: ItemSpace
    factors: F32
    objective: Objective
    grams: F32
    trained: npt.NDArray[np.float64]

    @classmethod
    def of(cls, space: ItemSpace, factors: F32, objective: Objective) -> Self:
        """Sum up the factors of each domain."""
        parts = [factors[space.slice(name)] for name in space.domains]
        grams = np.stack([objective.unobserved * (part.T @ part) for part in parts]).astype(np.float32)
        trained = np.array([np.any(part != 0, axis=1).sum() for part in parts], dtype=np.float64)
        return cls(space, factors, objective, grams, trained)

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
        people = People.of(matrix, self.space, self.objective, self.trained)
        if prior is not None:
            people = replace(people, ridges=np.full(len(people.ridges), prior_weight, np.float32))
        return solve(people.rows, people.systems(self), None, prior, steps=200, threads=threads)

    def system(self, row: sparse.csr_array, ridge: float | None = None) -> npt.NDArray[np.float64]:
        """A of a single row, formed: float64 (f, f); `ridge` in the place of its reg."""
        person = People.of(row, self.space, self.objective, self.trained)
        y = self.factors[row.indices].astype(np.float64)
        reg = float(person.ridges[0]) if ridge is None else ridge
        return np.asarray(person.systems(self).grams[0] + (y.T * row.data) @ y + reg * np.eye(y.shape[1]))

    def confidence(self, row: sparse.csr_array) -> npt.NDArray[np.float64]:
        """C of the entries of a row: their part of the right side is c y."""
        return np.asarray(row.data, dtype=np.float64) + self.objective.unobserved


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
    def of(
        cls, matrix: sparse.csr_array, space: ItemSpace, objective: Objective, trained: npt.NDArray[np.float64]
    ) -> Self:
        """Find out who is known where."""
        table, patterns = patterns_of(active_domains(matrix, space), objective.absent)
        ridges = objective.ridges(matrix.sum(axis=1, dtype=np.float64), (table @ trained)[patterns])
        return cls(Rows.of(matrix), table, patterns, ridges)

    def systems(self, learned: ItemFactors) -> Systems:
        """The equations, given what was learned about items."""
        grams = np.einsum("pd,dij->pij", self.table.astype(np.float32), learned.grams)
        return Systems(learned.factors, grams, self.patterns, self.ridges, learned.objective.unobserved)


def train(
    matrix: sparse.csr_array, space: ItemSpace, objective: Objective, rank: int, iterations: int, options: FitOptions
) -> tuple[F32, ItemFactors]:
    """Alternate between people and items.

    Args:
        matrix: float32 (n_people, n_items), weights >= 0 without stored zeros.
        space: the domains of its columns.
        objective: what is minimised.
        rank: f.
        iterations: of one solve for the people and one for the items each.
        options: seed and threads.

    Returns:
        the people's factors (n_people, f) and the items'.
    """
    rng = np.random.default_rng(options.seed)
    columns = matrix.T.tocsr()
    active = active_domains(matrix, space) | objective.absent
    domains = space.domain_of(np.arange(space.n_items)).astype(np.int32)
    item_ridges = objective.ridges(columns.sum(axis=1, dtype=np.float64), active.sum(axis=0).astype(float)[domains])
    people, items = (
        rng.standard_normal((n, rank), dtype=np.float32) * np.float32(0.1 / np.sqrt(rank)) for n in matrix.shape
    )
    people[np.diff(matrix.indptr) == 0] = 0
    items[np.diff(columns.indptr) == 0] = 0
    item_rows = Rows.of(columns)
    sides = People.of(matrix, space, objective, ItemFactors.of(space, items, objective).trained)
    with blas_threads(options.threads):
        for _ in range(iterations):
            learned = ItemFactors.of(space, items, objective)
            people = solve(sides.rows, sides.systems(learned), people, steps=3, threads=options.threads)
            grams = objective.unobserved * people_grams(people, active)
            systems = Systems(people, grams, domains, item_ridges, objective.unobserved)
            items = solve(item_rows, systems, items, steps=3, threads=options.threads)
    return people, ItemFactors.of(space, items, objective)


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


def people_grams(people: F32, active: Bools) -> F32:
    """Sum of x x^T over the people of each domain: (n_domains, f, f)."""
    grams = np.zeros((active.shape[1], people.shape[1], people.shape[1]), np.float32)
    table, patterns = patterns_of(active, absent=False)
    for number, row in enumerate(table):
        part = people if len(table) == 1 else people[patterns == number]
        grams[row] += part.T @ part
    return grams
