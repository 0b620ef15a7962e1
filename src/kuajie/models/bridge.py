"""Bridge: what a person did in other domains is translated into items of the target, and a target-only model goes on.

    t(h)_j   = sum of h_i s_ij over the items i of other domains, + h_j       j in the target
    score(h) = score of the target-only model for the history t(h)

s is likeness by texts or by the knowledge graph, so nobody need be known in two domains; what people of the target use
together is learned from them alone. Likeness finds a few items of the target that are like what was used elsewhere;
behaviour then finds what their people use besides, which shares no word with it.

The idea of a target-only model on items that stand for a foreign history is that of Man et al. 2017, "Cross-domain
recommendation: an embedding and mapping approach", section 3, with items in the place of factors, so that it needs no
linked people to learn the map from.
"""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.models.content import Content, ContentConfig
from kuajie.models.diffusion import Diffusion, DiffusionConfig
from kuajie.models.ease import EASE, EASEConfig
from kuajie.models.forms import refuse_large
from kuajie.models.item_weights import SparseWeights
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.linear import LinearModel
from kuajie.models.metapath import MetaPath, MetaPathConfig
from kuajie.numerics.jit import F32

Translator = Annotated[ContentConfig | MetaPathConfig, pydantic.Field(discriminator="kind")]
Within = Annotated[DiffusionConfig | EASEConfig | ItemKNNConfig, pydantic.Field(discriminator="kind")]
MODELS: dict[str, type[LinearModel[Any]]] = {
    "content": Content,
    "metapath": MetaPath,
    "diffusion": Diffusion,
    "ease": EASE,
    "itemknn": ItemKNN,
}


class BridgeConfig(Config):
    """A bridge between domains that need not share anybody.

    Attributes:
        by: what translates an item into items of other domains. Its factor of popularity is in the translation, too.
        within: learned in each domain from its own people alone.
        k: entries kept for each history item in each domain.
    """

    kind: Literal["bridge"] = "bridge"
    by: Translator = ContentConfig(k=100, reach="across", sharpness=2.0, popularity_power=0.0, background=0.0)
    within: Within = DiffusionConfig()
    k: Annotated[int, pydantic.Field(ge=1)] = 500


class Bridge(LinearModel[BridgeConfig]):
    """See the module. Linear in the history, as both of its parts are, so that shares are exact and it merges."""

    config_type: ClassVar[type[BridgeConfig]] = BridgeConfig
    scoring_fields: ClassVar[frozenset[str]] = frozenset()

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """The translation, one model after the other, and the largest entries of their products.

        Raises:
            ResourceError: one of the parts, or what is kept, does not fit.
        """
        parts = [built(config).plan(shape, options) for config in (self.config.by, self.config.within)]
        n_items, n_domains = shape.space.n_items, len(shape.space.domains)
        kept = 24 * n_items * min(self.config.k * n_domains, n_items)
        memory = kept + sum(part.memory_bytes for part in parts)
        refuse_large("bridge", memory, options)
        products = 2e-9 * n_items**2 * n_domains / max(1, options.threads)
        return Plan("translated", memory, products + sum(part.seconds for part in parts))

    def learn(self, interactions: Interactions, options: FitOptions) -> SparseWeights:
        """The largest entries of translation times the target's own model."""
        from kuajie.numerics.pruning import pruned

        space = interactions.space
        translated = self._translated(interactions, options)
        within = {name: built(self.config.within).fit(interactions.only(name), options) for name in space.domains}

        def rows_of(low: int, high: int) -> F32:
            """What each of some items says of everything: float32 (high - low, n_items)."""
            rows = translated[low:high]
            return np.hstack([model.apply(rows, space.slice(name)) for name, model in within.items()])

        return SparseWeights(pruned(rows_of, space.n_items, space.offsets, self.config.k, options.threads))

    def _translated(self, interactions: Interactions, options: FitOptions) -> sparse.csr_array:
        """What stands for each item in each domain, in its own it alone: float32 CSR (n_items, n_items)."""
        space, by = interactions.space, built(self.config.by).fit(interactions, options)
        found = sparse.coo_array(by.weights_.matrix)  # type: ignore[attr-defined]
        domains = space.domain_of(np.arange(space.n_items))
        row, column = found.coords
        across = (domains[row] != domains[column]) & by.known_[row] & by.known_[column]
        scale = np.concatenate([by.column_scale(space.slice(name)) for name in space.domains])
        values = (found.data * scale[column])[across].astype(np.float32)
        others = sparse.csr_array((values, (row[across], column[across])), shape=found.shape)
        return sparse.csr_array(others + sparse.eye_array(space.n_items, dtype=np.float32, format="csr"))


def built(config: Config) -> LinearModel[Any]:
    """The unfitted linear model of a part."""
    return MODELS[config.kind](config)  # type: ignore[attr-defined]
