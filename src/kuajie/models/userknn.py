"""User neighbourhood: what the people with the most similar histories used.

Herlocker et al. 1999, "An algorithmic framework for performing collaborative filtering". The formulas stand in
`numerics.neighbours`. The fitted state is people's rows: batch-only, and an erasure retires it.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import ArtifactError, ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, per_item, stored
from kuajie.core.space import ItemSpace
from kuajie.models.itemknn import prepared
from kuajie.models.linear import mask_unknown

if TYPE_CHECKING:
    from kuajie.numerics.neighbours import Crowd


class UserKNNConfig(Config):
    """User neighbourhood.

    Attributes:
        k: people who carry a score.
        shrinkage: h of n / (n + h): people who share few items count less.
        sharpness: similarities are raised to this power; above 1 near people count more.
        binary: take every entry as 1.
        item_power: entries are divided by (training entries of the item)^(item_power / 2) before people are compared,
            so that agreeing on what everybody uses says less.
        popularity_power: scores are multiplied by (training entries of the item)^popularity_power.
    """

    kind: Literal["userknn"] = "userknn"
    k: int = pydantic.Field(200, ge=1)
    shrinkage: float = pydantic.Field(2.0, ge=0)
    sharpness: float = pydantic.Field(0.5, gt=0)
    binary: bool = True
    item_power: float = pydantic.Field(0.5, ge=0)
    popularity_power: float = pydantic.Field(0.2, ge=-1, le=1)


class UserKNN:
    """Similar people carry a score.

    Attributes:
        space_: the joint item space.
        support_: float64 (n_items,), training entries of each item.
        matrix_: float32 (n_people, n_items), the training rows.
    """

    config_type: ClassVar[type[UserKNNConfig]] = UserKNNConfig
    contains_histories: bool = True
    space_: ItemSpace
    support_: npt.NDArray[np.float64]
    matrix_: sparse.csr_array
    _crowd: "Crowd"

    def __init__(self, config: UserKNNConfig | None = None) -> None:
        self.config = config or UserKNNConfig()

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """The training rows, twice; the work is done when scoring.

        Raises:
            ResourceError: they do not fit.
        """
        memory = 64 * shape.n_entries + 32 * shape.n_people
        if memory > options.memory_bytes:
            raise ResourceError(
                "userknn for {n_entries:,} entries needs about {needed:.1f} GiB, available are {granted:.1f} "
                "GiB. Take itemknn instead or allow more memory.",
                n_entries=shape.n_entries,
                needed=memory / 2**30,
                granted=options.memory_bytes / 2**30,
            )
        return Plan("direct", memory, 0.05 + 5e-8 * shape.n_entries)

    def fit(self, interactions: Interactions, options: FitOptions | None = None) -> Self:
        """Keep the training rows.

        Raises:
            ResourceError: the plan does not fit into the memory given.
        """
        options = options or FitOptions()
        self.plan(DataShape.of(interactions), options)
        self.space_, self.support_ = interactions.space, interactions.support()
        self.matrix_ = prepared(interactions.matrix(), self.config.binary, person_power=0)
        self._index()
        return self

    def _index(self) -> None:
        from kuajie.numerics.neighbours import Crowd

        self._crowd = Crowd.of(self._scaled(self.matrix_), self.space_)

    def _scaled(self, matrix: sparse.csr_array) -> sparse.csr_array:
        """Entries as they are compared."""
        scale = np.maximum(self.support_, 1) ** (-self.config.item_power / 2)
        data = matrix.data * scale[matrix.indices].astype(np.float32)
        return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def score(self, histories: Histories, target: str) -> npt.NDArray[np.float32]:
        """Scores (n_rows, items of the target domain); NaN without training support."""
        part, config = self.space_.slice(target), self.config
        matrix = self._scaled(prepared(histories.matrix(), config.binary, person_power=0))
        scores = self._crowd.score(matrix, target, config.k, config.shrinkage, config.sharpness)
        # neighbours' entries were scaled for the comparison: undo that, and weigh by popularity
        scores *= (np.maximum(self.support_[part], 1) ** (config.item_power / 2 + config.popularity_power)).astype(
            np.float32
        )
        return mask_unknown(scores, histories, self.support_, part)

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """How far each score falls when one history item is removed; the falls need not sum to the score."""
        distinct = np.unique(histories.items)
        copies = histories.take(np.zeros(len(distinct) + 1, dtype=np.int64))
        removed = np.concatenate([[-1], distinct])[copies.rows()]
        scores = np.nan_to_num(self.score(copies.keep(copies.items != removed), target)[:, items].astype(np.float64))
        return Explanation(distinct.astype(np.int32), (scores[0] - scores[1:]).T, np.zeros(len(items)), exact=False)

    def arrays(self) -> Arrays:
        """The training rows."""
        return {
            "support": self.support_,
            "data": self.matrix_.data.astype(np.float32),
            "indices": self.matrix_.indices.astype(np.int32),
            "indptr": self.matrix_.indptr.astype(np.int64),
        }

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""
        model = cls(config)  # type: ignore[arg-type]
        model.space_ = space
        model.support_ = np.asarray(per_item(arrays, "support", space), dtype=np.float64)
        model.matrix_ = rows_from_arrays(arrays, space)
        model._index()
        return model


def rows_from_arrays(arrays: Arrays, space: ItemSpace) -> sparse.csr_array:
    """Stored training rows.

    Raises:
        ArtifactError: they do not fit together or into the item space.
    """
    indptr = stored(arrays, "indptr", (-1,)).astype(np.int64)
    entries = int(indptr[-1]) if len(indptr) else -1
    items, values = stored(arrays, "indices", (entries,)), stored(arrays, "data", (entries,))
    if (
        indptr[0] != 0
        or (np.diff(indptr) < 0).any()
        or (entries and not 0 <= items.min() <= items.max() < space.n_items)
    ):
        raise ArtifactError("the stored rows of userknn do not fit into the catalogue. Train the model again.")
    return sparse.csr_array((values.astype(np.float32), items, indptr), shape=(len(indptr) - 1, space.n_items))
