"""Graph diffusion: taste spreads along walks between items over the people who used them.

    D = R^-a X C^-b               X people by items, R and C the sums of its rows and columns
    W = C^-b sum_{l=1..L} (c / g)^(l-1) (D^T D)^l,        score(h, j) = (h W)_j * support_j^e

g, the largest eigenvalue of D^T D, is by how much a round trip grows, so that c means the same for all powers: with
c = 1 the strongest direction counts alike after any number of round trips, below 1 near items count more. A person's
walks run over all domains, so what was used in one reaches the other through whoever is linked, directly or in
several steps.

Sources: Katz 1953 (the series); Paudel et al. 2017, "Updatable, accurate, diverse, and scalable recommendations for
interactive applications", eq. 5 (RP3beta: one round trip, and popularity discounted; see `rp3beta`).
"""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import pydantic

from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.models.forms import DENSE_ITEMS, Count, Form, FormConfig, cheapest, keep_rows, kept_bytes, low_rank_plan
from kuajie.models.item_weights import DenseWeights, ItemWeights, LowRankWeights
from kuajie.models.linear import LinearModel

if TYPE_CHECKING:
    from kuajie.numerics.walks import Graph

NotNegative = Annotated[float, pydantic.Field(ge=0)]


class DiffusionConfig(FormConfig):
    """Graph diffusion.

    Attributes:
        steps: L, round trips.
        continuation: c, weight of each further round trip against its growth.
        person_power: a; above 0.5 people who use everything carry less.
        item_power: b; above 0.5 popular items carry less.
        popularity_power: e; scores are multiplied by (training entries of the item) ** e.
        binary: take every entry as 1.
    """

    kind: Literal["diffusion"] = "diffusion"
    steps: Count = 3
    continuation: NotNegative = 1.0
    person_power: NotNegative = 0.45
    item_power: NotNegative = 0.35
    popularity_power: float = 0.5
    binary: bool = True


def rp3beta(alpha: float = 1.0, beta: float = 0.5) -> DiffusionConfig:
    """RP3beta on entries taken as 1: transition probabilities to the power alpha, popularity to the power -beta."""
    return DiffusionConfig(
        steps=1, person_power=alpha / 2, item_power=alpha / 2, popularity_power=alpha / 2 - beta, binary=True
    )


class Diffusion(LinearModel[DiffusionConfig]):
    """Items that short walks reach from the history carry the score."""

    config_type: ClassVar[type[DiffusionConfig]] = DiffusionConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Dense products for small catalogues, walks from each item for larger ones, a low-rank graph for the largest.

        Raises:
            ResourceError: no form fits.
        """
        forms = [form for form in self.config.forms if form != "dense" or self._dense_allowed(shape)]
        return cheapest("diffusion", [self._plan(form, shape, options) for form in forms], shape, options, 20.0)

    def _dense_allowed(self, shape: DataShape) -> bool:
        return self.config.form == "dense" or shape.space.n_items <= DENSE_ITEMS

    def _plan(self, form: Form, shape: DataShape, options: FitOptions) -> Plan:
        config, n_items, threads = self.config, shape.space.n_items, max(1, min(options.threads, 2))
        kept = kept_bytes(config, shape.space, form)
        graph = 40 * shape.n_entries
        if form == "dense":
            pairs = 3.0 * shape.n_entries**2 / max(shape.n_people, 1)
            seconds = 0.05 + (1e-9 * pairs + 3e-11 * (config.steps - 1) * n_items**3) / threads
            return Plan(form, graph + 3 * kept, seconds)
        if form == "top-k":
            halves = 2 * config.steps - 1
            buffers = threads * (64 * (n_items + shape.n_people) + 256 * n_items)
            seconds = 0.1 + n_items * (6e-10 * halves * shape.n_entries + 3e-9 * n_items) / threads
            return Plan(form, graph + kept + buffers, seconds)
        return low_rank_plan(config, shape, options)

    def learn(self, interactions: Interactions, options: FitOptions) -> ItemWeights:
        """W in the planned form."""
        from kuajie.numerics.threads import blas_threads
        from kuajie.numerics.walks import Graph, Walks, whole

        config, space = self.config, interactions.space
        form = self.plan(DataShape.of(interactions), options).method
        matrix = interactions.matrix()
        matrix.eliminate_zeros()
        if config.binary:
            matrix.data[:] = 1
        graph = Graph.of(matrix, config.person_power, config.item_power)
        ratio = config.continuation / graph.growth()
        weights = [ratio**step for step in range(config.steps)]
        if form == "dense":
            with blas_threads(options.threads):
                return DenseWeights(whole(graph, weights, options.threads))
        if form == "top-k":
            return keep_rows(config, Walks(graph, weights), space, "top-k", options.threads)
        return low_rank(graph, weights, config.rank, options)


def low_rank(graph: "Graph", weights: list[float], rank: int, options: FitOptions) -> LowRankWeights:
    """W on the largest singular directions of D: `D^T D ~ V s^2 V^T`."""
    from kuajie.numerics.lowrank import truncated_svd
    from kuajie.numerics.threads import blas_threads

    with blas_threads(options.threads):
        _, values, directions = truncated_svd(graph.edges, rank, options.seed)
    squares = values.astype(np.float64) ** 2
    series = sum(weight * squares ** (step + 1) for step, weight in enumerate(weights))
    left = graph.left[:, None] * directions * np.asarray(series, dtype=np.float32)
    return LowRankWeights(np.ascontiguousarray(left), directions)
