"""PTUPCDR: every person has a mapping of their own, which a meta network makes of what characterises them.

Zhu et al. 2022, "Personalized transfer of user preferences for cross-domain recommendation", section 3: an attention
over the items of the source history gives a person's characteristics (eqs. 2-4), a meta network turns them into a
matrix (eqs. 5-6) that maps the person's vector (eq. 7), and the mapping is trained on what linked people used in the
target domain rather than on their vectors there (eq. 9). Differences: that loss is the sampled softmax of the other
models, the person's vector is the sum of their items' vectors, and the matrix is added to the identity, so that it
starts near no change.
"""

from typing import ClassVar

import numpy as np
import torch
from torch import nn

from kuajie.core.histories import Histories
from kuajie.models.deep.edges import Bags, tensor
from kuajie.models.deep.mapped import MappingModel
from kuajie.models.deep.set_configs import PTUPCDRConfig
from kuajie.models.deep.sets import SetBatch, Tables, distinct


class Bridge(nn.Module):
    """The characteristic encoder and the meta network of one pair of domains."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1, bias=False))
        self.meta = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim * dim))
        nn.init.normal_(self.meta[2].weight, std=1e-2)
        nn.init.zeros_(self.meta[2].bias)

    def forward(self, people: torch.Tensor, items: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Map people (n_rows, dim) by the vectors of their items (n_entries, dim), of which each belongs to a row."""
        heat = self.attention(items).squeeze(-1)
        highest = heat.new_full((len(people),), -torch.inf).scatter_reduce(0, rows, heat.detach(), "amax")
        heat = torch.exp(heat - highest[rows])
        sums = people.new_zeros(len(people)).index_add(0, rows, heat)
        said = people.new_zeros(people.shape).index_add(0, rows, (heat / sums[rows])[:, None] * items)
        matrices = self.meta(said).view(len(people), people.shape[1], -1)
        return people + torch.bmm(people[:, None], matrices).squeeze(1)


class PTUPCDR(MappingModel[PTUPCDRConfig]):
    """A mapping for each person."""

    config_type: ClassVar[type[PTUPCDRConfig]] = PTUPCDRConfig

    def mapping(self) -> nn.Module:
        """An encoder and a meta network."""
        return Bridge(self.config.dim, self.config.hidden)

    def mapped(
        self, network: nn.Module, tables: Tables, histories: Histories, source: str, target: str
    ) -> torch.Tensor:
        """M(characteristics) u_s."""
        device = tables.read.device
        people = Bags(self.weights(histories, source), device).sums(tables.read)
        own = distinct(histories.only(self.space_.slice(source)))
        rows = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
        items = tables.read[tensor(own.indices.astype(np.int64), device)]
        found: torch.Tensor = self.between(network, source, target)(people, items, tensor(rows, device))
        return found

    def mapping_loss(
        self, network: nn.Module, tables: Tables, batch: SetBatch, source: str, target: str
    ) -> torch.Tensor:
        """What linked people used in the target, told from their source."""
        people = self.mapped(network, tables, batch.histories, source, target)
        mine = self.space_.domain_of(batch.items) == self.space_.index(target)
        if not mine.any():
            return 0.0 * people.sum()
        rows = tensor(batch.rows[mine], people.device)
        return self.contrast(network, tables, people[rows], batch.items[mine], target, batch.rng)
