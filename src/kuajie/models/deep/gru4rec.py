"""GRU4Rec: a recurrent network over the history.

Hidasi et al. 2016, "Session-based recommendations with recurrent neural networks", section 3, with the losses of Hidasi
and Karatzoglou 2018: a softmax, or BPR-max on drawn items (`loss`). A person's whole history is one session.
"""

from typing import ClassVar

import torch
from torch import nn

from kuajie.models.deep.order_configs import GRU4RecConfig
from kuajie.models.deep.ordered import OrderModel


class Recurrent(nn.Module):
    """Gated recurrent units, and a layer back to the size of the items' vectors."""

    def __init__(self, config: GRU4RecConfig) -> None:
        super().__init__()
        self.units = nn.GRU(config.dim, config.hidden, config.layers, batch_first=True)
        self.back = nn.Linear(config.hidden, config.dim)
        self.last = nn.LayerNorm(config.dim)

    def forward(self, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(n_rows, n_places, dim) -> the same shape; padding comes after the entries, so nobody sees it."""
        return self.last(self.back(self.units(vectors)[0]))


class GRU4Rec(OrderModel[GRU4RecConfig]):
    """Gated recurrent units."""

    config_type: ClassVar[type[GRU4RecConfig]] = GRU4RecConfig

    def encoder(self) -> nn.Module:
        """The recurrent network."""
        return Recurrent(self.config)

    def encoder_flops(self) -> float:
        """Three gates, each from the input and from the state."""
        config = self.config
        return 6.0 * config.hidden * (config.dim + config.hidden) * config.layers
