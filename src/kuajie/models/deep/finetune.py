"""Fine-tuning: a network that was trained on all domains is turned towards one target by few of its numbers.

    biases    biases and normalisations alone (Ben Zaken et al. 2022, "BitFit")
    lora      W + B A for every linear layer, of which A and B alone are trained (Hu et al. 2022, "LoRA", eq. 3)
    all       everything but the tables of items

Tables of items are never tuned: they are most of the numbers, and what links the domains. Each target gets a copy of
the network that shares them.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.utils import parametrize

from kuajie.models.deep.order_configs import FineTuneConfig


def sharing_tables(network: nn.Module) -> nn.Module:
    """A copy whose tables are the network's own."""
    shared = {id(table): table for table in tables(network)}
    return copy.deepcopy(network, shared)


def tables(network: nn.Module) -> list[nn.Parameter]:
    """The weights of embeddings."""
    return [module.weight for module in network.modules() if isinstance(module, nn.Embedding)]


def own_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """Everything but the tables, by name."""
    shared = {id(table) for table in tables(network)}
    return {name: parameter for name, parameter in network.named_parameters() if id(parameter) not in shared}


class LowRank(nn.Module):
    """W + B A; B is zero at first, so that nothing changes before training."""

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(torch.randn(rank, columns, device=weight.device) / math.sqrt(columns))
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The changed matrix."""
        return weight + self.up @ self.down


@contextmanager
def tuning(network: nn.Module, config: FineTuneConfig) -> Iterator[Sequence[nn.Parameter]]:
    """The parameters to move; afterwards the network has its plain parameters again, with what was learned."""
    fixed = list(network.parameters())
    needed = [parameter.requires_grad for parameter in fixed]
    kept = {id(table) for table in tables(network)}
    for parameter in fixed:
        parameter.requires_grad_(False)
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if config.which == "lora":
        added = [LowRank(layer.weight, config.rank) for layer in layers]
        for layer, low_rank in zip(layers, added, strict=True):
            parametrize.register_parametrization(layer, "weight", low_rank)
        moved = [parameter for low_rank in added for parameter in low_rank.parameters()]
    else:
        free = [parameter for parameter in fixed if id(parameter) not in kept]
        moved = [parameter for parameter in free if config.which == "all" or parameter.ndim == 1]
    for parameter in moved:
        parameter.requires_grad_(True)
    try:
        yield moved
    finally:
        if config.which == "lora":
            for layer in layers:
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
        for parameter, need in zip(fixed, needed, strict=True):
            parameter.requires_grad_(need)
