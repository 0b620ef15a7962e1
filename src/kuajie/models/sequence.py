"""Sequence-aware neighbourhood: what follows recent items, in one step or several.

    score(h, T) = sum_i phi_i(h) W_ij * support_j^e * trend_j,    W = sum_{l=1..L} c^(l-1) A^l

A is the graph of what follows what (`numerics.follow`): items used closely one after the other, over all domains where
one order holds over them, inside each domain otherwise. phi weighs a history by recency, in positions and in days. With
`steps` above 1 the taste diffuses: what follows is followed in turn (`numerics.series`). The trend favours what many
people used in the days before "now" (`models.trend`).

Sources: Garg et al. 2019, "Sequence and time aware neighborhood for session-based recommendations" (STAN), for decayed
histories; Choi et al. 2021, "Session-aware linear item-item models for session-based recommendation" (SLIST), eq. 9 to
11, for directed co-occurrence with decay in position; Katz 1953 for the series.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan
from kuajie.core.space import ItemSpace
from kuajie.models.item_weights import SparseWeights
from kuajie.models.linear import LinearModel, mask_unknown
from kuajie.models.trend import Trend, TrendConfig
from kuajie.models.weighing import HistoryWeighing

Part = Annotated[float, pydantic.Field(ge=0, le=1)]
Positive = Annotated[float, pydantic.Field(gt=0)]
NotNegative = Annotated[float, pydantic.Field(ge=0)]
Count = Annotated[int, pydantic.Field(ge=1)]


class SequenceConfig(Config):
    """Sequence-aware neighbourhood.

    Attributes:
        window: places looked ahead and back for what follows an item.
        decay: factor for each place in between.
        backward: weight of what came before an item against what came after it; 1: no direction.
        across: weight of pairs of two domains in the graph.
        pair_half_life_days: pairs so many days apart count half; None: days between them do not matter.
        out_power: an item's weights are divided by their sum to this power.
        in_power: what leads to an item is divided by its sum to this power: above 0.5 rare items gain.
        neighbours: items kept for each item in each domain of the graph.
        steps: L; 1: what follows directly.
        damping: c, weight of each further step.
        kept: entries of W kept for each item in each domain, where there are several steps.
        half_life_positions: a history entry so many places back counts half; None: places do not matter.
        half_life_days: a history entry so many days back counts half; None: days do not matter.
        source_weight: weight of history entries of other domains than the target.
        popularity_power: e; scores are multiplied by (training entries of the item) ** e; below 0 rare items gain.
        trend: recent use as a factor; None: none. Needs times.
    """

    kind: Literal["sequence"] = "sequence"
    window: Count = 10
    decay: Part = 0.8
    backward: Part = 0.3
    across: NotNegative = 0.5
    pair_half_life_days: Positive | None = None
    out_power: NotNegative = 0.5
    in_power: NotNegative = 0.3
    neighbours: Count = 100
    steps: Count = 2
    damping: NotNegative = 0.5
    kept: Count = 500
    half_life_positions: Positive | None = 3.0
    half_life_days: Positive | None = None
    source_weight: NotNegative = 0.5
    popularity_power: float = 0.1
    trend: TrendConfig | None = None


class Sequence(LinearModel[SequenceConfig]):
    """What follows recent items is what carries a score."""

    config_type: ClassVar[type[SequenceConfig]] = SequenceConfig
    scoring_fields: ClassVar[frozenset[str]] = frozenset(
        {"popularity_power", "half_life_positions", "half_life_days", "source_weight", "trend"}
    )
    trend_: Trend

    @property
    def weighing(self) -> HistoryWeighing:
        """Recency of history entries."""
        return HistoryWeighing(
            half_life_positions=self.config.half_life_positions, half_life_days=self.config.half_life_days
        )

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Pairs are counted one item at a time; the graph and its series are kept sparse.

        Raises:
            ResourceError: the series does not fit.
        """
        config, space = self.config, shape.space
        n_items, threads = space.n_items, max(1, options.threads)
        pairs = 2.0 * shape.n_entries * config.window
        row = sum(min(config.neighbours, size) for size in space.sizes)
        reached = sum(min(config.kept, size) for size in space.sizes) if config.steps > 1 else 0
        graph = min(n_items * row, pairs)
        series = n_items * reached if config.steps > 1 else 0
        memory = int(100 * shape.n_entries + 24 * graph + 24 * series + threads * 16 * (n_items + 1_024 * row))
        if memory > options.memory_bytes:
            raise ResourceError(
                "sequence with {kept} entries kept for each of {n_items:,} items in each domain needs about "
                "{needed:.1f} GiB, available are {granted:.1f} GiB. Choose fewer 'kept' and 'neighbours', "
                "'steps' = 1, or allow more memory.",
                kept=config.kept,
                n_items=n_items,
                needed=memory / 2**30,
                granted=options.memory_bytes / 2**30,
            )
        products = (config.steps - 1) * graph * max(reached, 1) / 2
        seconds = 0.1 + (3e-8 * pairs + 3e-9 * products) / threads + 3e-7 * shape.n_entries
        return Plan("direct" if config.steps == 1 else "truncated", memory, seconds)

    def learn(self, interactions: Interactions, options: FitOptions) -> SparseWeights:
        """The graph, its series, and the uses of each item on each day."""
        from kuajie.numerics.follow import Follow, follow_graph
        from kuajie.numerics.series import power_series

        config, space = self.config, interactions.space
        follow = Follow(
            window=config.window,
            decay=config.decay,
            backward=config.backward,
            across=config.across,
            half_life_days=config.pair_half_life_days,
            out_power=config.out_power,
            in_power=config.in_power,
            neighbours=config.neighbours,
        )
        self.trend_ = Trend.of(interactions.histories)
        graph = follow_graph(interactions.histories, space, follow, options.threads)
        return SparseWeights(power_series(graph, space, config.damping, config.steps, config.kept, options.threads))

    def apply(self, matrix: sparse.csr_array, target: slice) -> npt.NDArray[np.float32]:
        """Scores of weighed histories as they are now: with the trend of the day after the newest entry."""
        scores = self._untrended(matrix, target)
        if self.config.trend is not None:
            now = Histories.from_lists([[]], self.space_.n_items)
            scores *= self._trend_of_row(now, target, self.config.trend)
        return scores

    def score(self, histories: Histories, target: str) -> npt.NDArray[np.float32]:
        """Scores (n_rows, items of the target domain), with the trend of each row's `at`; NaN without support."""
        part = self.space_.slice(target)
        scores = self._untrended(self.weighing.apply(histories, self.space_).matrix(), part)
        if self.config.trend is not None:
            self.trend_.scale(scores, histories, part, self.config.trend)
        return mask_unknown(scores, histories, self.support_, part)

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """The terms of the sum, one for each distinct history item, for a single history."""
        part = self.space_.slice(target)
        row = self._weigh_sources(self.weighing.apply(histories, self.space_).matrix(), part)
        weights = self.weights_.entries(row.indices, np.asarray(items) + part.start)
        factors = np.ones(part.stop - part.start, dtype=np.float32)
        if self.popularity_power:
            factors *= self.column_scale(part)
        if self.config.trend is not None:
            factors *= self._trend_of_row(histories, part, self.config.trend)
        return Explanation(
            history_items=row.indices.astype(np.int32),
            contributions=(row.data[:, None] * weights * factors[items]).T.astype(np.float64),
            base=np.zeros(len(items)),
            exact=self.exact,
        )

    def _untrended(self, matrix: sparse.csr_array, part: slice) -> npt.NDArray[np.float32]:
        return super().apply(self._weigh_sources(matrix, part), part)

    def _weigh_sources(self, matrix: sparse.csr_array, part: slice) -> sparse.csr_array:
        """Weighed histories with the entries of other domains multiplied by `source_weight`."""
        if self.config.source_weight == 1:
            return matrix
        inside = (matrix.indices >= part.start) & (matrix.indices < part.stop)
        weights = np.where(inside, matrix.data, matrix.data * np.float32(self.config.source_weight))
        return sparse.csr_array((weights, matrix.indices, matrix.indptr), shape=matrix.shape)

    def column_scale(self, target: slice) -> npt.NDArray[np.float32]:
        """The factor support ** e; items never trained are masked later, and must not divide by zero here."""
        return np.asarray(np.maximum(self.support_[target], 1.0) ** self.popularity_power, dtype=np.float32)

    def _trend_of_row(self, histories: Histories, part: slice, config: TrendConfig) -> npt.NDArray[np.float32]:
        """The trend's factors for a single history: (n_target,)."""
        return next(factor for _, factor in self.trend_.factors(self.trend_.days_of(histories), part, config))

    def arrays(self) -> Arrays:
        """W, the support and, where it is used, the trend."""
        return super().arrays() | (self.trend_.arrays() if self.config.trend is not None else {})

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""
        weights: dict[str, Any] = {name: array for name, array in arrays.items() if not name.startswith("trend.")}
        model = super().from_arrays(config, space, weights)
        if model.config.trend is not None:
            model.trend_ = Trend.from_arrays(arrays, space.n_items)
        return model
