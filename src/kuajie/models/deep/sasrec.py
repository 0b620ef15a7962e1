"""SASRec: self-attention over the history.

Kang and McAuley 2018, "Self-attentive sequential recommendation", section III: a causal transformer over item and
position vectors. Differences: layers are normalised before each block instead of after it, positions count from the
newest entry, and the loss is a softmax over the items of the next entry's domain instead of one sampled negative
(Klenitskiy and Vasilev 2023 found that to make the difference to later models).
"""

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from kuajie.models.deep.order_configs import SASRecConfig
from kuajie.models.deep.ordered import OrderModel


class Block(nn.Module):
    """Attention to what came before, then a feed-forward layer, each added to what was there."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_layer = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.queries_keys_values, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.layer = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim))
        self.drop = nn.Dropout(dropout)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(n_rows, n_places, dim) -> the same shape."""
        rows, places, dim = states.shape
        split = self.queries_keys_values(self.before_attention(states)).view(rows, places, 3, self.heads, -1)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        states = states + self.drop(self.out(seen.transpose(1, 2).reshape(rows, places, dim)))
        return states + self.drop(self.layer(self.before_layer(states)))


class Transformer(nn.Module):
    """Positions, blocks, and a last normalisation."""

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        self.positions = nn.Embedding(config.length, config.dim)
        nn.init.normal_(self.positions.weight, std=0.1 * config.dim**-0.5)
        self.blocks = nn.ModuleList(Block(config.dim, config.heads, config.dropout) for _ in range(config.blocks))
        self.last = nn.LayerNorm(config.dim)

    def forward(self, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(n_rows, n_places, dim) -> the same shape; padding comes after the entries, so nobody sees it."""
        places = torch.arange(vectors.shape[1])
        back = (lengths[:, None] - 1 - places).clamp(min=0).to(vectors.device)
        states = vectors + self.positions(back)
        for block in self.blocks:
            states = block(states)
        return self.last(states)


class SASRec(OrderModel[SASRecConfig]):
    """Self-attention."""

    config_type: ClassVar[type[SASRecConfig]] = SASRecConfig

    def encoder(self) -> nn.Module:
        """The transformer."""
        return Transformer(self.config)

    def encoder_flops(self) -> float:
        """Eight matrices a block, and the products of attention."""
        config = self.config
        return config.blocks * (16.0 * config.dim**2 + 4.0 * config.length * config.dim)
