"""CFGAN: a generator that must pass for a person's true purchases.

Chae, Kang, Kim and Lee 2018, "CFGAN: a generic collaborative filtering framework based on generative adversarial
networks", section 4. The generator reads a history c and says r^ of every item; a discriminator, told c, tells the true
vector from r^ masked to the history and some items outside it (partial masking), and the generator is also to say zero
of some items outside (zero reconstruction): their CFGAN-ZP. A person was always their history here, so nothing is
adapted but that sums run over the shown items alone instead of whole vectors, that part of c is hidden while training,
and that the generator maximises log D instead of minimising log(1 - D) (Goodfellow et al. 2014).
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import DeepModel, Size
from kuajie.models.deep.edges import Bags, tensor
from kuajie.models.deep.set_configs import CFGANConfig
from kuajie.models.deep.sets import distinct, powered
from kuajie.models.deep.training import Batch, Batches, Player, device_of

ROOT = 0.5
"""Sums over n items are divided by their square root."""


class Generator(nn.Module):
    """History -> hidden layer -> a score of every item."""

    def __init__(self, n_items: int, hidden: int) -> None:
        super().__init__()
        self.read = nn.Parameter(torch.randn(n_items, hidden) * hidden**-0.5)
        self.told = nn.Parameter(torch.randn(n_items, hidden) * hidden**-0.5)
        self.bias, self.bias_told = nn.Parameter(torch.zeros(hidden)), nn.Parameter(torch.zeros(n_items))

    def hidden(self, histories: Bags) -> torch.Tensor:
        """(n_rows, hidden)."""
        return torch.tanh(histories.sums(self.read) + self.bias)


class Discriminator(nn.Module):
    """History and a vector over items -> how true the vector looks."""

    def __init__(self, n_items: int, hidden: int) -> None:
        super().__init__()
        self.condition = nn.Parameter(torch.randn(n_items, hidden) * hidden**-0.5)
        self.vector = nn.Parameter(torch.randn(n_items, hidden) * hidden**-0.5)
        self.layers = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, histories: Bags, shown: Bags, values: torch.Tensor) -> torch.Tensor:
        """Logits (n_rows,) of the values (n_shown,) of the shown items."""
        vectors = functional.embedding_bag(
            shown.indices,
            self.vector,
            shown.offsets,
            mode="sum",
            per_sample_weights=values * shown.weights,
            include_last_offset=True,
        )
        found: torch.Tensor = self.layers(histories.sums(self.condition) + vectors).squeeze(1)
        return found


class CFGANNetwork(nn.Module):
    """Both players."""

    def __init__(self, n_items: int, hidden: int) -> None:
        super().__init__()
        self.generator, self.discriminator = Generator(n_items, hidden), Discriminator(n_items, hidden)


class CFGAN(DeepModel[CFGANConfig]):
    """A generator and its adversary."""

    config_type: ClassVar[type[CFGANConfig]] = CFGANConfig

    def network(self, space: ItemSpace) -> nn.Module:
        """Both."""
        return CFGANNetwork(space.n_items, self.config.hidden)

    def batches(self, interactions: Interactions) -> Batches:
        """People's distinct items: a hidden part is left out of the condition, and some items are added as masks."""
        histories = Histories.from_matrix(distinct(self.known(interactions.histories)))
        size = self.config.training.batch_size

        def epoch(rng: np.random.Generator) -> Iterator[Batch]:
            people = rng.permutation(np.flatnonzero(histories.lengths))
            for start in range(0, len(people), size):
                yield self._shown(histories.take(people[start : start + size]), rng)

        return epoch

    def _shown(self, some: Histories, rng: np.random.Generator) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Conditions; and the shown items, 1 for true ones, -1 for masks: both (n_rows, n_items)."""
        condition = some.keep(rng.random(len(some.items)) >= self.config.dropout)
        rows = np.repeat(some.rows(), rng.poisson(self.config.masked, len(some.items)))
        masks = sparse.csr_array(
            (np.full(len(rows), -1.0, np.float32), (rows, rng.integers(0, some.n_items, len(rows)))),
            shape=(some.n_rows, some.n_items),
        )
        masks.sum_duplicates()
        masks.data[:] = -1
        true = some.matrix()
        shown = sparse.csr_array(true + masks - masks.multiply(true))
        return distinct(condition), shown

    def players(self, network: nn.Module) -> Sequence[Player]:
        """The discriminator moves first."""
        generator, discriminator = network.generator, network.discriminator
        return [
            Player("discriminator", list(discriminator.parameters()), lambda batch: self.unmask(network, batch)),
            Player("generator", list(generator.parameters()), lambda batch: self.loss(network, batch)),
        ]

    def unmask(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """-log D(c, c) - log(1 - D(c, r^))."""
        condition, shown, values = self._generated(network, batch)
        true = network.discriminator(condition, shown, shown_truth(batch[1], values))
        false = network.discriminator(condition, shown, values.detach())
        return -(functional.logsigmoid(true) + functional.logsigmoid(-false)).mean()

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """-log D(c, r^), and the squares of what should be zero for each row."""
        condition, shown, values = self._generated(network, batch)
        false = network.discriminator(condition, shown, values)
        zeros = (values * (1 - shown_truth(batch[1], values))).square().sum() / len(false)
        return -functional.logsigmoid(false).mean() + self.config.reconstruction * zeros

    def _generated(self, network: nn.Module, batch: Batch) -> tuple[Bags, Bags, torch.Tensor]:
        """The condition, the shown items, and what the generator says of them, in 0..1."""
        device, (condition, shown) = device_of(network), batch
        bags = Bags(powered(condition, ROOT), device)
        rows = tensor(np.repeat(np.arange(shown.shape[0]), np.diff(shown.indptr)), device)
        generator: Generator = network.generator
        items = tensor(shown.indices.astype(np.int64), device)
        hidden = generator.hidden(bags)
        values = torch.sigmoid((hidden[rows] * generator.told[items]).sum(dim=1) + generator.bias_told[items])
        return bags, Bags(powered(shown, ROOT), device), values

    def rate(self, network: nn.Module, histories: Histories, target: str) -> torch.Tensor:
        """What the generator says, before it is squeezed into 0..1."""
        generator: Generator = network.generator
        bags, part = Bags(powered(distinct(histories), ROOT), device_of(network)), self.space_.slice(target)
        return generator.hidden(bags) @ generator.told[part].T + generator.bias_told[part]

    def size(self, shape: DataShape) -> Size:
        """Four tables of items."""
        hidden = self.config.hidden
        shown = self.config.training.batch_size * shape.n_entries / max(shape.n_people, 1) * (1 + self.config.masked)
        return Size(4.0 * shape.space.n_items * hidden, 16 * shown * hidden, 16 * hidden * (1 + self.config.masked))


def shown_truth(shown: sparse.csr_array, like: torch.Tensor) -> torch.Tensor:
    """1 for the shown items that are in the history, 0 for masks: (n_shown,)."""
    return torch.from_numpy((shown.data > 0).astype(np.float32)).to(like)
