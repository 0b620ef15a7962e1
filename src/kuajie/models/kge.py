"""Knowledge graph embedding: `score(h, j) = sum_i h_i max(cos(v_i, v_j), 0) ** sharpness`.

v are the vectors of items in an embedding of all triples, translational (TransE) or rotational (RotatE; see
`numerics.embedding`). What the same people used is one relation more among the triples ("used with"), so that one
embedding holds behaviour and knowledge; people themselves are in no triple.

Sources: Bordes et al. 2013; Sun et al. 2019; Zhang et al. 2016, "Collaborative knowledge base embedding" (behaviour
and knowledge in one space).
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.core.rows import unit_vectors
from kuajie.models.forms import refuse_large
from kuajie.models.graph_items import graph_of, supported_by
from kuajie.models.item_weights import SparseWeights
from kuajie.models.linear import LinearModel
from kuajie.models.walk import WalkConfig, used_together


class KGEConfig(Config):
    """Knowledge graph embedding.

    Attributes:
        geometry: translation (TransE) or rotation (RotatE).
        dimension: real numbers of each vector, even.
        margin: gamma of the loss.
        rate: of AdaGrad.
        negatives: corrupted triples for each true one.
        epochs: passes over the triples.
        neighbours: similar items of each domain that "used with" joins an item to; 0: knowledge alone.
        sharpness: of the cosines; above 1 near things count more.
        k: entries kept for each history item in each domain.
        popularity_power: scores are multiplied by (training entries of the item) ** popularity_power.
    """

    kind: Literal["kge"] = "kge"
    geometry: Literal["translation", "rotation"] = "translation"
    dimension: Annotated[int, pydantic.Field(ge=2, multiple_of=2)] = 64
    margin: float = pydantic.Field(6.0, gt=0)
    rate: float = pydantic.Field(0.1, gt=0)
    negatives: int = pydantic.Field(4, ge=1)
    epochs: int = pydantic.Field(50, ge=1)
    neighbours: int = pydantic.Field(10, ge=0)
    sharpness: float = pydantic.Field(4.0, gt=0)
    k: int = pydantic.Field(500, ge=1)
    popularity_power: float = pydantic.Field(0.0, ge=-1, le=1)


class KGE(LinearModel[KGEConfig]):
    """Items near the history in an embedding of the graph."""

    config_type: ClassVar[type[KGEConfig]] = KGEConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Passes over the triples, then all cosines, some rows at a time.

        Raises:
            ResourceError: vectors or what is kept do not fit.
        """
        config, n_items = self.config, shape.space.n_items
        triples = shape.n_triples + n_items * config.neighbours * len(shape.space.domains)
        kept = 24 * n_items * min(config.k * len(shape.space.domains), n_items)
        memory = kept + 8 * config.dimension * (n_items + shape.n_triples) + 40 * triples
        refuse_large("kge", memory, options)
        steps = triples * config.epochs * (1 + config.negatives) * config.dimension
        return Plan("AdaGrad", memory, 0.2 + 6e-9 * steps + 1e-8 * n_items**2)

    def supported(self, interactions: Interactions) -> npt.NDArray[np.float64]:
        """Items that were used, and those that the graph knows."""
        return supported_by(graph_of("kge", interactions), interactions)

    def learn(self, interactions: Interactions, options: FitOptions) -> SparseWeights:
        """The nearest items by the cosine of their vectors."""
        from kuajie.numerics.pruning import pruned

        config, space = self.config, interactions.space
        vectors = item_vectors(config, interactions, options)

        def rows(low: int, high: int) -> npt.NDArray[np.float32]:
            found = np.maximum(vectors[low:high] @ vectors.T, 0) ** np.float32(config.sharpness)
            found[np.arange(high - low), np.arange(low, high)] = 0
            return np.ascontiguousarray(found)

        return SparseWeights(pruned(rows, space.n_items, space.offsets, config.k, options.threads))


def item_vectors(config: KGEConfig, interactions: Interactions, options: FitOptions) -> npt.NDArray[np.float32]:
    """Vectors of length 1 around the mean of their domain, 0 for items in no triple: float32 (n_items, dimension).

    A relation that only one domain has moves all its items alike, which the mean takes away.
    """
    from kuajie.numerics.embedding import Training, train
    from kuajie.numerics.network import distinct

    graph, _, _ = distinct(graph_of("kge", interactions))
    heads, kinds, tails = graph.heads, graph.kinds, graph.tails
    if config.neighbours:
        pairs = used_together(WalkConfig(neighbours=config.neighbours), interactions, options).tocoo()
        first, second = (end.astype(np.int32) for end in pairs.coords)
        kinds = np.concatenate([kinds, np.full(len(first), len(graph.relations), np.int32)])
        heads, tails = np.concatenate([heads, first]), np.concatenate([tails, second])
    how = Training(config.geometry, config.dimension, config.margin, config.rate, config.negatives, config.epochs)
    learned = train(heads, kinds, tails, graph.n_entities, len(graph.relations) + 1, how, options.seed)
    known = np.zeros(graph.n_entities, np.bool_)
    known[heads] = known[tails] = True
    vectors = np.where(known[: graph.n_items, None], learned.entities[: graph.n_items], np.float32(0))
    for domain in interactions.space.domains:
        part = interactions.space.slice(domain)
        own = known[part]
        vectors[part][own] -= vectors[part][own].mean(axis=0) if own.any() else 0
    return unit_vectors(vectors)
