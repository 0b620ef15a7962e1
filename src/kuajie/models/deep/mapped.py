"""The base of models that map a person's vector from one domain to another.

Every domain has vectors of its own: in domain d a person is the sum of their items there, and is trained on that
domain alone. A mapping of each pair of domains is trained on linked people while the vectors stand still for it: two
players of one loop instead of two trainings. A person with own history in the target domain is their own vector,
anybody else the mean of the mapped ones:

    p(h, t) = (n_t u_t + prior * mean_s f_st(h_s)) / (n_t + prior),     with prior = 0: u_t where n_t > 0

The epoch is chosen by people whose history in the target domain is hidden, for these are whom the mapping is for.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import nn

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import Size
from kuajie.models.deep.edges import Bags, tensor
from kuajie.models.deep.holdout import Holdout, Validation
from kuajie.models.deep.set_configs import MappingConfig
from kuajie.models.deep.sets import SetBatch, SetModel, Tables, distinct, normal, powered
from kuajie.models.deep.training import Batch, Player, device_of

C = TypeVar("C", bound=MappingConfig)


class MappingNetwork(nn.Module):
    """Vectors of items as read and as offered, and a mapping of each pair of domains."""

    def __init__(self, n_items: int, dim: int, mappings: Sequence[nn.Module]) -> None:
        super().__init__()
        self.read, self.offered = normal(n_items, dim), normal(n_items, dim)
        self.mappings = nn.ModuleList(mappings)


class MappingModel(SetModel[C]):
    """A model says what a mapping is, what it maps, and what it is trained to."""

    @abstractmethod
    def mapping(self) -> nn.Module:
        """A new mapping of one pair of domains."""

    @abstractmethod
    def mapped(
        self, network: nn.Module, tables: Tables, histories: Histories, source: str, target: str
    ) -> torch.Tensor:
        """People of one domain in another: (n_rows, dim); every row has history in the source."""

    @abstractmethod
    def mapping_loss(
        self, network: nn.Module, tables: Tables, batch: SetBatch, source: str, target: str
    ) -> torch.Tensor:
        """How wrong a mapping is about people known in both domains."""

    def network(self, space: ItemSpace) -> nn.Module:
        """Vectors and mappings."""
        pairs = len(space.domains) ** 2
        return MappingNetwork(space.n_items, self.config.dim, [self.mapping() for _ in range(pairs)])

    def between(self, network: nn.Module, source: str, target: str) -> nn.Module:
        """The mapping of a pair."""
        number = self.space_.index(source) * len(self.space_.domains) + self.space_.index(target)
        found: nn.Module = network.mappings[number]
        return found

    def tables(self, network: nn.Module) -> Tables:
        """The vectors."""
        return Tables(network.read.weight, network.offered.weight)

    def weights(self, histories: Histories, target: str) -> sparse.csr_array:
        """The target's own items alone."""
        return powered(distinct(histories.only(self.space_.slice(target))), self.config.power)

    def players(self, network: nn.Module) -> Sequence[Player]:
        """Vectors by what is used together inside a domain; mappings by linked people."""
        vectors = [network.read.weight, network.offered.weight]
        mappings = list(network.mappings.parameters())
        players = [Player("vectors", vectors, lambda batch: self.loss(network, batch))]
        if len(self.space_.domains) > 1:
            players.append(Player("mappings", mappings, lambda batch: self.loss_of_mappings(network, batch)))
        return players

    def loss_of_mappings(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """The mean over pairs of domains with linked people in the batch; vectors stand still."""
        tables = Tables(*(vectors.detach() for vectors in (self.tables(network).read, self.tables(network).offered)))
        counts = self.counts(batch.histories)
        total = 0.0 * sum(parameter.sum() for parameter in network.mappings.parameters())
        pairs = 0
        for source in self.space_.domains:
            for target in self.space_.others(source):
                linked = (counts[:, self.space_.index(source)] > 0) & (counts[:, self.space_.index(target)] > 0)
                if linked.any():
                    total = total + self.mapping_loss(network, tables, some_people(batch, linked), source, target)
                    pairs += 1
        return total / max(pairs, 1)

    def counts(self, histories: Histories) -> npt.NDArray[np.int64]:
        """Entries of each row in each domain: (n_rows, n_domains)."""
        return Interactions(self.space_, histories).domain_counts()

    def judge(self, holdout: Holdout, training: Interactions, rng: np.random.Generator) -> Validation:
        """Held-out rows with history elsewhere, their own domain hidden; all rows as they are where there are none."""
        domains = self.space_.domain_of(holdout.items)
        histories = holdout.histories
        elsewhere = histories.keep(self.space_.domain_of(histories.items) != domains[histories.rows()])
        rows = np.flatnonzero(self.known(elsewhere).lengths)
        if len(rows):
            holdout = replace(holdout, histories=elsewhere).take(rows)
        return super().judge(holdout, training, rng)

    def rate(self, network: nn.Module, histories: Histories, target: str) -> torch.Tensor:
        """Own vectors, mapped vectors, and both in proportion."""
        tables, device, number = self.tables(network), device_of(network), self.space_.index(target)
        counts = self.counts(histories)
        own = Bags(self.weights(histories, target), device).sums(tables.read)
        mapped, sources = torch.zeros_like(own), np.zeros(len(counts))
        for source in self.space_.others(target):
            rows = np.flatnonzero(counts[:, self.space_.index(source)])
            if len(rows):
                mapped[tensor(rows, device)] += self.mapped(network, tables, histories.take(rows), source, target)
                sources[rows] += 1
        share = own_share(counts[:, number], sources > 0, self.config.prior)
        scale = tensor(np.stack([share, (1 - share) / np.maximum(sources, 1)]).astype(np.float32), device)
        people = scale[0][:, None] * own + scale[1][:, None] * mapped
        return people @ tables.offered[self.space_.slice(target)].T

    def size(self, shape: DataShape) -> Size:
        """Vectors of items, and mappings of all pairs."""
        base = super().size(shape)
        mapping = sum(parameter.numel() for parameter in self.mapping().parameters())
        return Size(base.parameters + mapping * len(shape.space.domains) ** 2, base.batch_bytes, base.entry_flops)


def own_share(counts: npt.NDArray[np.int64], elsewhere: npt.NDArray[np.bool_], prior: float) -> npt.NDArray[np.float64]:
    """The part of a person's own vector: n / (n + prior); 1 for who is known nowhere else."""
    total = counts + np.where(elsewhere, prior, 0.0)
    return np.divide(counts, total, out=np.where(elsewhere, 0.0, 1.0), where=total > 0)


def some_people(batch: SetBatch, chosen: npt.NDArray[np.bool_]) -> SetBatch:
    """A batch's chosen people with what is asked of them."""
    numbers = np.cumsum(chosen) - 1
    asked = chosen[batch.rows]
    return SetBatch(
        batch.histories.take(np.flatnonzero(chosen)), numbers[batch.rows[asked]], batch.items[asked], batch.rng
    )
