"""Personalised PageRank by local push: only nodes that a walk from the start is likely to reach are touched.

    p = alpha sum_{t >= 0} (1 - alpha)^t  s P^t

P (n_nodes, n_nodes), rows sum to 1; a node without edges keeps what reaches it. A node is pushed while its residual
exceeds epsilon * (its edges + 1), so a start of mass 1 costs at most 1 / (alpha * epsilon) steps over edges, however
large the graph is. What is left at a node counts as far as it stays there, so scores are never too large, and too small
by less than the mass that is left.

Source: Andersen, Chung, Lang 2006, "Local graph partitioning using PageRank vectors", algorithm ApproximatePR, without
the lazy step and for any transition matrix.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kuajie.numerics.jit import F32, F64, I32, I64, Bools, kernel


@dataclass(frozen=True, eq=False)
class Space:
    """Memory of one walk at a time: each thread has its own; all zero between walks."""

    mass: F64
    residual: F64
    queue: I32
    queued: Bools
    touched: I32

    @classmethod
    def of(cls, n_nodes: int) -> "Space":
        """For so many nodes."""
        return cls(
            np.zeros(n_nodes),
            np.zeros(n_nodes),
            np.zeros(n_nodes + 1, np.int32),
            np.zeros(n_nodes, np.bool_),
            np.zeros(n_nodes, np.int32),
        )


@dataclass(frozen=True, eq=False)
class Walker:
    """Walks on one graph.

    Attributes:
        indptr, ends, chances: P as CSR.
        alpha: chance of going back to the start, at each step.
        epsilon: of the stopping rule.
        n_items: the first nodes are items; only their part is told.
    """

    indptr: I64
    ends: I32
    chances: F32
    alpha: float
    epsilon: float
    n_items: int

    @classmethod
    def of(cls, edges: sparse.csr_array, alpha: float, epsilon: float, n_items: int) -> "Walker":
        """Rows of non-negative edges are scaled to sum to 1."""
        sums = np.asarray(edges.sum(axis=1)).ravel()
        scale = np.repeat(np.where(sums > 0, 1 / np.where(sums > 0, sums, 1.0), 0.0), np.diff(edges.indptr))
        chances = (edges.data * scale).astype(np.float32)
        return cls(
            edges.indptr.astype(np.int64), edges.indices.astype(np.int32), chances, alpha, epsilon, n_items
        )  # fmt: skip

    def rows(self, low: int, high: int) -> F32:
        """What walks from the items low..high-1 find, their own start left out: float32 (high - low, n_items)."""
        out = np.zeros((high - low, self.n_items), np.float32)
        space = Space.of(len(self.indptr) - 1)
        for item in range(low, high):
            self.walk(np.array([item], np.int32), np.ones(1), space, out[item - low])
            out[item - low, item] = 0
        return out

    def walk(self, starts: I32, shares: F64, space: Space, out: F32) -> int:
        """One walk from several items: adds p to `out` (n_items,); how many steps over edges it took."""
        return int(
            _push(
                self.indptr, self.ends, self.chances, self.alpha, self.epsilon, starts, shares,
                space.mass, space.residual, space.queue, space.queued, space.touched, out,
            )
        )  # fmt: skip


@kernel
def _push(
    indptr: I64,
    ends: I32,
    chances: F32,
    alpha: float,
    epsilon: float,
    starts: I32,
    shares: F64,
    mass: F64,
    residual: F64,
    queue: I32,
    queued: Bools,
    touched: I32,
    out: F32,
) -> int:
    size, first, last, n_touched, steps = len(queue), 0, 0, 0, 0
    for place in range(len(starts)):
        node = starts[place]
        if residual[node] == 0.0 and shares[place] > 0:
            touched[n_touched] = node
            n_touched += 1
        residual[node] += shares[place]
        if not queued[node]:
            queued[node] = True
            queue[last] = node
            last = (last + 1) % size
    while first != last:
        node = queue[first]
        first = (first + 1) % size
        queued[node] = False
        begin, end = indptr[node], indptr[node + 1]
        left = residual[node]
        if left == 0.0:
            continue
        residual[node] = 0.0
        if begin == end:
            mass[node] += left
            continue
        mass[node] += alpha * left
        left *= 1 - alpha
        steps += end - begin
        for place in range(begin, end):
            other = ends[place]
            if chances[place] == 0.0:
                continue
            if residual[other] == 0.0 and mass[other] == 0.0:
                touched[n_touched] = other
                n_touched += 1
            residual[other] += left * chances[place]
            if not queued[other] and residual[other] > epsilon * (indptr[other + 1] - indptr[other] + 1):
                queued[other] = True
                queue[last] = other
                last = (last + 1) % size
    for place in range(n_touched):
        node = touched[place]
        if node < len(out):
            out[node] += mass[node] + alpha * residual[node]  # what is left stays here with chance alpha at least
        mass[node] = 0.0
        residual[node] = 0.0
    return steps
