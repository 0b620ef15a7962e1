"""One history folded into ALS at once, with its terms: what answering one person needs.

In the basis V in which G = V diag(g) V^T is diagonal, with the h entries' factors Y and weights W,

    A = D + Y^T W Y,  D = diag(g + reg)
    R = W Y A^-1 = (W^-1 + Y D^-1 Y^T)^-1 Y D^-1          (push-through identity, an h x h system)

so that x = sum of the rows of R, and `y_j R^T` are the terms of item j's score. The system is as small as the history
is short; longer histories than factors take the f x f one. `als.py` says the same for many histories, and is its test.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kuajie.models.als import ALS

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Basis:
    """Factors where G is diagonal.

    Attributes:
        factors: float32 (n_items, f): Y V.
        values: float64 (f,): the diagonal.
        vectors: float64 (f, f): V.
    """

    factors: F32
    values: F64
    vectors: F64


@dataclass(frozen=True, eq=False)
class Solved:
    """The system of one history.

    Attributes:
        basis: in which everything is.
        diagonal: D.
        responses: float64 (h, f): R.
        entries: float64 (h, f): Y.
    """

    basis: Basis
    diagonal: F64
    responses: F64
    entries: F64

    def inverse_times(self, vectors: F64) -> F64:
        """Rows times A^-1: (n, f)."""
        scaled = vectors / self.diagonal
        return np.asarray(scaled - (scaled @ self.entries.T) @ self.responses)


@dataclass(frozen=True, eq=False)
class Folded:
    """What one history is for one target: scores of its items, and their terms on demand.

    Attributes:
        factors: float32 (n_target, f): of the target's items, in the basis of `person`.
        person: float64 (f,): x.
        parts: places of entries in the history, and float64 (f, entries) that `factors` times gives their terms.
        offset: float64 (f,): what `factors` times gives whoever asks.
    """

    factors: F32
    person: F64
    parts: tuple[tuple[Ints, F64], ...]
    offset: F64 | None = None

    def scores(self) -> F32:
        """(n_target,)."""
        return np.asarray(self.factors @ self.person.astype(np.float32))

    def terms(self, places: Ints, size: int) -> tuple[F64, F64]:
        """Contributions (n, size) of a history of `size` entries to some target items, and what is nobody's (n,)."""
        rows = self.factors[places].astype(np.float64)
        contributions = np.zeros((len(places), size))
        for entries, matrix in self.parts:
            contributions[:, entries] = rows @ matrix
        base = np.zeros(len(places)) if self.offset is None else rows @ self.offset
        return contributions, base


@dataclass(eq=False)
class SingleALS:
    """A fitted ALS, ready for single histories."""

    model: ALS
    bases: dict[bytes, Basis] = field(default_factory=dict)

    def __post_init__(self) -> None:
        space = self.model.space_
        self.slices = [space.slice(name) for name in space.domains]
        self.domain_of = np.repeat(np.arange(len(space.sizes)), space.sizes)

    def basis(self, counted: npt.NDArray[np.bool_]) -> Basis:
        """The basis of those whose zeros count in some domains."""
        key = counted.tobytes()
        if key not in self.bases:
            learned = self.model.learned_
            values, vectors = np.linalg.eigh(learned.grams[counted].sum(axis=0, dtype=np.float64))
            factors = np.ascontiguousarray(learned.factors @ vectors.astype(np.float32))
            self.bases[key] = Basis(factors, np.maximum(values, 0.0), vectors)
        return self.bases[key]

    def fold(self, items: Ints, weights: F64, target: str) -> Folded:
        """Fold a history in.

        Args:
            items: (h,), distinct, trained.
            weights: (h,), > 0.
            target: the domain to score.
        """
        weights = np.ones(len(items)) if self.model.config.binary else weights
        number = self.model.space_.index(target)
        if self.model.mapping_ is not None:
            return self._fold_with_prior(items, weights, number)
        solved = self.solved(items, weights)
        everything = np.arange(len(items))
        factors = solved.basis.factors[self.slices[number]]
        return Folded(factors, solved.responses.sum(axis=0), ((everything, solved.responses.T),))

    def solved(self, items: Ints, weights: F64, ridge: float | None = None) -> Solved:
        """The system of some entries; `ridge` in the place of their reg."""
        learned = self.model.learned_
        counted = np.zeros(len(self.slices), np.bool_)
        counted[slice(None) if learned.objective.absent else self.domain_of[items]] = True
        basis = self.basis(counted)
        if ridge is None:
            confidence = float(weights.sum() + counted @ learned.zeros)
            ridge = learned.objective.ridge(confidence, float(counted @ learned.scales.typical))
        diagonal = basis.values + ridge
        entries = basis.factors[items].astype(np.float64)
        return Solved(basis, diagonal, responses(entries, weights, diagonal), entries)

    def _fold_with_prior(self, items: Ints, weights: F64, number: int) -> Folded:
        """See `als.py`: the person's target factors are drawn to the mapped ones."""
        mapping = self.model.mapping_
        assert mapping is not None  # noqa: S101 - only called with one
        domains = self.domain_of[items]
        own = np.flatnonzero(domains == number)
        weight = self.model.config.prior_weight
        if len(own):
            solved = self.solved(items[own], weights[own], ridge=weight)
            factors, person = solved.basis.factors[self.slices[number]], solved.responses.sum(axis=0)
            parts = [(own, solved.responses.T)]
        else:
            solved, parts = None, []
            factors = self.model.learned_.factors[self.slices[number]]
            person = np.zeros(factors.shape[1])
        offset = np.zeros(len(person))

        def drawn(vectors: F64) -> F64:
            """Where rows of prior means lead, in the basis of the target: (n, f)."""
            return vectors if solved is None else weight * solved.inverse_times(vectors @ solved.basis.vectors)

        for source in range(len(self.slices)):
            entries = np.flatnonzero(domains == source)
            if source == number or not len(entries):
                continue
            other = self.solved(items[entries], weights[entries])
            matrix = mapping[source, number].astype(np.float64)
            parts.append((entries, drawn(other.responses @ (other.basis.vectors.T @ matrix[:-1])).T))
            offset += drawn(matrix[-1:])[0]
            person = person + parts[-1][1].sum(axis=1)
        return Folded(factors, person + offset, tuple(parts), offset)


def responses(entries: F64, weights: F64, diagonal: F64) -> F64:
    """R: see the module.

    Args:
        entries: (h, f).
        weights: (h,), > 0.
        diagonal: (f,), > 0.

    Returns:
        (h, f).
    """
    scaled = entries / diagonal
    size, rank = entries.shape
    if size <= rank:
        system = scaled @ entries.T
        system.flat[:: size + 1] += 1 / weights
        return np.asarray(np.linalg.solve(system, scaled))
    weighted = entries * weights[:, None]
    system = weighted.T @ entries
    system.flat[:: rank + 1] += diagonal
    return np.asarray(np.linalg.solve(system, weighted.T).T)
