"""The shared base of linear models: `score(h, T) = (phi(h) @ W[:, T]) * popularity ** e + base`, a sum of reasons.

A model learns W (`learn`) and may weigh the entries of a history (`weighing`); everything else of the contract follows.
"""

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan
from kuajie.core.space import ItemSpace
from kuajie.core.statistics import Statistics
from kuajie.models.item_weights import ItemWeights, weights_from_arrays
from kuajie.models.weighing import HistoryWeighing

C = TypeVar("C", bound=Config)
Known: TypeAlias = npt.NDArray[np.bool_] | npt.NDArray[np.float64]


class LinearModel(ABC, Generic[C]):
    """A recommender whose scores are linear in the weighted history.

    Attributes:
        space_: the joint item space it was fitted on.
        support_: float64 (n_items,), training entries of each item; 0 = unknown.
        weights_: W.
    """

    config_type: ClassVar[type[Any]]
    scoring_fields: ClassVar[frozenset[str]] = frozenset({"popularity_power"})
    """Config fields that `learn` does not read: what they change needs no new fit."""
    contains_histories: bool = False
    space_: ItemSpace
    support_: npt.NDArray[np.float64]
    weights_: ItemWeights

    def __init__(self, config: C | None = None) -> None:
        self._config: C = config if config is not None else self.config_type()

    @property
    def config(self) -> C:
        """The frozen hyperparameters."""
        return self._config

    @abstractmethod
    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Predict memory, time and method of a fit."""

    @abstractmethod
    def learn(self, interactions: Interactions, options: FitOptions) -> ItemWeights:
        """Compute W from training data."""

    @property
    def weighing(self) -> HistoryWeighing:
        """Phi: how much the entries of a history count; as they are unless a model says otherwise.

        Models with equal weighing can be merged into one matrix.
        """
        return HistoryWeighing()

    @property
    def popularity_power(self) -> float:
        """The e of the scores' factor (training entries of the item) ** e; a config field of that name sets it."""
        return float(getattr(self._config, "popularity_power", 0.0))

    def apply(self, matrix: sparse.csr_array, target: slice) -> npt.NDArray[np.float32]:
        """Scores of weighed histories (n_rows, n_items), before the unknown ones are masked: (n_rows, n_target)."""
        scores = self.weights_.apply(matrix, target)
        if self.popularity_power:
            scores *= self.column_scale(target)
        return scores

    def column_scale(self, target: slice) -> npt.NDArray[np.float32]:
        """The factor of popularity: (n_target,)."""
        return np.asarray(self.support_[target] ** self.popularity_power, dtype=np.float32)

    @property
    def known_(self) -> npt.NDArray[np.bool_]:
        """Items that have a score, and whose entries say something: bool (n_items,)."""
        return self.support_ > 0

    @property
    def has_base(self) -> bool:
        """Whether `base` is more than zeros."""
        return False

    def base(self, target: slice) -> npt.NDArray[np.float32]:
        """What a score holds whoever asks: (n_target,)."""
        return np.zeros(target.stop - target.start, dtype=np.float32)

    @property
    def exact(self) -> bool:
        """Removing an entry takes exactly its part away; not where it moves other entries' positions."""
        return self.weighing.half_life_positions is None

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Learn W and the items' support.

        Raises:
            ResourceError: the plan does not fit into the memory given.
        """
        options = options or FitOptions()
        self.plan(DataShape.of(interactions), options)
        self.space_ = interactions.space
        self.support_ = self.supported(interactions)
        self.weights_ = self.learn(interactions, options)
        return self

    def supported(self, interactions: Interactions) -> npt.NDArray[np.float64]:
        """What `support_` becomes; a model that scores items nobody used says here which it knows."""
        return interactions.support()

    def fit_statistics(self, statistics: Statistics, options: FitOptions | None = None) -> Self:
        """See `Updatable.fit_statistics`.

        Raises:
            UsageError: the model does not follow from sums.
            ResourceError: the matrix does not fit into the memory given.
        """
        self.space_ = statistics.space
        self.support_ = np.rint(statistics.items["support"])
        self.weights_ = self.learn_statistics(statistics, options or FitOptions())
        return self

    def learn_statistics(self, statistics: Statistics, options: FitOptions) -> ItemWeights:
        """Compute W from sums; models that can also have `statistics`."""
        raise UsageError("the model '{kind}' does not follow from sums", kind=self.config.kind)  # type: ignore[attr-defined]

    def with_config(self, config: C) -> Self:
        """The same learned state under a config that differs in `scoring_fields` alone."""
        model = copy.copy(self)
        model._config = config
        return model

    def score(self, histories: Histories, target: str) -> npt.NDArray[np.float32]:
        """Scores (n_rows, items of the target domain); NaN without training support."""
        part = self.space_.slice(target)
        matrix = self.weighing.apply(histories, self.space_).matrix()
        scores = self.apply(matrix, part)
        if self.has_base:
            scores += self.base(part)
        return mask_unknown(scores, histories, self.known_, part)

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """The terms of the sum, one for each distinct history item, for a single history."""
        part = self.space_.slice(target)
        row: sparse.csr_array = self.weighing.apply(histories, self.space_).matrix()
        weights = self.weights_.entries(row.indices, np.asarray(items) + part.start)
        if self.popularity_power:
            weights = weights * self.column_scale(part)[items]
        known = self.known_
        scored = known[part][items] & (known_items(histories, known)[0] > 0)
        return Explanation(
            history_items=row.indices.astype(np.int32),
            contributions=(row.data[:, None] * weights).T.astype(np.float64),
            base=np.where(scored, self.base(part)[items], 0.0).astype(np.float64),
            exact=self.exact,
        )

    def arrays(self) -> Arrays:
        """W and the support."""
        return {"support": self.support_, **self.weights_.arrays()}

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""
        model = cls(config)  # type: ignore[arg-type]
        model.space_ = space
        model.support_ = np.asarray(arrays["support"], dtype=np.float64)
        model.weights_ = weights_from_arrays({name: a for name, a in arrays.items() if name != "support"})
        return model


def mask_unknown(
    scores: npt.NDArray[np.float32], histories: Histories, known: Known, target: slice
) -> npt.NDArray[np.float32]:
    """NaN for items not known and for rows whose history holds no known item; changes `scores` in place.

    Args:
        scores: (n_rows, n_target).
        histories: of the rows.
        known: (n_items,), whether an item is known, or its training entries.
        target: the scored items.
    """
    scores[:, known[target] == 0] = np.nan
    scores[known_items(histories, known) == 0] = np.nan
    return scores


def known_items(histories: Histories, known: Known) -> npt.NDArray[np.int64]:
    """Number of entries of each history with weight > 0 whose item is known: (n_rows,)."""
    counted = (known[histories.items] > 0) & (histories.weights > 0)
    return np.bincount(histories.rows()[counted], minlength=histories.n_rows)
