"""Personalised random walk on the joint graph of behaviour and knowledge: `score(h, j) = sum_i h_i p_i(j)`.

p_i is the personalised PageRank of item i. From an item the walk goes on, with a chance of `behaviour`, to an item
that the same people used (by joint similarity, over all domains), else along a triple or label; from an entity always
along a triple. People are no nodes of the graph: of what they did only the similarities of items stay.

The walk of a history is the sum of the walks of its items (PageRank is linear in its start), so shares are exact and
what is saved are the largest entries of W, from which anybody is answered.

Sources: Haveliwala 2002, "Topic-sensitive PageRank"; Andersen, Chung, Lang 2006 (local push, `numerics.push`);
Catherine and Cohen 2016, "Personalized recommendations using knowledge graphs: a probabilistic logic programming
approach".
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions, Plan
from kuajie.core.side import TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.models.forms import refuse_large
from kuajie.models.graph_items import graph_of, some_used, supported_by
from kuajie.models.item_weights import SparseWeights
from kuajie.models.itemknn import prepared
from kuajie.models.linear import LinearModel

Chance = Annotated[float, pydantic.Field(ge=0, le=1)]
NotNegative = Annotated[float, pydantic.Field(ge=0)]


class WalkConfig(Config):
    """Personalised random walk.

    Attributes:
        restart: alpha, the chance of going back to the start at each step; higher: nearer things.
        behaviour: the chance of going from an item to one that the same people used, where it has both kinds of edges.
        hub_power: an entity with d edges is entered d ** -hub_power times as likely.
        relations: pairs of a relation and the weight of its edges.
        learned: weigh relations that are not named by how much more often than by chance people use what they join
            (see `numerics.metapaths.path_weights`); False: these weigh 1.
        neighbours: similar items of each domain that an item is joined to.
        shrinkage: of these similarities; see `itemknn`.
        epsilon: walks stop where less than this times a node's edges is left; smaller: more exact and slower.
        k: entries of W kept for each history item in each domain.
        popularity_power: scores are multiplied by (training entries of the item) ** popularity_power.
    """

    kind: Literal["walk"] = "walk"
    restart: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.3
    behaviour: Chance = 0.5
    hub_power: NotNegative = 0.5
    relations: tuple[tuple[str, NotNegative], ...] = ()
    learned: bool = True
    neighbours: int = pydantic.Field(50, ge=1)
    shrinkage: NotNegative = 10.0
    epsilon: Annotated[float, pydantic.Field(gt=0, lt=1)] = 1e-5
    k: int = pydantic.Field(500, ge=1)
    popularity_power: float = pydantic.Field(0.0, ge=-1, le=1)


class Walk(LinearModel[WalkConfig]):
    """What short walks from the history reach, over people and over knowledge."""

    config_type: ClassVar[type[WalkConfig]] = WalkConfig

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """One local walk from each item.

        Raises:
            ResourceError: what is kept does not fit.
        """
        n_items, threads, config = shape.space.n_items, max(1, options.threads), self.config
        kept = 24 * n_items * min(config.k * len(shape.space.domains), n_items)
        memory = kept + 80 * shape.n_triples + 48 * n_items * config.neighbours + threads * 320 * n_items
        refuse_large("walk", memory, options)
        pairs = 1.7 * shape.n_entries * (shape.n_entries / max(shape.n_people, 1) + 1)
        walks = n_items * (4e-9 * n_items + 4e-9 / (config.restart * config.epsilon))
        return Plan("local push", memory, 0.1 + (walks + 5e-9 * pairs + 3e-7 * shape.n_triples) / threads)

    def supported(self, interactions: Interactions) -> npt.NDArray[np.float64]:
        """Items that were used, and those that the graph knows."""
        return supported_by(graph_of("walk", interactions), interactions)

    def learn(self, interactions: Interactions, options: FitOptions) -> SparseWeights:
        """The largest entries of the walks from each item."""
        from kuajie.numerics.pruning import pruned
        from kuajie.numerics.push import Walker

        config, space = self.config, interactions.space
        edges = joint_edges(config, graph_of("walk", interactions), interactions, options)
        walker = Walker.of(edges, config.restart, config.epsilon, space.n_items)
        return SparseWeights(pruned(walker.rows, space.n_items, space.offsets, config.k, options.threads))


def joint_edges(
    config: WalkConfig, graph: TripleGraph, interactions: Interactions, options: FitOptions
) -> sparse.csr_array:
    """The chances of all edges: float64 CSR (n_nodes, n_nodes); rows sum to 1, or are empty."""
    from kuajie.numerics.metapaths import relation_weights
    from kuajie.numerics.network import Network

    network = Network.of(graph)
    weights = stated = dict(config.relations)
    if config.learned:
        some = some_used(interactions, options.seed)
        weights = relation_weights(network, config.hub_power, some, stated)
    knowledge = row_shares(network.matrix(network.weights(weights, config.hub_power)))
    used = row_shares(used_together(config, interactions, options))
    if not config.behaviour or not used.nnz:
        return knowledge
    share = np.zeros(network.n_nodes)
    share[: network.n_items] = np.where(np.diff(used.indptr) > 0, config.behaviour, 0.0)
    share[np.diff(knowledge.indptr) == 0] = 1.0  # what has one kind of edges alone walks along these
    used.resize((network.n_nodes, network.n_nodes))
    both = sparse.diags_array(share) @ used + sparse.diags_array(1 - share) @ knowledge
    both = sparse.csr_array(both)
    both.eliminate_zeros()
    return both


def used_together(config: WalkConfig, interactions: Interactions, options: FitOptions) -> sparse.csr_array:
    """How alike the items' people are: float32 CSR (n_items, n_items), the nearest of each item in each domain."""
    from kuajie.numerics.similarity import Similarity, item_neighbours

    space: ItemSpace = interactions.space
    matrix = prepared(interactions.matrix(), binary=True, person_power=0.0)
    similarity = Similarity(k=min(config.neighbours, space.n_items), shrinkage=config.shrinkage)
    found = item_neighbours(matrix, space, similarity, options.threads, dense=space.n_items <= 2_000)
    return sparse.csr_array(found.T)


def row_shares(matrix: sparse.csr_array) -> sparse.csr_array:
    """Rows scaled to sum to 1; rows of zeros stay."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.where(sums > 0, 1 / np.where(sums > 0, sums, 1.0), 0.0)
    return sparse.csr_array(sparse.diags_array(scale) @ matrix)
