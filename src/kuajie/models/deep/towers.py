"""The base of models that make an item's vectors out of what is known of it, so that unseen items have some too.

While training, a tower computes vectors; before anything is asked they are written down, and after training they alone
are kept.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from kuajie.core.space import ItemSpace
from kuajie.models.deep.set_configs import SetConfig
from kuajie.models.deep.sets import SetModel, Tables

C = TypeVar("C", bound=SetConfig)


class TowerNetwork(nn.Module):
    """Vectors that are written down, and the tower that writes them.

    Attributes:
        read, offered: (n_items, dim), see `sets.Tables`.
        described: bool (n_items,), items that have vectors without having been used.
        tower: while training; `tower()` computes the tables.
    """

    read: torch.Tensor
    offered: torch.Tensor
    described: torch.Tensor

    def __init__(self, n_items: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("read", torch.zeros(n_items, dim))
        self.register_buffer("offered", torch.zeros(n_items, dim))
        self.register_buffer("described", torch.zeros(n_items, dtype=torch.bool))
        self.tower: nn.Module | None = None


class TowerModel(SetModel[C]):
    """A model says what its tower is (in `prepare`)."""

    def network(self, space: ItemSpace) -> nn.Module:
        """Empty tables."""
        return TowerNetwork(space.n_items, self.config.dim)

    def tables(self, network: nn.Module) -> Tables:
        """The tower's while training, else the ones written down."""
        if network.training and network.tower is not None:
            found: Tables = network.tower()
            return found
        return Tables(network.read, network.offered)

    def settle(self, network: nn.Module) -> None:
        """Write the tables down."""
        with torch.no_grad():
            found: Tables = network.tower()
        network.read, network.offered = found.read.detach(), found.offered.detach()

    def release(self, network: nn.Module) -> None:
        """The tower is not kept."""
        network.tower = None

    def cover(self, network: nn.Module) -> npt.NDArray[np.bool_]:
        """Used items, and described ones."""
        described: npt.NDArray[np.bool_] = network.described.cpu().numpy()
        return described | (self.support_ > 0)
