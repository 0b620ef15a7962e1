"""EASE: a linear autoencoder on all domains at once that may not use an item to predict itself.

    B = argmin |X - X B|^2 + sum_i l_i |B_i|^2,   diag(B) = 0,   l_i = lambda * (uses of i)^p
    B = I - P diag(P)^-1,   P = (X^T X + diag(l))^-1

Steck 2019, "Embarrassingly shallow autoencoders for sparse data", eq. 8. Where people are fewer than items, in their
space: with A = X diag(l)^-1/2 and K = (A A^T + I)^-1,

    B_ij = l_i^-1/2 (A^T K A)_ij l_j^1/2 / (1 - q_j),   q_j = (A^T K A)_jj,   i != j

so 35,000 items with 5,000 people need a 5,000 x 5,000 inverse. Where neither fits, A is replaced by its largest
singular directions; there an item's own entry is not zero, which is never seen where callers mask what was used.
"""

from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.core.statistics import Statistics
from kuajie.models import sums
from kuajie.models.forms import (
    FormConfig,
    Method,
    cheapest_solution,
    keep_rows,
    kept_bytes,
    kept_form,
    low_rank_plan,
    refuse_large,
    refuse_low_rank,
)
from kuajie.models.item_weights import DenseWeights, ItemWeights, LowRankWeights
from kuajie.models.linear import LinearModel

F32 = npt.NDArray[np.float32]


class EASEConfig(FormConfig):
    """EASE.

    Attributes:
        regularization: lambda.
        frequency_power: p; above 0 an item's row of B is held smaller the more it is used.
        popularity_power: scores are multiplied by (training entries of the item) ** this.
        binary: take every entry as 1.
    """

    kind: Literal["ease"] = "ease"
    regularization: Annotated[float, pydantic.Field(gt=0)] = 200.0
    frequency_power: float = 0.0
    popularity_power: float = 0.3
    binary: bool = True


class EASE(LinearModel[EASEConfig]):
    """Items that, taken together, predict one another best."""

    config_type: ClassVar[type[EASEConfig]] = EASEConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """The cheaper of primal and dual; low-rank where neither fits or both would take minutes.

        Raises:
            ResourceError: nothing fits.
        """
        return cheapest_solution("ease", self.config, partial(self._plan, shape, options), shape, options)

    def _plan(self, shape: DataShape, options: FitOptions, method: Method) -> Plan:
        n_items, n_people, threads = shape.space.n_items, shape.n_people, max(1, min(options.threads, 2))
        if method == "low-rank":
            return low_rank_plan(self.config, shape, options)
        size = n_items if method == "primal" else n_people
        kept = kept_bytes(self.config, shape.space, self._form(shape))
        seconds = 0.05 + 3e-11 * float(size) ** 3 / threads
        if method == "dual":
            seconds += 2e-9 * shape.n_entries * (2 * n_people + n_items) / threads + 2e-9 * n_items**2 / threads
        return Plan(method, 40 * shape.n_entries + 8 * size**2 + kept + threads * 512 * (size + n_items), seconds)

    def _form(self, shape: DataShape) -> Literal["dense", "top-k"]:
        return kept_form(self.config, shape.space)

    def learn(self, interactions: Interactions, options: FitOptions) -> ItemWeights:
        """B by the planned method."""
        from kuajie.numerics.threads import blas_threads

        shape = DataShape.of(interactions)
        method = self.plan(shape, options).method
        matrix = interactions.matrix()
        matrix.eliminate_zeros()
        if self.config.binary:
            matrix.data[:] = 1
        ridge = ridge_of(self.config, interactions.support())
        with blas_threads(options.threads):
            if method == "low-rank":
                return low_rank(matrix, ridge, self.config.rank, options.seed)
            if method == "primal":
                full = primal(matrix, ridge)
                if self._form(shape) == "dense":
                    return DenseWeights(full)
                return keep_rows(self.config, lambda low, high: full[low:high], shape.space, "top-k", options.threads)
            rows = DualRows(matrix, ridge)
        with blas_threads(1):
            return keep_rows(self.config, rows, shape.space, self._form(shape), options.threads)

    @property
    def binary(self) -> bool:
        """Whether strengths do not matter."""
        return self.config.binary

    @property
    def statistics_name(self) -> str:
        """Strengths or not."""
        return f"ease binary={self.binary}"

    def statistics(self, interactions: Interactions) -> Statistics:
        """The Gram matrix."""
        pairs = {"gram": sums.gram(sums.used(interactions, self.binary))}
        return Statistics(interactions.space, pairs, {"support": interactions.support()})

    def learn_statistics(self, statistics: Statistics, options: FitOptions) -> ItemWeights:
        """B by the inverse in item space, whatever the number of people.

        Raises:
            UsageError: the form is low-rank.
            ResourceError: the inverse does not fit.
        """
        from kuajie.numerics.inverse import inverse_of_sum
        from kuajie.numerics.threads import blas_threads

        config, space = self.config, statistics.space
        refuse_low_rank("ease", config)
        refuse_large("ease", 12 * space.n_items**2, options)
        ridge = ridge_of(config, statistics.items["support"])
        with blas_threads(options.threads):
            inverse = inverse_of_sum(np.asfortranarray(sums.full(statistics.pairs["gram"])), ridge)
            weights = without_self(inverse)
            form = kept_form(config, space)
            if form == "dense":
                return DenseWeights(weights)
            return keep_rows(config, lambda low, high: weights[low:high], space, form, options.threads)


def ridge_of(config: EASEConfig, support: npt.NDArray[np.float64]) -> F32:
    """The l of each item: (n_items,)."""
    uses = np.maximum(support, 1.0)
    return np.asarray(config.regularization * uses**config.frequency_power, dtype=np.float32)


def primal(matrix: sparse.csr_array, ridge: F32) -> F32:
    """B from the inverse in item space: float32 (n_items, n_items)."""
    from kuajie.numerics.inverse import inverse_of_gram

    return without_self(inverse_of_gram(matrix.T.tocsr(), ridge))


def without_self(inverse: F32) -> F32:
    """B from P, in place: `I - P diag(P)^-1`, whose diagonal is 0."""
    inverse /= -np.diag(inverse)
    inverse[np.diag_indices_from(inverse)] = 0
    return inverse


class DualRows:
    """Rows of B from the inverse in person space, made where they are needed."""

    def __init__(self, matrix: sparse.csr_array, ridge: F32) -> None:
        from kuajie.numerics.cooccurrence import Rows
        from kuajie.numerics.inverse import inverse_of_gram

        self.root = np.sqrt(ridge)
        scaled = matrix.copy()
        scaled.data = (scaled.data / self.root[scaled.indices]).astype(np.float32)
        self.inverse = inverse_of_gram(scaled, np.ones(matrix.shape[0], np.float32))
        self.items, self.edges = scaled.T.tocsr(), Rows.of(scaled)
        self.column_scale = (self.root / np.maximum(1 - self._self_prediction(), 1e-6)).astype(np.float32)

    def _self_prediction(self) -> F32:
        """The q of each item: (n_items,)."""
        parts = []
        for start in range(0, self.items.shape[0], 512):
            block = self.items[start : start + 512]
            parts.append(np.asarray(block.multiply(block @ self.inverse).sum(axis=1)).ravel())
        return np.concatenate(parts).astype(np.float32)

    def __call__(self, low: int, high: int) -> F32:
        """Rows low..high-1 of B: float32 (high - low, n_items)."""
        from kuajie.numerics.spread import rows_times_edges

        rows = rows_times_edges(self.items[low:high] @ self.inverse, self.edges, self.column_scale)
        rows /= self.root[low:high, None]
        rows[np.arange(high - low), np.arange(low, high)] = 0
        return rows


def low_rank(matrix: sparse.csr_array, ridge: F32, rank: int, seed: int) -> LowRankWeights:
    """B on the largest singular directions of A: `A^T K A ~ V s^2 / (s^2 + 1) V^T`."""
    from kuajie.numerics.lowrank import truncated_svd

    root = np.sqrt(ridge)
    scaled = matrix.copy()
    scaled.data = (scaled.data / root[scaled.indices]).astype(np.float32)
    _, values, directions = truncated_svd(scaled, rank, seed)
    kept = (values**2 / (values**2 + 1)).astype(np.float32)
    own = (directions**2) @ kept
    left = directions * kept / root[:, None]
    right = directions * (root / np.maximum(1 - own, 1e-6))[:, None]
    return LowRankWeights(left.astype(np.float32), right.astype(np.float32))
