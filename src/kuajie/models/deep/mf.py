"""Biased matrix factorisation by gradient descent, of ratings or of use.

Koren, Bell and Volinsky 2009, "Matrix factorization techniques for recommender systems", eqs. 4-5:

    s_ui = m_d + b_i + b_u + p_u q_i
    min  sum_observed (t_ui - s_ui)^2 + c sum_all s_uj^2 + lambda (|p|^2 + |q|^2) + lambda_b (b_u^2 + b_i^2)

Of ratings t is the rating, m_d the mean of its domain and c = 0; of use t = 1, m_d = 0 and all pairs are weak zeros,
estimated on drawn items. People have vectors while training alone: whoever asks is folded in by the minimum over
(b_u, p_u) of this very sum, one linear solve, so nobody's row is kept and anybody is served alike.
"""

from collections.abc import Iterator
from typing import ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.deep.base import DeepModel, Size
from kuajie.models.deep.edges import tensor
from kuajie.models.deep.holdout import Holdout, Score, Validation
from kuajie.models.deep.set_configs import MFConfig
from kuajie.models.deep.sets import distinct
from kuajie.models.deep.training import Batch, Batches, device_of


class MFNetwork(nn.Module):
    """Vectors and biases of items; while training, of people too.

    Attributes:
        means: (n_domains,), m_d.
        zeros: c.
    """

    means: torch.Tensor
    zeros: torch.Tensor

    def __init__(self, n_items: int, n_domains: int, dim: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(n_items, dim) * 0.1)
        self.biases = nn.Parameter(torch.zeros(n_items))
        self.register_buffer("means", torch.zeros(n_domains))
        self.register_buffer("zeros", torch.zeros(1))
        self.people: nn.Parameter | None = None

    def widened(self) -> torch.Tensor:
        """[1, q_i]: (n_items, 1 + dim), whose product with [b_u, p_u] is b_u + p_u q_i."""
        return torch.cat([torch.ones_like(self.biases)[:, None], self.vectors], dim=1)


class MF(DeepModel[MFConfig]):
    """Biased matrix factorisation."""

    config_type: ClassVar[type[MFConfig]] = MFConfig

    @property
    def rated(self) -> bool:
        """Whether entries are ratings."""
        return self.config.feedback == "ratings"

    def network(self, space: ItemSpace) -> nn.Module:
        """Vectors of items."""
        return MFNetwork(space.n_items, len(space.domains), self.config.dim)

    def entries(self, histories: Histories) -> Histories:
        """What is fitted: ratings as they are, of use each item once."""
        known = self.known(histories)
        return known if self.rated else Histories.from_matrix(distinct(known))

    def prepare(self, network: nn.Module, interactions: Interactions, options: FitOptions) -> None:
        """Vectors of people, and the constants."""
        net = cast(MFNetwork, network)
        self.covered_ = self.cover(network)
        entries, device = self.entries(interactions.histories), net.means.device
        net.people = nn.Parameter(0.1 * torch.randn(interactions.n_people, 1 + self.config.dim).to(device))
        if self.rated:
            domains, n_domains = self.space_.domain_of(entries.items), len(self.space_.domains)
            sums = np.bincount(domains, entries.weights, n_domains)
            counts = np.bincount(domains, minlength=n_domains)
            net.means = tensor((sums / np.maximum(counts, 1)).astype(np.float32), device)
        else:
            pairs = max(interactions.n_people, 1) * self.space_.n_items
            net.zeros = torch.full_like(net.zeros, self.config.zeros * len(entries.items) / pairs)

    def release(self, network: nn.Module) -> None:
        """People's vectors are not kept."""
        network.people = None

    def batches(self, interactions: Interactions) -> Batches:
        """People in a new order each epoch, with all their entries."""
        entries, size = self.entries(interactions.histories), self.config.training.batch_size

        def epoch(rng: np.random.Generator) -> Iterator[Batch]:
            people = rng.permutation(np.flatnonzero(entries.lengths))
            for start in range(0, len(people), size):
                some = people[start : start + size]
                yield some, entries.take(some), rng

        return epoch

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """The sum of the objective over the batch's people, for each of their entries."""
        net, (numbers, entries, rng), config = cast(MFNetwork, network), batch, self.config
        device = device_of(net)
        people = cast(nn.Parameter, net.people)[tensor(numbers, device)]
        rows, items = tensor(entries.rows(), device), tensor(entries.items.astype(np.int64), device)
        vectors, biases = net.vectors[items], net.biases[items]
        scores = self._offsets(net)[items] + people[rows, 0] + (people[rows, 1:] * vectors).sum(dim=1)
        total = (self._wanted(entries, device) - scores).square().sum()
        support = tensor(self.support_[entries.items].astype(np.float32), device)
        total = total + config.regularization * (
            people[:, 1:].square().sum() + (vectors.square().sum(dim=1) / support).sum()
        )
        total = total + config.bias_regularization * (people[:, 0].square().sum() + (biases**2 / support).sum())
        if not self.rated:
            drawn = tensor(rng.integers(0, self.space_.n_items, config.drawn), device)
            others = people @ net.widened()[drawn].T + net.biases[drawn]
            total = total + net.zeros * self.space_.n_items / config.drawn * others.square().sum()
        return total.squeeze() / len(items)

    def rate(self, network: nn.Module, histories: Histories, target: str) -> torch.Tensor:
        """m_d + b_i + b_u + p_u q_i of people folded in."""
        net, part = cast(MFNetwork, network), self.space_.slice(target)
        return self._offsets(net)[part] + self.folded(net, histories) @ net.widened()[part].T

    def folded(self, net: MFNetwork, histories: Histories) -> torch.Tensor:
        """[b_u, p_u] of histories, the minimum of the objective: (n_rows, 1 + dim)."""
        device, config = device_of(net), self.config
        entries = self.entries(histories)
        items, inside = padded(entries)
        widened, offsets = net.widened(), self._offsets(net)
        mine = widened[tensor(items, device)] * tensor(inside.astype(np.float32), device)[:, :, None]
        wanted = mine.new_zeros(items.shape)
        wanted[tensor(inside, device)] = self._wanted(entries, device)
        system = mine.transpose(1, 2) @ mine + net.zeros * (widened.T @ widened)
        ridge = mine.new_full((1 + config.dim,), config.regularization)
        ridge[0] = config.bias_regularization
        right = (mine * (wanted - offsets[tensor(items, device)])[:, :, None]).sum(dim=1)
        right = right - net.zeros * (offsets @ widened)
        return torch.linalg.solve(system + torch.diag(ridge), right)

    def _offsets(self, net: MFNetwork) -> torch.Tensor:
        """m_d + b_i of all items."""
        sizes = torch.tensor(self.space_.sizes, device=net.means.device)
        return net.biases + torch.repeat_interleave(net.means, sizes)

    def _wanted(self, entries: Histories, device: torch.device) -> torch.Tensor:
        return tensor(entries.weights if self.rated else np.ones(len(entries.items), np.float32), device)

    def judge(self, holdout: Holdout, training: Interactions, rng: np.random.Generator) -> Validation:
        """Of ratings, by how far off they are told."""
        return RatingJudge(holdout, self.space_) if self.rated else super().judge(holdout, training, rng)

    def size(self, shape: DataShape) -> Size:
        """Vectors of items and people."""
        config = self.config
        pairs = config.training.batch_size * (config.drawn if not self.rated else 0)
        per_entry = 12.0 * config.dim + 2.0 * config.dim * pairs / max(1, config.training.batch_size) / 8
        return Size((shape.space.n_items + shape.n_people) * (config.dim + 1), 12.0 * pairs, per_entry)


class RatingJudge:
    """The root mean squared error of held-out ratings, negated: larger is better."""

    metric = "negated_rmse"

    def __init__(self, holdout: Holdout, space: ItemSpace) -> None:
        self.holdout, self.space = holdout, space
        self.domains = space.domain_of(holdout.items)

    @property
    def n_rows(self) -> int:
        """How many are told."""
        return len(self.domains)

    def only(self, domain: str) -> "RatingJudge":
        """A judge of one domain's rows."""
        return RatingJudge(self.holdout.take(np.flatnonzero(self.domains == self.space.index(domain))), self.space)

    def __call__(self, score: Score) -> float:
        """-RMSE of `score(histories, domain)`."""
        total = 0.0
        for number, name in enumerate(self.space.domains):
            rows = np.flatnonzero(self.domains == number)
            if not len(rows):
                continue
            columns = self.holdout.items[rows] - self.space.slice(name).start
            told = score(self.holdout.histories.take(rows), name)[np.arange(len(rows)), columns]
            total += float(np.nansum((told - self.holdout.weights[rows]) ** 2))
        return -float(np.sqrt(total / max(len(self.domains), 1)))


def padded(histories: Histories) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Items of rows side by side, and where there is one: (n_rows, longest)."""
    lengths = histories.lengths
    places = np.arange(lengths.max(initial=1))
    inside = places < lengths[:, None]
    items = np.zeros(inside.shape, np.int64)
    items[inside] = histories.items
    return items, inside
