"""Ridge transfer: what linked people used elsewhere predicts what they use in the target domain.

For each target domain T, on the people known in T and in any other domain S:

    B_T = argmin |X_T - X_S B|^2 + sum_i l_i |B_i|^2 = (X_S^T X_S + diag(l))^-1 X_S^T X_T,   score(h, T) = h_S B_T
    l_i = lambda * r * (uses of i)^p,   r = the mean squared length of a linked person's scaled row

lambda is relative to r, so that one grid of values fits any data. Where linked people are fewer than the other domains'
items it is solved in their space: `B_T = L^-1 X_S^T (X_S L^-1 X_S^T + I)^-1 X_T`. Histories in the target domain itself
carry nothing: this is the model for people who are new there.

Hoerl and Kennard 1970, "Ridge regression: biased estimation for nonorthogonal problems", for several outcomes at once.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.core.space import ItemSpace
from kuajie.core.statistics import Statistics
from kuajie.models import sums
from kuajie.models.forms import (
    FormConfig,
    Method,
    cheapest_solution,
    kept_bytes,
    kept_form,
    low_rank_plan,
    refuse_large,
    refuse_low_rank,
)
from kuajie.models.item_weights import DenseWeights, ItemWeights, LowRankWeights, SparseWeights
from kuajie.models.linear import LinearModel

F32 = npt.NDArray[np.float32]
OverPeople: TypeAlias = Callable[[npt.NDArray[np.int64]], F32]
"""Places among the used items -> float32 (len(places), n_linked)."""


class RidgeConfig(FormConfig):
    """Ridge transfer.

    Attributes:
        regularization: lambda, relative to the mean squared length of a linked person's row.
        frequency_power: p; above 0 an item says less the more it is used.
        popularity_power: scores are multiplied by (training entries of the item) ** this.
        binary: take every entry as 1.
    """

    kind: Literal["ridge"] = "ridge"
    regularization: Annotated[float, pydantic.Field(gt=0)] = 30.0
    frequency_power: Annotated[float, pydantic.Field(ge=0)] = 0.0
    popularity_power: float = 0.3
    binary: bool = True


class Ridge(LinearModel[RidgeConfig]):
    """What was used in the other domains carries the score."""

    config_type: ClassVar[type[RidgeConfig]] = RidgeConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """The cheaper of primal and dual as if everybody were linked; low-rank where neither fits or takes minutes.

        Raises:
            ResourceError: nothing fits.
        """
        return cheapest_solution("ridge", self.config, partial(self._plan, shape, options), shape, options)

    def _plan(self, shape: DataShape, options: FitOptions, method: Method) -> Plan:
        space, n_people, threads = shape.space, shape.n_people, max(1, min(options.threads, 2))
        domains, entries = len(space.domains), 60 * shape.n_entries
        if method == "low-rank":
            return low_rank_plan(self.config, shape, options, domains)
        sides = [space.n_items - size if method == "primal" else n_people for size in space.sizes]
        kept = kept_bytes(self.config, space, self._form(space))
        seconds = 0.05 + sum(3e-11 * float(side) ** 3 for side in sides) / threads
        seconds += 2e-9 * domains * shape.n_entries * (max(sides) + space.n_items) / threads
        side = max(sides)
        return Plan(method, entries + 8 * side**2 + kept + threads * 512 * (side + space.n_items), seconds)

    def _form(self, space: ItemSpace) -> Literal["dense", "top-k"]:
        return kept_form(self.config, space)

    @property
    def binary(self) -> bool:
        """Whether strengths do not matter."""
        return self.config.binary

    @property
    def statistics_name(self) -> str:
        """Strengths or not."""
        return f"ridge binary={self.binary}"

    def statistics(self, interactions: Interactions) -> Statistics:
        """For each target the products of what linked people used elsewhere, with itself and with the target."""
        space, matrix = interactions.space, sums.used(interactions, self.binary)
        known = sums.known_in(matrix, space)
        inside = space.domain_of(np.arange(space.n_items))
        pairs, totals = {}, {}
        for place, name in enumerate(space.domains):
            linked = matrix[np.flatnonzero((known[:, place] > 0) & (known.sum(axis=1) > 1))]
            features = linked @ sparse.diags_array((inside != place).astype(np.float64))
            outcomes = linked @ sparse.diags_array((inside == place).astype(np.float64))
            pairs[f"gram.{name}"] = sums.gram(sparse.csr_array(features))
            pairs[f"cross.{name}"] = sums.gram(sparse.csr_array(features), sparse.csr_array(outcomes))
            totals[f"linked.{name}"] = float(linked.shape[0])
        return Statistics(space, pairs, {"support": interactions.support()}, totals)

    def learn_statistics(self, statistics: Statistics, options: FitOptions) -> ItemWeights:
        """B of each target by the inverse over the other domains' items.

        Raises:
            UsageError: the form is low-rank.
            ResourceError: the inverse does not fit.
        """
        from kuajie.numerics.threads import blas_threads

        space = statistics.space
        refuse_low_rank("ridge", self.config)
        refuse_large("ridge", 16 * space.n_items**2, options)
        with blas_threads(options.threads):
            solved = [self._from_sums(statistics, name) for name in space.domains]
        form = self._form(space)
        return joined([self._kept(block, form, options.threads) for block in solved], form)

    def _from_sums(self, statistics: Statistics, target: str) -> F32:
        """B_T = D (D G D + I)^-1 D C, D the diagonal of L^-1/2: float32 (n_items, items of the target)."""
        from kuajie.numerics.inverse import inverse_of_sum

        gram, part = statistics.pairs[f"gram.{target}"], statistics.space.slice(target)
        diagonal = gram.diagonal()
        used = np.flatnonzero(diagonal > 0)
        scale = np.maximum(statistics.items["support"], 1.0)[used] ** (-self.config.frequency_power / 2)
        length = float((scale**2 * diagonal[used]).sum()) / max(statistics.totals[f"linked.{target}"], 1.0)
        root = scale * (1 / np.sqrt(self.config.regularization * length) if length > 0 else 1.0)
        scaled = gram[used][:, used].toarray() * root[:, None] * root
        inverse = inverse_of_sum(np.asfortranarray(scaled, np.float32), np.ones(len(used), np.float32))
        cross = statistics.pairs[f"cross.{target}"][used][:, part].toarray() * root[:, None]
        block = np.zeros((statistics.space.n_items, part.stop - part.start), np.float32)
        block[used] = (inverse @ cross.astype(np.float32)) * root[:, None].astype(np.float32)
        return block

    def _kept(self, block: F32, form: str, threads: int) -> sparse.csr_array | F32:
        from kuajie.numerics.pruning import pruned

        if form == "dense":
            return block
        return pruned(
            lambda low, high: block[low:high], len(block), np.array([0, block.shape[1]]), self.config.k, threads
        )

    def learn(self, interactions: Interactions, options: FitOptions) -> ItemWeights:
        """B of each target, side by side."""
        from kuajie.numerics.threads import blas_threads

        space = interactions.space
        method = self.plan(DataShape.of(interactions), options).method
        matrix = interactions.matrix()
        matrix.eliminate_zeros()
        if self.config.binary:
            matrix.data[:] = 1
        scale = np.maximum(interactions.support(), 1.0) ** (-self.config.frequency_power / 2)
        problems = [Problem.of(matrix, space, name, scale, self.config.regularization) for name in space.domains]
        if method == "low-rank":
            with blas_threads(options.threads):
                return self._low_rank(problems, space, options.seed)
        form = self._form(space)
        return joined([self._solved(problem, form, options.threads) for problem in problems], form)

    def _solved(self, problem: "Problem", form: str, threads: int) -> sparse.csr_array | F32:
        """B_T in the form wanted: (n_items, items of the target)."""
        from kuajie.numerics.pruning import filled, pruned
        from kuajie.numerics.threads import blas_threads

        n_rows, width = problem.n_items, problem.outcomes.shape[1]
        with blas_threads(threads):
            solution = problem.primal() if len(problem.used) < problem.n_linked else problem.dual()
        with blas_threads(1):
            if form == "dense":
                return filled(solution, n_rows, width, threads)
            return pruned(solution, n_rows, np.array([0, width]), self.config.k, threads)

    def _low_rank(self, problems: list["Problem"], space: ItemSpace, seed: int) -> LowRankWeights:
        """Each target gets columns of its own in both factors, which are zero elsewhere."""
        lefts, rights = [], []
        for name, problem in zip(space.domains, problems, strict=True):
            left, outcomes = problem.low_rank(self.config.rank, seed)
            right = np.zeros_like(left)
            right[space.slice(name)] = outcomes
            lefts.append(left)
            rights.append(right)
        return LowRankWeights(np.concatenate(lefts, axis=1), np.concatenate(rights, axis=1))


def joined(blocks: list[sparse.csr_array | F32], form: str) -> ItemWeights:
    """The matrices of all targets side by side."""
    if form == "dense":
        return DenseWeights(np.concatenate(blocks, axis=1))
    return SparseWeights(sparse.csr_array(sparse.hstack(blocks, format="csr")))


class Problem:
    """The ridge system of one target.

    Attributes:
        n_items: of the joint item space.
        n_linked: people.
        used: items of other domains that linked people used.
        features: float32 CSR (n_linked, n_used): X_S L^-1/2.
        outcomes: float32 CSR (n_linked, items of the target): X_T.
        root: float64 (n_used,): the diagonal of L^-1/2.
    """

    def __init__(
        self,
        features: sparse.csr_array,
        outcomes: sparse.csr_array,
        used: npt.NDArray[np.int64],
        root: npt.NDArray[np.float64],
        n_items: int,
    ) -> None:
        self.features, self.outcomes, self.used, self.root, self.n_items = features, outcomes, used, root, n_items
        self.n_linked = features.shape[0]
        self.place = np.full(n_items, -1, dtype=np.int64)
        self.place[used] = np.arange(len(used))

    @classmethod
    def of(
        cls,
        matrix: sparse.csr_array,
        space: ItemSpace,
        target: str,
        scale: npt.NDArray[np.float64],
        regularization: float,
    ) -> "Problem":
        """Choose the linked people of a target and the columns that they used elsewhere."""
        part = space.slice(target)
        inside = (matrix.indices >= part.start) & (matrix.indices < part.stop)
        own = np.bincount(
            np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[inside], minlength=matrix.shape[0]
        )
        linked = matrix[np.flatnonzero((own > 0) & (own < np.diff(matrix.indptr)))]
        outside = np.setdiff1d(np.unique(linked.indices), np.arange(part.start, part.stop))
        features = linked[:, outside]
        features.data = (features.data * scale[outside][features.indices]).astype(np.float32)
        length = float((features.data.astype(np.float64) ** 2).sum()) / max(linked.shape[0], 1)
        shrink = 1 / np.sqrt(regularization * length) if length > 0 else 1.0
        features.data *= np.float32(shrink)
        return cls(features, linked[:, part], outside, scale[outside] * shrink, space.n_items)

    def dual(self) -> "Solution":
        """By the inverse over linked people."""
        from kuajie.numerics.inverse import inverse_of_gram

        inverse = inverse_of_gram(self.features, np.ones(self.n_linked, np.float32))
        items = self.features.T.tocsr()
        return Solution(self, lambda places: items[places] @ inverse)

    def primal(self) -> "Solution":
        """By the inverse over the other domains' items: `(A^T A + I)^-1 A^T`."""
        from kuajie.numerics.inverse import inverse_of_gram

        inverse = inverse_of_gram(self.features.T.tocsr(), np.ones(len(self.used), np.float32))
        return Solution(self, lambda places: np.ascontiguousarray((self.features @ inverse[:, places]).T))

    def low_rank(self, rank: int, seed: int) -> tuple[F32, F32]:
        """B = left outcomes^T on the largest singular directions U s V^T of the features."""
        from kuajie.numerics.lowrank import truncated_svd

        left = np.zeros((self.n_items, rank), np.float32)
        outcomes = np.zeros((self.outcomes.shape[1], rank), np.float32)
        if self.n_linked:
            people, values, directions = truncated_svd(self.features, rank, seed)
            size = len(values)
            left[self.used, :size] = directions * (values / (values**2 + 1)) * self.root[:, None]
            outcomes[:, :size] = self.outcomes.T @ people
        return left, outcomes


class Solution:
    """Rows of B, made where they are needed from `A^T (A A^T + I)^-1`, whose rows are over linked people."""

    def __init__(self, problem: Problem, over_people: OverPeople) -> None:
        from kuajie.numerics.cooccurrence import Rows

        self.problem, self.over_people = problem, over_people
        self.edges = Rows.of(problem.outcomes)
        self.ones = np.ones(problem.outcomes.shape[1], np.float32)

    def __call__(self, low: int, high: int) -> F32:
        """Rows low..high-1 of the joint item space; zero for items that say nothing."""
        from kuajie.numerics.spread import rows_times_edges

        rows = np.zeros((high - low, self.edges.n_items), np.float32)
        places = self.problem.place[low:high]
        known = np.flatnonzero(places >= 0)
        if len(known):
            people = self.over_people(places[known]) * self.problem.root[places[known], None].astype(np.float32)
            rows[known] = rows_times_edges(people, self.edges, self.ones)
        return rows
