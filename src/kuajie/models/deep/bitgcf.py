"""BiTGCF: a graph in every domain, and what people learned in one is handed to the others in every layer.

Liu, Li, Li and Pan 2020, "Cross domain recommendation via bi-directional transfer graph collaborative filtering
networks", section 3.3. With u_d what a person's n_d items of domain d say together (edges weigh 1 / sqrt(n_d n_i)), the
person hands on

    u'_d = 1/2 (own u_d + (1 - own) mean_{s != d} u_s) + 1/2 sum_s n_s u_s / sum_s n_s

over the domains s that know them: half what is common, half in proportion to how much is known. Where d does not know
them, the others stand alone, which serves people who are new in d; where only d knows them, u'_d = u_d. Two domains
are the paper's; more are treated alike. Differences: people start from nothing (see `lightgcn`), layers are averaged
instead of concatenated, and there is no other weight matrix.
"""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from kuajie.core.histories import Histories
from kuajie.models.deep.edges import Edges
from kuajie.models.deep.graphs import GraphModel
from kuajie.models.deep.set_configs import BiTGCFConfig
from kuajie.models.deep.sets import distinct


class BiTGCF(GraphModel[BiTGCFConfig]):
    """One graph for each domain, joined by people."""

    config_type: ClassVar[type[BiTGCFConfig]] = BiTGCFConfig

    def weights(self, histories: Histories, target: str) -> sparse.csr_array:
        """What u'_target is made of."""
        edges, counts = self._edges(histories)
        shares = transfer(counts, self.space_.index(target), self.config.own)
        rows = np.repeat(np.arange(edges.shape[0]), np.diff(edges.indptr))
        edges.data *= shares[rows, self.space_.domain_of(edges.indices)].astype(np.float32)
        return edges

    def hops(self, histories: Histories, device: torch.device) -> list[tuple[Edges, Edges]]:
        """Of each domain: people as they are after the transfer, and the domain's own edges back."""
        edges, _ = self._edges(histories)
        domains = self.space_.domain_of(edges.indices)
        found = []
        for number, name in enumerate(self.space_.domains):
            own = edges.copy()
            own.data = np.where(domains == number, own.data, 0).astype(np.float32)
            own.eliminate_zeros()
            found.append((Edges(self.weights(histories, name), device), Edges(own, device)))
        return found

    def _edges(self, histories: Histories) -> tuple[sparse.csr_array, npt.NDArray[np.float64]]:
        """n_d^-power n_i^-1/2 of every entry, and n_d: (n_rows, n_domains)."""
        edges = distinct(histories)
        rows = np.repeat(np.arange(edges.shape[0]), np.diff(edges.indptr))
        domains, n_domains = self.space_.domain_of(edges.indices), len(self.space_.domains)
        flat = np.bincount(rows * n_domains + domains, minlength=edges.shape[0] * n_domains)
        counts: npt.NDArray[np.float64] = flat.reshape(-1, n_domains).astype(np.float64)
        scale = counts[rows, domains] ** -self.config.power * self.support_[edges.indices] ** -0.5
        edges.data = scale.astype(np.float32)
        return edges, counts


def transfer(counts: npt.NDArray[np.float64], target: int, own: float) -> npt.NDArray[np.float64]:
    """How much of each domain's part is in what a person hands on in one: (n_people, n_domains), rows sum to 1.

    Args:
        counts: items of each person in each domain.
        target: the domain they are handed on in.
        own: lambda.
    """
    known = (counts > 0).astype(np.float64)
    others = known.copy()
    others[:, target] = 0
    n_others = others.sum(axis=1, keepdims=True)
    mean = others / np.maximum(n_others, 1)
    inside = known[:, [target]] * np.where(n_others > 0, own, 1.0)
    common = mean * (1 - inside)
    common[:, target] = inside[:, 0]
    in_proportion = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares: npt.NDArray[np.float64] = (common + in_proportion) / 2
    return shares
