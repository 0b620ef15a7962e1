"""Meta-path counts: `score(h, j) = sum_i h_i s_ij`, s the PathSim of what the knowledge graph joins.

Two things are alike if short paths over entities join them: same brand, same topic, a category that is about the
topic of a course. Formulas and sources in `numerics.metapaths`. Behaviour decides at most how much each kind of path
counts, so items that nobody used are scored like all others.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.models.forms import refuse_large
from kuajie.models.graph_items import graph_of, some_used, supported_by
from kuajie.models.item_weights import SparseWeights
from kuajie.models.linear import LinearModel

NotNegative = Annotated[float, pydantic.Field(ge=0)]


class MetaPathConfig(Config):
    """Meta-path counts.

    Attributes:
        relations: pairs of a path and its weight; a path is a relation, or ".relation" for the second of two steps.
        learned: weigh paths that are not named by how much more often than by chance people use what they join.
        hub_power: an entity with d edges counts d ** -hub_power.
        two_steps: whether paths may go over two entities.
        widest: entities with more edges are not gone on from.
        sharpness: similarities are raised to this power; above 1 near things count more.
        k: entries kept for each history item in each domain.
        popularity_power: scores are multiplied by (training entries of the item) ** popularity_power.
    """

    kind: Literal["metapath"] = "metapath"
    relations: tuple[tuple[str, NotNegative], ...] = ()
    learned: bool = True
    hub_power: NotNegative = 0.5
    two_steps: bool = True
    widest: int = pydantic.Field(1_000, ge=1)
    sharpness: float = pydantic.Field(1.0, gt=0)
    k: int = pydantic.Field(500, ge=1)
    popularity_power: float = pydantic.Field(0.5, ge=-1, le=1)


class MetaPath(LinearModel[MetaPathConfig]):
    """What is joined to the history over few entities."""

    config_type: ClassVar[type[MetaPathConfig]] = MetaPathConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Products of sparse matrices, some rows at a time.

        Raises:
            ResourceError: what is kept does not fit.
        """
        n_items, threads = shape.space.n_items, max(1, options.threads)
        kept = 24 * n_items * min(self.config.k * len(shape.space.domains), n_items)
        memory = kept + 400 * shape.n_triples + threads * 1_000 * n_items
        refuse_large("metapath", memory, options)
        seconds = 0.2 + 1.5e-8 * n_items**2 + 5e-6 * shape.n_triples
        return Plan("sparse products", memory, seconds)

    def supported(self, interactions: Interactions) -> npt.NDArray[np.float64]:
        """Items that were used, and those that the graph knows."""
        return supported_by(graph_of("metapath", interactions), interactions)

    def learn(self, interactions: Interactions, options: FitOptions) -> SparseWeights:
        """The nearest items by paths."""
        from kuajie.numerics.metapaths import PathSim, item_paths, path_weights
        from kuajie.numerics.network import Network
        from kuajie.numerics.pruning import pruned

        config, space = self.config, interactions.space
        network = Network.of(graph_of("metapath", interactions))
        paths = item_paths(network, config.hub_power, config.two_steps, config.widest)
        used = some_used(interactions, options.seed)
        rows = PathSim(paths.features(path_weights(paths, used, dict(config.relations), config.learned)))
        weights = pruned(rows, space.n_items, space.offsets, config.k, options.threads)
        if config.sharpness != 1:
            weights.data **= np.float32(config.sharpness)
        return SparseWeights(weights)
