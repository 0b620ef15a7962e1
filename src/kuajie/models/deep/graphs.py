"""The base of graph models: what items say spreads over the people who used them before it is read and offered.

    x^(0) = E,    x^(l+1) = sum_d A_d^T (B_d x^(l)),    r = o = mean_l x^(l),    p(h, d) = B_d(h) r

B_d says how much the items of a history count for domain d, for people in training and for any history afterwards, so
that folding a history in is what people in training got. Layers of people start from nothing of their own. After
training only the vectors of items are kept: no graph, nobody's row.
"""

from abc import abstractmethod
from typing import TypeVar

import torch
from torch import nn

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import Size
from kuajie.models.deep.edges import Edges
from kuajie.models.deep.set_configs import GraphConfig
from kuajie.models.deep.sets import SetModel, Tables, normal
from kuajie.models.deep.training import device_of

C = TypeVar("C", bound=GraphConfig)


class GraphNetwork(nn.Module):
    """Item vectors and, while training, the graph that they spread over.

    Attributes:
        hops: pairs of edges: people read by the first, and items hear by the second.
        spread: what `settle` computed last; None: to be computed.
    """

    def __init__(self, n_items: int, dim: int, rounds: int) -> None:
        super().__init__()
        self.items = normal(n_items, dim)
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.rounds = rounds
        self.hops: list[tuple[Edges, Edges]] = []
        self.spread: torch.Tensor | None = None

    def forward(self) -> torch.Tensor:
        """Mean of the layers: (n_items, dim)."""
        layer = self.items.weight
        if not self.hops:
            return layer
        total = layer
        for _ in range(self.rounds):
            layer = sum((hear.transposed @ (read @ layer) for read, hear in self.hops), torch.zeros_like(layer))
            total = total + layer
        return total / (self.rounds + 1)


class GraphModel(SetModel[C]):
    """A model over the graph of people and items; a model says what its edges weigh."""

    @abstractmethod
    def hops(self, histories: Histories, device: torch.device) -> list[tuple[Edges, Edges]]:
        """Pairs (B_d, A_d) of people's edges."""

    def network(self, space: ItemSpace) -> nn.Module:
        """Item vectors."""
        return GraphNetwork(space.n_items, self.config.dim, self.config.rounds)

    def prepare(self, network: nn.Module, interactions: Interactions, options: FitOptions) -> None:
        """Set the graph."""
        network.hops = self.hops(self.known_people(interactions), device_of(network))

    def known_people(self, interactions: Interactions) -> Histories:
        """Training histories without entries that weigh nothing."""
        return interactions.histories.keep(interactions.histories.weights > 0)

    def settle(self, network: nn.Module) -> None:
        """Spread once for all that is asked until training goes on."""
        with torch.inference_mode():
            network.spread = network()

    def tables(self, network: nn.Module) -> Tables:
        """The spread vectors."""
        settled = network.spread if not network.training else None
        vectors = network() if settled is None else settled
        return Tables(vectors, vectors * torch.exp(network.gain))

    def release(self, network: nn.Module) -> None:
        """Keep what was spread instead of the graph."""
        with torch.no_grad():
            network.items.weight.copy_(network())
        network.hops, network.spread = [], None

    def size(self, shape: DataShape) -> Size:
        """Every step spreads over all edges."""
        base, config = super().size(shape), self.config
        steps = shape.n_people / config.training.batch_size
        spreading = 12 * config.rounds * len(shape.space.domains) * config.dim * steps
        layers = 8 * config.dim * (shape.n_people + shape.space.n_items) * (config.rounds + 1)
        return Size(base.parameters, base.batch_bytes + layers, base.entry_flops + spreading)
