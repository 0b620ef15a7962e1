"""LightGCN: taste spreads over the graph of people and items of all domains.

He et al. 2020, "LightGCN: simplifying and powering graph convolution network for recommendation", eqs. 3-8. An edge
weighs 1 / sqrt(n_u n_i). Differences: people start from nothing instead of a learned vector (layer 0 of people is
zero), so a new history is folded in by the very convolution that people in training got; the loss is a sampled softmax
by default, BPR with `loss = "bpr"`; and the item that is asked for is taken out of the person's own sum.
"""

from typing import ClassVar

import numpy as np
import torch
from scipy import sparse

from kuajie.core.histories import Histories
from kuajie.models.deep.edges import Edges
from kuajie.models.deep.graphs import GraphModel
from kuajie.models.deep.set_configs import LightGCNConfig
from kuajie.models.deep.sets import distinct, powered


class LightGCN(GraphModel[LightGCNConfig]):
    """One graph of all domains."""

    config_type: ClassVar[type[LightGCNConfig]] = LightGCNConfig

    def weights(self, histories: Histories, target: str) -> sparse.csr_array:
        """n_u^-power n_i^-1/2 of every entry."""
        weights = powered(distinct(histories), self.config.power)
        weights.data *= (self.support_[weights.indices] ** -0.5).astype(np.float32)
        return weights

    def hops(self, histories: Histories, device: torch.device) -> list[tuple[Edges, Edges]]:
        """There and back over the same edges."""
        edges = Edges(self.weights(histories, self.space_.domains[0]), device)
        return [(edges, edges)]
