"""EMCDR: a person's vector in one domain, mapped to the other.

Man, Shen, Jin and Cheng 2017, "Cross-domain recommendation: an embedding and mapping approach", section 4: latent
factors in each domain, then a mapping (linear, or a perceptron with one tanh layer) that lowers the squared distance
of linked people's mapped and own vectors. Difference: a person's factors are the sum of their items' vectors, so that
a new history has them too.
"""

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from kuajie.core.histories import Histories
from kuajie.models.deep.edges import Bags
from kuajie.models.deep.mapped import MappingModel
from kuajie.models.deep.set_configs import EMCDRConfig
from kuajie.models.deep.sets import SetBatch, Tables


class EMCDR(MappingModel[EMCDRConfig]):
    """One mapping for everybody."""

    config_type: ClassVar[type[EMCDRConfig]] = EMCDRConfig

    def mapping(self) -> nn.Module:
        """Linear, or one layer."""
        dim, hidden = self.config.dim, self.config.hidden
        if hidden is None:
            return nn.Linear(dim, dim)
        return nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, dim))

    def mapped(
        self, network: nn.Module, tables: Tables, histories: Histories, source: str, target: str
    ) -> torch.Tensor:
        """f(u_s)."""
        people = Bags(self.weights(histories, source), tables.read.device).sums(tables.read)
        found: torch.Tensor = self.between(network, source, target)(people)
        return found

    def mapping_loss(
        self, network: nn.Module, tables: Tables, batch: SetBatch, source: str, target: str
    ) -> torch.Tensor:
        """Squared distance from u_t."""
        wanted = Bags(self.weights(batch.histories, target), tables.read.device).sums(tables.read)
        return functional.mse_loss(self.mapped(network, tables, batch.histories, source, target), wanted)
