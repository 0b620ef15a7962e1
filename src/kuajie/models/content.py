"""Content: what is like what a person used, by what is said of it; knows items that nobody has used yet.

    score(h, j) = (sum_i h_i s_ij + b) * popularity_j ** e,   s = cosine of features, the k nearest of each domain

Lops, de Gemmis and Semeraro 2011, "Content-based recommender systems: state of the art and trends", section 3.3. As s
needs no person, it leads from one domain into another that shares nobody with it: a bridge of texts. Linear in the
history, so that shares are exact and it merges into blends.
"""

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import Arrays, DataShape, FitOptions, Plan, per_item
from kuajie.core.space import ItemSpace
from kuajie.models.item_features import FeatureWeights, ItemFeatures, item_features
from kuajie.models.item_weights import SparseWeights
from kuajie.models.linear import LinearModel
from kuajie.text.encoders import AnyEncoderConfig
from kuajie.text.tfidf import TfidfConfig

F32 = npt.NDArray[np.float32]
Count = Annotated[int, pydantic.Field(ge=1)]
NotNegative = Annotated[float, pydantic.Field(ge=0)]


class ContentConfig(Config):
    """Likeness of what is said of items.

    Attributes:
        encoder: of their texts.
        weights: of texts, labels, numbers and vectors.
        fields: names of what is read; none: everything.
        bins: quantiles that numbers are told apart by.
        k: items of each domain that an item of a history speaks for.
        reach: which domains an item speaks for: all, its own, or the others.
        sharpness: likeness is raised to this power; above 1 near items count more.
        popularity_power: scores are multiplied by (strength of all training entries of the item)^popularity_power.
        new_quantile: of that strength among the used items of its domain; what an item that nobody used counts as in
            that factor. High values show new items more.
        background: b, the likeness of every item to every history: what the factor of popularity carries where the
            history says nothing.
    """

    kind: Literal["content"] = "content"
    encoder: AnyEncoderConfig = TfidfConfig()
    weights: FeatureWeights = FeatureWeights()
    fields: tuple[str, ...] = ()
    bins: Annotated[int, pydantic.Field(ge=2, le=256)] = 8
    k: Count = 200
    reach: Literal["all", "within", "across"] = "all"
    sharpness: Annotated[float, pydantic.Field(gt=0)] = 2.0
    popularity_power: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.5
    new_quantile: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.5
    background: NotNegative = 0.05


class Content(LinearModel[ContentConfig]):
    """See the module.

    Attributes:
        described_: bool (n_items,), items that something is known of.
        popularity_: float64 (n_items,), strength of the training entries of each item.
    """

    config_type: ClassVar[type[ContentConfig]] = ContentConfig
    scoring_fields: ClassVar[frozenset[str]] = frozenset({"popularity_power", "new_quantile", "background"})
    described_: npt.NDArray[np.bool_]
    popularity_: npt.NDArray[np.float64]

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """The texts' terms, then products a few rows at a time.

        Raises:
            ResourceError: the neighbours themselves do not fit.
        """
        n_items, space = shape.space.n_items, shape.space
        kept = 24 * n_items * sum(min(self.config.k, size) for size in space.sizes)
        needed = kept + 8_000 * n_items + max(1, options.threads) * 512 * n_items
        if needed > options.memory_bytes:
            raise ResourceError(
                "content with {k} neighbours in each domain for {n_items:,} items needs about {needed:.1f} GiB, "
                "available are {granted:.1f} GiB. Choose a smaller k or allow more memory.",
                k=self.config.k,
                n_items=n_items,
                needed=needed / 2**30,
                granted=options.memory_bytes / 2**30,
            )
        slow = {"tfidf": 1e-4, "word2vec": 1e-3, "sentences": 1e-2}[self.config.encoder.kind]
        return Plan("row-blocks", needed, 0.1 + slow * n_items + 1e-8 * n_items**2 / max(1, options.threads))

    @property
    def known_(self) -> npt.NDArray[np.bool_]:
        """Items that something is known of, used or not."""
        return self.described_

    def learn(self, interactions: Interactions, options: FitOptions) -> SparseWeights:
        """Likeness of each pair of items, the k best of each row and domain.

        Raises:
            DataError: nothing is known of any item, or not one of the fields.
        """
        config = self.config
        features = item_features(
            interactions.side,
            interactions.space,
            config.encoder,
            config.weights,
            config.fields,
            config.bins,
            options.seed,
        )
        self.described_ = features.described
        histories = interactions.histories
        sums = np.bincount(histories.items, histories.weights, interactions.space.n_items)
        self.popularity_ = sums.astype(np.float64)
        return SparseWeights(self._likeness(features, interactions.space, options.threads))

    def _likeness(self, features: ItemFeatures, space: ItemSpace, threads: int) -> sparse.csr_array:
        from kuajie.numerics.likeness import Rowed, nearest

        reach, bounds = self.config.reach, space.offsets
        rows = Rowed(features.scattered, features.full)
        domains = space.domain_of(np.arange(space.n_items))

        def change(found: F32, low: int, high: int) -> None:
            """Nothing is its own neighbour; only domains in reach."""
            found[np.arange(high - low), np.arange(low, high)] = 0
            if reach != "all":
                own = space.domain_of(np.arange(low, high))[:, None] == domains
                found[own if reach == "across" else ~own] = 0

        weights = nearest(rows, rows, bounds, self.config.k, threads, change)
        if self.config.sharpness != 1:
            weights.data **= np.float32(self.config.sharpness)
        return weights

    def column_scale(self, target: slice) -> F32:
        """The factor of popularity: (n_target,)."""
        used = self.popularity_[target]
        new = np.quantile(used[used > 0], self.config.new_quantile) if used.any() else 1.0
        return np.asarray(np.where(used > 0, used, new) ** self.popularity_power, dtype=np.float32)

    @property
    def has_base(self) -> bool:
        """Whether popularity carries anything by itself."""
        return self.config.background > 0

    def base(self, target: slice) -> F32:
        """What popularity carries whoever asks."""
        return np.float32(self.config.background) * self.column_scale(target)

    def arrays(self) -> Arrays:
        """W, the support, the popularity, and which items are described."""
        described = self.described_.astype(np.uint8)
        return super().arrays() | {"described": described, "popularity": self.popularity_}

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted model again."""
        described = np.asarray(per_item(arrays, "described", space)) > 0
        own = ("described", "popularity")
        model = super().from_arrays(config, space, {name: a for name, a in arrays.items() if name not in own})
        model.described_ = described
        model.popularity_ = np.asarray(per_item(arrays, "popularity", space), dtype=np.float64)
        return model
