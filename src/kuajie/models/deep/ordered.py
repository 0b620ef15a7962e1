"""The base of deep models of order: every entry of a history is told from those before it.

    s_t = encode(x_1 .. x_t),    P(x_{t+1} = j | domain d) = softmax over the items of d of  H_d s_t . v_j + b_j

One table of item vectors v serves all domains, so that what was read in one is told in another; H_d, near the identity
at first, turns a state towards a domain.
"""

from abc import abstractmethod
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import DeepModel, Size
from kuajie.models.deep.lines import Windows, line_of_target, newest
from kuajie.models.deep.losses import sampled_softmax_loss, softmax_loss
from kuajie.models.deep.order_configs import OrderConfig
from kuajie.models.deep.training import Batch, Batches, device_of

C = TypeVar("C", bound=OrderConfig)


class OrderNetwork(nn.Module):
    """Item vectors, an encoder of lines, and a turn towards each domain."""

    def __init__(self, space: ItemSpace, config: OrderConfig, encoder: nn.Module) -> None:
        super().__init__()
        self.items = nn.Embedding(space.n_items + 1, config.dim, padding_idx=space.n_items)
        nn.init.normal_(self.items.weight, std=config.dim**-0.5)
        with torch.no_grad():
            self.items.weight[-1] = 0
        self.bias = nn.Parameter(torch.zeros(space.n_items))
        self.turns = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in space.domains)
        for turn in self.turns:
            nn.init.eye_(turn.weight)
            nn.init.zeros_(turn.bias)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = encoder

    def states(self, items: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What is known after each place: (n_rows, n_places, dim)."""
        return self.encoder(self.dropout(self.items(items)), lengths)

    def logits(self, states: torch.Tensor, domain: int, items: torch.Tensor | slice) -> torch.Tensor:
        """Scores of some joint items of one domain: (n_states, n_items)."""
        return self.turns[domain](states) @ self.items.weight[items].T + self.bias[items]


class OrderModel(DeepModel[C]):
    """Batches, loss and scores of models that read lines; a model says what its encoder is."""

    @abstractmethod
    def encoder(self) -> nn.Module:
        """Item vectors (n_rows, n_places, dim) and lengths -> states of the same shape; no place sees a later one."""

    @abstractmethod
    def encoder_flops(self) -> float:
        """Operations for each place, forward."""

    def network(self, space: ItemSpace) -> nn.Module:
        """Item vectors and the encoder."""
        return OrderNetwork(space, self.config, self.encoder())

    def batches(self, interactions: Interactions) -> Batches:
        """Windows of the lines of all people, in a new order each epoch."""
        windows = Windows.of(self.known(interactions.histories), interactions.space, self.config.length)
        return lambda rng: ((*batch, rng) for batch in windows.batches(self.config.training.batch_size, rng))

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """The mean over all entries that are told."""
        items, told, lengths, rng = batch
        device = device_of(network)
        states = network.states(torch.from_numpy(items).to(device), torch.from_numpy(lengths))
        total, domains = states.new_zeros(()), self.space_.domain_of(told)
        for number, name in enumerate(self.space_.domains):
            rows, places = ((told >= 0) & (domains == number)).nonzero()
            if not len(rows):
                continue
            part = self.space_.slice(name)
            wanted = torch.from_numpy(told[rows, places]).to(device)
            inside = states[torch.from_numpy(rows).to(device), torch.from_numpy(places).to(device)]
            total = total + len(rows) * self._domain_loss(network, inside, wanted, number, part, rng)
        return total / max(int((told >= 0).sum()), 1)

    def _domain_loss(
        self,
        network: nn.Module,
        states: torch.Tensor,
        wanted: torch.Tensor,
        number: int,
        part: slice,
        rng: np.random.Generator,
    ) -> torch.Tensor:
        """Of entries of one domain: all its items, or some drawn ones, are what they might have been."""
        size = part.stop - part.start
        if self.config.negatives is None or self.config.negatives >= size:
            return softmax_loss(network.logits(states, number, part), wanted - part.start)
        drawn = torch.from_numpy(part.start + rng.integers(0, size, self.config.negatives)).to(states.device)
        turned = network.turns[number](states)
        positive = (turned * network.items(wanted)).sum(dim=1) + network.bias[wanted]
        negative = turned @ network.items(drawn).T + network.bias[drawn]
        return sampled_softmax_loss(positive, negative, drawn == wanted[:, None], size)

    def rate(self, network: nn.Module, histories: Histories, target: str) -> torch.Tensor:
        """Scores after the newest entry."""
        device, part = device_of(network), self.space_.slice(target)
        items, lengths = newest(line_of_target(histories, self.space_, target), self.config.length)
        states = network.states(torch.from_numpy(items).to(device), torch.from_numpy(lengths))
        last = states[torch.arange(len(lengths)), torch.from_numpy(lengths) - 1]
        return network.logits(last, self.space_.index(target), part)

    def size(self, shape: DataShape) -> Size:
        """The softmax is most of it."""
        config = self.config
        widest = max(shape.space.sizes, default=0)
        asked = widest if config.negatives is None else min(config.negatives, widest)
        places = config.training.batch_size * min(config.length, 1 + shape.n_entries / max(shape.n_people, 1))
        return Size(
            parameters=shape.space.n_items * (config.dim + 1) + 30 * config.dim**2,
            batch_bytes=4 * places * (3 * asked + 40 * config.dim),
            entry_flops=2 * config.dim * asked + 12 * asked + self.encoder_flops(),
        )
