"""One history folded into ALS at once, with its terms: what answering one person needs.

In the basis V in which G = V diag(g) V^T is diagonal, with the h entries' factors Y and weights W,

    A = D + Y^T W Y,  D = diag(g + reg)
    R = W Y A^-1 = (W^-1 + Y D^-1 Y^T)^-1 Y D^-1          (push-through identity, an h x h system)

so that x = sum of the rows of R, and `y_j R^T` are the terms of item j's score. The system is as small as the history
is short; longer histories than factors take the f x f one. `als.py` says the same for many histories, and is its test.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kuajie.models.als import ALS

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Basis:
    """Factors where G is diagonal, for those whose zeros count in some domains.

    Attributes:
        factors: float32 (n_items, f): Y V.
        values: float64 (f,): the diagonal.
        vectors: float64 (f, f): V.
        zeros: confidence of all zeros of those domains.
        typical: confidence that is typical there.
    """

    factors: F32
    values: F64
    vectors: F64
    zeros: float
    typical: float


@dataclass(frozen=True, eq=False)
class Solved:
    """The system of one history.

    Attributes:
        basis: in which everything is.
        items: int32 (h,).
        diagonal: D.
        responses: float64 (h, f): R.
    """

    basis: Basis
    items: I32
    diagonal: F64
    responses: F64

    def inverse_times(self, vectors: F64) -> F64:
        """Rows times A^-1: (n, f)."""
        scaled = vectors / self.diagonal
        return np.asarray(scaled - (scaled @ self.basis.factors[self.items].T) @ self.responses)


@dataclass(frozen=True, eq=False)
class Folded:
    """What one history is for one target.

    Attributes:
        factors: float32 (n_items, f): of all items.
        responses: float64 (h, f): `factors` times a row are the terms of that entry.
        offset: float64 (f,): `factors` times it is what whoever asks is given.
        person: float64 (f,): x, the sum of all of them.
    """

    factors: F32
    responses: F64
    offset: F64
    person: F64


@dataclass(eq=False)
class SingleALS:
    """A fitted ALS, ready for single histories."""

    model: ALS
    bases: dict[bytes, Basis] = field(default_factory=dict)
    mappings: dict[tuple[int, int, int, int], tuple[F64, F64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        space = self.model.space_
        self.domain_of = np.repeat(np.arange(len(space.sizes)), space.sizes)
        self.everywhere = np.ones(len(space.sizes), np.bool_)
        self.nobody = np.zeros(self.model.learned_.factors.shape[1])

    def basis(self, counted: npt.NDArray[np.bool_]) -> Basis:
        """The basis of those whose zeros count in some domains."""
        key = counted.tobytes()
        if key not in self.bases:
            learned = self.model.learned_
            values, vectors = np.linalg.eigh(learned.grams[counted].sum(axis=0, dtype=np.float64))
            factors = np.ascontiguousarray(learned.factors @ vectors.astype(np.float32))
            zeros, typical = float(counted @ learned.zeros), float(counted @ learned.scales.typical)
            self.bases[key] = Basis(factors, np.maximum(values, 0.0), vectors, zeros, typical)
        return self.bases[key]

    def fold(self, items: I32, weights: F64, target: str) -> Folded:
        """Fold a history in.

        Args:
            items: (h,), distinct, trained.
            weights: (h,), > 0.
            target: the domain to score.
        """
        weights = np.ones(len(items)) if self.model.config.binary else weights
        if self.model.mapping_ is not None:
            return self._fold_with_prior(items, weights, self.model.space_.index(target))
        solved = self.solved(items, weights)
        return Folded(solved.basis.factors, solved.responses, self.nobody, np.add.reduce(solved.responses, axis=0))

    def solved(self, items: I32, weights: F64, ridge: float | None = None) -> Solved:
        """The system of some entries; `ridge` in the place of their reg."""
        objective = self.model.learned_.objective
        basis = self.common if objective.absent else self.basis(self._domains_of(items))
        if ridge is None:
            ridge = objective.ridge(float(np.add.reduce(weights)) + basis.zeros, basis.typical)
        diagonal = basis.values + ridge
        entries = basis.factors.take(items, axis=0).astype(np.float64)
        return Solved(basis, items, diagonal, responses(entries, weights, diagonal))

    @cached_property
    def common(self) -> Basis:
        """Of everybody, where the zeros of all domains count."""
        return self.basis(self.everywhere)

    def _domains_of(self, items: I32) -> npt.NDArray[np.bool_]:
        counted = np.zeros(len(self.everywhere), np.bool_)
        counted[self.domain_of[items]] = True
        return counted

    def _fold_with_prior(self, items: I32, weights: F64, number: int) -> Folded:
        """See `als.py`: the person's target factors are drawn to the mapped ones."""
        domains = self.domain_of[items]
        own = np.flatnonzero(domains == number)
        weight = self.model.config.prior_weight
        all_responses = np.zeros((len(items), len(self.nobody)))
        solved = self.solved(items[own], weights[own], ridge=weight) if len(own) else None
        if solved is not None:
            all_responses[own] = solved.responses
        offset = self.nobody
        for source in range(len(self.everywhere)):
            entries = np.flatnonzero(domains == source)
            if source == number or not len(entries):
                continue
            other = self.solved(items[entries], weights[entries])
            matrix, shift = self._mapping(source, number, other.basis, None if solved is None else solved.basis)
            drawn = np.vstack([other.responses @ matrix, shift])  # where the prior means of the entries lead
            if solved is not None:
                drawn = weight * solved.inverse_times(drawn)
            all_responses[entries] = drawn[:-1]
            offset = offset + drawn[-1]
        factors = self.model.learned_.factors if solved is None else solved.basis.factors
        return Folded(factors, all_responses, offset, all_responses.sum(axis=0) + offset)

    def _mapping(self, source: int, target: int, other: Basis, own: Basis | None) -> tuple[F64, F64]:
        """The mapping between two domains from the basis of one into that of the other: (f, f), and its constant."""
        key = (source, target, id(other), id(own))  # bases are kept as long as this object
        if key not in self.mappings:
            mapping = self.model.mapping_
            assert mapping is not None  # noqa: S101 - only called with one
            matrix = mapping[source, target].astype(np.float64)
            into = np.eye(matrix.shape[1]) if own is None else own.vectors
            self.mappings[key] = (other.vectors.T @ matrix[:-1] @ into, matrix[-1] @ into)
        return self.mappings[key]


def responses(entries: F64, weights: F64, diagonal: F64) -> F64:
    """R: see the module.

    Args:
        entries: (h, f).
        weights: (h,), > 0.
        diagonal: (f,), > 0.

    Returns:
        (h, f).
    """
    size, rank = entries.shape
    if size <= rank:
        right = entries / diagonal
        system = right @ entries.T
        system.flat[:: size + 1] += 1 / weights
    else:
        right = (entries * weights[:, None]).T
        system = right @ entries
        system.flat[:: rank + 1] += diagonal
    from scipy.linalg.lapack import dposv  # slow to load; models without ALS do without

    _, solution, problem = dposv(system.T, right, overwrite_a=True)  # symmetric and positive; half of LAPACK's gesv
    if problem:
        raise np.linalg.LinAlgError("a history gave a system without a solution")
    return np.asarray(solution if size <= rank else solution.T)
