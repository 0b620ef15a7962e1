"""The base of deep models of sets: a person is a weighted sum over the items of their history.

    p(h, d) = turn_d( sum_{i in h} a_i(h, d) r_i ),      s(h, j) = f(p, o_j)

r and o are what an item says when it is read and when it is offered, a what it counts for a target domain d. While
training, each item of a history is asked for from the others: its own part is taken out of the sum, as in FISM
(Kabbur et al. 2013), so that what is trained is what is served and nobody has a vector of their own.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import nn

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape
from kuajie.models.deep.base import DeepModel, Size
from kuajie.models.deep.edges import Bags, tensor
from kuajie.models.deep.losses import bce_loss, bpr_loss, sampled_softmax_loss
from kuajie.models.deep.set_configs import SetConfig
from kuajie.models.deep.training import Batch, Batches, device_of

C = TypeVar("C", bound=SetConfig)
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tables:
    """What every item says.

    Attributes:
        read: (n_items, dim), in a history.
        offered: (n_items, dim), as a recommendation.
    """

    read: torch.Tensor
    offered: torch.Tensor


@dataclass(frozen=True, eq=False)
class SetBatch:
    """Some people, and some of their entries.

    Attributes:
        histories: whole, without repeats.
        rows: int64 (n_asked,), whose entry is asked for.
        items: int64 (n_asked,), which.
        rng: for what is drawn.
    """

    histories: Histories
    rows: I64
    items: I64
    rng: np.random.Generator


class SetModel(DeepModel[C]):
    """Batches, loss and scores of models of sets; a model says what items say and how they count."""

    @abstractmethod
    def tables(self, network: nn.Module) -> Tables:
        """What every item says."""

    def weights(self, histories: Histories, target: str) -> sparse.csr_array:
        """How much the items of histories count for a target: (n_rows, n_items)."""
        return powered(distinct(histories), self.config.power)

    def turned(self, network: nn.Module, people: torch.Tensor, target: str) -> torch.Tensor:
        """The sums of histories, turned towards a target: (n_rows, dim)."""
        return people

    def logits(self, network: nn.Module, people: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of all pairs of (n_rows, dim) and (n_items, dim)."""
        return people @ items.T

    def paired(self, network: nn.Module, people: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Scores of each row with its own item."""
        return (people * items).sum(dim=1)

    def batches(self, interactions: Interactions) -> Batches:
        """People in a new order each epoch, with some of their entries each."""
        histories = Histories.from_matrix(distinct(self.known(interactions.histories)))
        return lambda rng: asked_batches(histories, self.config.training.batch_size, self.config.asked, rng)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """The mean over all entries that are asked for."""
        tables, domains = self.tables(network), self.space_.domain_of(batch.items)
        total, count = 0.0 * tables.offered.sum(), 0
        for number, name in enumerate(self.space_.domains):
            mine = domains == number
            people, kept = self.left_out(network, tables, batch.histories, name, batch.rows[mine], batch.items[mine])
            if not len(kept):
                continue
            total = total + len(kept) * self.contrast(network, tables, people, batch.items[mine][kept], name, batch.rng)
            count += len(kept)
        return total / max(count, 1)

    def left_out(
        self, network: nn.Module, tables: Tables, histories: Histories, target: str, rows: I64, items: I64
    ) -> tuple[torch.Tensor, I64]:
        """People without what is asked of them.

        Returns:
            (n_kept, dim), and which of the asked entries are kept: those whose person has another entry that counts.
        """
        weights, device = self.weights(histories, target), tables.read.device
        counts = np.diff(weights.indptr)[rows]
        kept = np.flatnonzero(counts > 1)
        rows, items, counts = rows[kept], items[kept], counts[kept]
        own = np.asarray(weights[rows, items], dtype=np.float32).reshape(-1, 1)
        scale = ((counts / (counts - 1)) ** self.config.power).astype(np.float32)[:, None]
        sums = Bags(weights, device).sums(tables.read)[tensor(rows, device)]
        others = (sums - tensor(own, device) * tables.read[tensor(items, device)]) * tensor(scale, device)
        return self.turned(network, others, target), kept

    def contrast(
        self,
        network: nn.Module,
        tables: Tables,
        people: torch.Tensor,
        items: I64,
        target: str,
        rng: np.random.Generator,
    ) -> torch.Tensor:
        """The loss of people's items against drawn ones of the same domain."""
        part, device = self.space_.slice(target), people.device
        size = part.stop - part.start
        wanted = tensor(items, device)
        drawn = tensor(part.start + rng.integers(0, size, min(self.config.negatives, size)), device)
        positive = self.paired(network, people, tables.offered[wanted])
        negative = self.logits(network, people, tables.offered[drawn])
        hits = drawn == wanted[:, None]
        if self.config.loss == "softmax":
            return sampled_softmax_loss(positive, negative, hits, size)
        if self.config.loss == "bpr":
            return bpr_loss(positive[:, None], negative)
        return bce_loss(positive, negative, hits)

    def rate(self, network: nn.Module, histories: Histories, target: str) -> torch.Tensor:
        """Scores of whole histories."""
        tables, part = self.tables(network), self.space_.slice(target)
        people = Bags(self.weights(histories, target), device_of(network)).sums(tables.read)
        return self.logits(network, self.turned(network, people, target), tables.offered[part])

    def size(self, shape: DataShape) -> Size:
        """Vectors of items, and the products with the drawn ones."""
        config = self.config
        asked = config.training.batch_size * config.asked
        return Size(
            parameters=2 * shape.space.n_items * config.dim,
            batch_bytes=4 * asked * (3 * config.negatives + 6 * config.dim) + 16 * shape.space.n_items * config.dim,
            entry_flops=2 * config.dim * config.negatives + 12 * config.negatives,
        )


def distinct(histories: Histories) -> sparse.csr_array:
    """Ones where an item is in a history: (n_rows, n_items)."""
    matrix = histories.matrix()
    matrix.data[:] = 1
    return matrix


def powered(ones: sparse.csr_array, power: float) -> sparse.csr_array:
    """Each row of n ones times n^-power."""
    counts = np.diff(ones.indptr)
    weights = np.repeat(np.maximum(counts, 1) ** -power, counts).astype(np.float32)
    return sparse.csr_array((weights, ones.indices, ones.indptr), shape=ones.shape)


def asked_batches(histories: Histories, size: int, asked: int, rng: np.random.Generator) -> Iterator[SetBatch]:
    """An epoch over people with two entries or more."""
    people = rng.permutation(np.flatnonzero(histories.lengths > 1))
    for start in range(0, len(people), size):
        some = histories.take(people[start : start + size])
        rows = some.rows()
        order = np.lexsort((rng.random(len(rows)), rows))
        place = np.arange(len(rows)) - some.indptr[rows]
        chosen = order[place < asked]
        yield SetBatch(some, rows[chosen], some.items[chosen].astype(np.int64), rng)


def normal(n_items: int, dim: int) -> nn.Embedding:
    """New vectors of items, of length about 1."""
    vectors = nn.Embedding(n_items, dim)
    nn.init.normal_(vectors.weight, std=dim**-0.5)
    return vectors
