"""Caser: convolutions over the newest entries.

Tang and Wang 2018, "Personalized top-N sequential recommendation via convolutional sequence embedding", section 3.2:
horizontal filters find what several neighbouring entries say together, vertical ones weigh the entries, as a learned
recency. The paper's vector of each user is the mean of the history's vectors here, for a person is their history.
"""

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from kuajie.models.deep.order_configs import CaserConfig
from kuajie.models.deep.ordered import OrderModel


class Convolutions(nn.Module):
    """Horizontal and vertical filters over the `window` newest entries at every place, and the mean of all of them."""

    def __init__(self, config: CaserConfig) -> None:
        super().__init__()
        self.window = config.window
        self.horizontal = nn.ModuleList(
            nn.Conv1d(config.dim, config.filters, height) for height in range(1, config.window + 1)
        )
        self.vertical = nn.Linear(config.window, config.vertical, bias=False)
        width = config.filters * config.window + config.vertical * config.dim
        self.dropout = nn.Dropout(config.dropout)
        self.joined = nn.Linear(width, config.dim)
        self.back = nn.Linear(2 * config.dim, config.dim)
        self.last = nn.LayerNorm(config.dim)

    def forward(self, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(n_rows, n_places, dim) -> the same shape; padding comes after the entries, so nobody sees it."""
        padded = functional.pad(vectors, (0, 0, self.window - 1, 0))
        lines = padded.transpose(1, 2)
        found = [
            functional.max_pool1d(functional.relu(filters(lines)), self.window - number, stride=1)
            for number, filters in enumerate(self.horizontal)
        ]
        weighed = self.vertical(padded.unfold(1, self.window, 1)).flatten(2)
        joined = functional.relu(
            self.joined(self.dropout(torch.cat([*(f.transpose(1, 2) for f in found), weighed], 2)))
        )
        counts = torch.arange(1, vectors.shape[1] + 1, device=vectors.device, dtype=vectors.dtype)
        means = vectors.cumsum(dim=1) / counts[:, None]
        return self.last(self.back(torch.cat([joined, means], dim=2)))


class Caser(OrderModel[CaserConfig]):
    """Convolutions."""

    config_type: ClassVar[type[CaserConfig]] = CaserConfig

    def encoder(self) -> nn.Module:
        """The filters."""
        return Convolutions(self.config)

    def encoder_flops(self) -> float:
        """Every height's filters, and the layer that joins them."""
        config = self.config
        heights = config.window * (config.window + 1) / 2
        width = config.filters * config.window + config.vertical * config.dim
        return 2.0 * config.dim * (heights * config.filters + config.window * config.vertical + width + 2 * config.dim)
