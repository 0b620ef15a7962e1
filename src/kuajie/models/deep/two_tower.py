"""Two towers: one over a person's history, one over an item and what is known of it.

Covington, Adams and Sargin 2016, "Deep neural networks for YouTube recommendations", section 3, and Yi et al. 2019,
"Sampling-bias-corrected neural modeling for large corpus item recommendations", eqs. 3-6: a softmax over the items of
the batch, whose logits lose log Q of the item, its chance to be in the batch. Here Q is the item's share of the
training entries, which is known instead of estimated from a stream.

An item is its own vector plus the mean of its hashed words and labels plus its numbers; now and then the own vector is
hidden, so that an item that nobody used yet is scored by its features as well.
"""

from typing import ClassVar, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import Size
from kuajie.models.deep.edges import Bags, tensor
from kuajie.models.deep.features import has_features, hashed_words, standardised
from kuajie.models.deep.set_configs import TwoTowerConfig
from kuajie.models.deep.sets import I64, Tables, normal
from kuajie.models.deep.towers import TowerModel, TowerNetwork
from kuajie.models.deep.training import device_of


class Layers(nn.Module):
    """A vector and what one hidden layer adds, at length 1."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(n, dim) -> (n, dim)."""
        return functional.normalize(vectors + self.layers(vectors), dim=1)


class ItemTower(nn.Module):
    """Own vectors, words and numbers of all items."""

    def __init__(self, interactions: Interactions, config: TwoTowerConfig, device: torch.device) -> None:
        super().__init__()
        n_items, side = interactions.space.n_items, interactions.side
        self.own, self.layers = normal(n_items, config.dim), Layers(config.dim, config.hidden, config.dropout)
        self.trained = tensor((interactions.support() > 0).astype(np.float32)[:, None], device)
        self.described = np.zeros(n_items, np.bool_)
        self.without_id = config.without_id
        self.words: Bags | None = None
        if side is not None:
            words, numbers = hashed_words(side, config.hashed), standardised(side)
            self.described = has_features(side, words)
            self.words, self.numbers = Bags(words, device), tensor(numbers, device)
            self.of_words = normal(config.hashed, config.dim)
            self.of_numbers = nn.Linear(numbers.shape[1], config.dim) if numbers.shape[1] else None

    def forward(self) -> Tables:
        """Of all items."""
        shown = self.trained
        if self.training and self.words is not None:
            shown = shown * (torch.rand_like(shown) >= self.without_id)
        inputs = self.own.weight * shown
        if self.words is not None:
            inputs = inputs + self.words.sums(self.of_words.weight)
            if self.of_numbers is not None:
                inputs = inputs + self.of_numbers(self.numbers)
        return Tables(inputs, self.layers(inputs))


class TwoTowerNetwork(TowerNetwork):
    """The items' tables, and the tower over histories.

    Attributes:
        shares: (n_items,), log Q.
    """

    shares: torch.Tensor

    def __init__(self, space: ItemSpace, config: TwoTowerConfig) -> None:
        super().__init__(space.n_items, config.dim)
        self.person = Layers(config.dim, config.hidden, config.dropout)
        self.wanting = nn.Parameter(torch.zeros(len(space.domains), config.dim))
        self.register_buffer("shares", torch.zeros(space.n_items))


class TwoTower(TowerModel[TwoTowerConfig]):
    """Histories meet items and their features."""

    config_type: ClassVar[type[TwoTowerConfig]] = TwoTowerConfig

    def network(self, space: ItemSpace) -> nn.Module:
        """Empty tables and the tower over histories."""
        return TwoTowerNetwork(space, self.config)

    def prepare(self, network: nn.Module, interactions: Interactions, options: FitOptions) -> None:
        """Read the side information."""
        net, device = cast(TwoTowerNetwork, network), device_of(network)
        tower = ItemTower(interactions, self.config, device).to(device)
        net.tower, net.described = tower, tensor(tower.described, device)
        net.shares = tensor(np.log(np.maximum(self.support_, 1)).astype(np.float32), device)

    def turned(self, network: nn.Module, people: torch.Tensor, target: str) -> torch.Tensor:
        """Through the tower over histories, told what is wanted; over the temperature, as scores are cosines."""
        net = cast(TwoTowerNetwork, network)
        vectors: torch.Tensor = net.person(people + net.wanting[self.space_.index(target)])
        return vectors / self.config.temperature

    def contrast(
        self,
        network: nn.Module,
        tables: Tables,
        people: torch.Tensor,
        items: I64,
        target: str,
        rng: np.random.Generator,
    ) -> torch.Tensor:
        """The softmax over the batch's items."""
        wanted = tensor(items, people.device)
        logits = self.logits(network, people, tables.offered[wanted]) - cast(TwoTowerNetwork, network).shares[wanted]
        twice = (wanted[:, None] == wanted).fill_diagonal_(fill_value=False)
        return functional.cross_entropy(logits.masked_fill(twice, -torch.inf), torch.arange(len(items)).to(wanted))

    def size(self, shape: DataShape) -> Size:
        """Every step computes all items; the softmax is over a batch."""
        base, config = super().size(shape), self.config
        steps = shape.n_people / config.training.batch_size
        tower = 2.0 * shape.space.n_items * config.dim * (config.hidden * 2 + 30) * steps / max(1, shape.n_entries)
        asked = config.training.batch_size * config.asked
        parameters = base.parameters + config.hashed * config.dim
        return Size(parameters, base.batch_bytes + 12.0 * asked**2, tower + 2.0 * config.dim * asked)
