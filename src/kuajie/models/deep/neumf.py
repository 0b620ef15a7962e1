"""NeuMF: a generalised product and a perceptron of a person and an item, side by side.

He et al. 2017, "Neural collaborative filtering", eqs. 8-12; the loss is its eq. 7, yes or no of an observed item and of
drawn ones. Differences: a person's two vectors are sums over their history in two further tables of item vectors
instead of learned vectors of their own, and both halves are trained together from the start.
"""

from typing import ClassVar

import torch
from torch import nn

from kuajie.core.recommender import DataShape
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import Size
from kuajie.models.deep.set_configs import NeuMFConfig
from kuajie.models.deep.sets import SetModel, Tables, normal

COLUMNS = 512
"""Items that the perceptron sees at a time: it holds an activation for every pair."""


class NeuMFNetwork(nn.Module):
    """Four tables of item vectors, the weights of the product, and the perceptron.

    A vector is two in one: the first half goes to the product, the second to the perceptron.
    """

    def __init__(self, n_items: int, config: NeuMFConfig) -> None:
        super().__init__()
        first, *rest = config.hidden
        self.read, self.offered = normal(n_items, 2 * config.dim), normal(n_items, 2 * config.dim)
        self.product = nn.Parameter(torch.ones(config.dim))
        self.of_person = nn.Linear(config.dim, first)
        self.of_item = nn.Linear(config.dim, first, bias=False)
        layers: list[nn.Module] = []
        for width, narrower in zip(config.hidden, rest, strict=False):
            layers += [nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(width, narrower)]
        self.perceptron = nn.Sequential(*layers, nn.ReLU(), nn.Linear(config.hidden[-1], 1))

    def forward(self, people: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of pairs of (..., 2 dim) that broadcast."""
        dim = len(self.product)
        product = (people[..., :dim] * items[..., :dim]) @ self.product
        layered = self.of_person(people[..., dim:]) + self.of_item(items[..., dim:])
        scores: torch.Tensor = product + self.perceptron(layered).squeeze(-1)
        return scores

    def crossed(self, people: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of all pairs: (n_people, n_items); the first layer and the product are not computed pair by pair."""
        dim = len(self.product)
        product = (people[:, :dim] * self.product) @ items[:, :dim].T
        of_people, of_items = self.of_person(people[:, dim:])[:, None], self.of_item(items[:, dim:])
        parts = [self.perceptron(of_people + some).squeeze(-1) for some in of_items.split(COLUMNS)]
        return product + torch.cat(parts, dim=1)


class NeuMF(SetModel[NeuMFConfig]):
    """A product and a perceptron."""

    config_type: ClassVar[type[NeuMFConfig]] = NeuMFConfig

    def network(self, space: ItemSpace) -> nn.Module:
        """The tables and the layers."""
        return NeuMFNetwork(space.n_items, self.config)

    def tables(self, network: nn.Module) -> Tables:
        """The tables."""
        return Tables(network.read.weight, network.offered.weight)

    def logits(self, network: nn.Module, people: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of all pairs."""
        scores: torch.Tensor = network.crossed(people, items)
        return scores

    def paired(self, network: nn.Module, people: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of each row with its own item."""
        scores: torch.Tensor = network(people, items)
        return scores

    def size(self, shape: DataShape) -> Size:
        """The perceptron's activations of all pairs are most of it."""
        base, config = super().size(shape), self.config
        pairs = config.training.batch_size * config.asked * config.negatives
        flops = sum(2.0 * a * b for a, b in zip(config.hidden, (*config.hidden[1:], 1), strict=True))
        return Size(
            2 * base.parameters,
            base.batch_bytes + 12 * pairs * sum(config.hidden),
            base.entry_flops + config.negatives * flops,
        )
