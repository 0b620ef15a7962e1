"""Weights of a blend, fitted on validation rows.

Starts from the convex fit (conditional logit: the positive against the other candidates), climbs NDCG@k one weight at a
time, drops the members that hardly help and climbs again. Both read one array of member scores,
(n_members, n_rows, n_candidates), the positive in column 0 and the hardest candidates next to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.numerics.jit import F32, F64, Bools, kernel
from kuajie.numerics.threads import run_blocks

STEPS = (0.0, 0.5, 0.7, 0.85, 1.2, 1.5, 2.0)
"""Factors tried for one weight; a weight of 0 is tried at `ENTRY_PARTS` of the largest weight instead."""
ENTRY_PARTS = (0.05, 0.1, 0.2, 0.4)
FEW_ROWS = 500
LOGIT_ROWS = 5_000
"""Rows that the convex fit reads."""
HARDEST = 256
"""Candidates of each row that are kept."""
LOGIT_CANDIDATES = 128
"""Candidates of each row that the convex fit reads."""
ROWS_FOR_A_THREAD = 2_500
"""With fewer rows a thread takes longer to start than to count."""
UNKNOWN = np.float32(-1e30)
"""Total of candidates that nobody scores: they rank last. Minus infinity times 0 would be unknown."""


@dataclass(frozen=True, eq=False)
class MemberScores:
    """What the members of a blend give to the candidates of validation rows.

    Attributes:
        names: of the members.
        scores: float32 (n_members, n_rows, n_candidates), scaled, unknown = 0; column 0 is the positive.
        known: bool (n_rows, n_candidates): some member has a score; others rank last.
    """

    names: tuple[str, ...]
    scores: F32
    known: Bools

    def rows(self, chosen: npt.NDArray[np.integer] | Bools) -> "MemberScores":
        """Some rows."""
        return MemberScores(self.names, np.ascontiguousarray(self.scores[:, chosen]), self.known[chosen])

    def members(self, names: Sequence[str]) -> "MemberScores":
        """Some members."""
        places = [self.names.index(name) for name in names]
        return MemberScores(tuple(names), self.scores[places], self.known)

    def hardest(self, most: int = HARDEST) -> "MemberScores":
        """The same with the candidates that some member likes best, in order of their mean score.

        The rank of a positive outside the first k places is then known after a few candidates; what no member likes
        does not come before a positive in the first k.
        """
        scales = 1 / np.maximum(self.scores.std(axis=(1, 2)), np.float32(1e-9))
        liked: F32 = np.full(self.known.shape, UNKNOWN)
        for scale, member in zip(scales, self.scores, strict=True):
            np.maximum(liked, scale * member, out=liked)
        mean = np.tensordot(scales, self.scores, axes=1)
        for key in (liked, mean):
            key[~self.known] = UNKNOWN
            key[:, 0] = np.inf
        most = min(most, self.known.shape[1])
        kept = np.argpartition(-liked, most - 1, axis=1)[:, :most]
        order = np.take_along_axis(kept, np.argsort(-np.take_along_axis(mean, kept, 1), axis=1, kind="stable"), 1)
        scores = np.stack([np.take_along_axis(member, order, axis=1) for member in self.scores])
        return MemberScores(self.names, scores, np.take_along_axis(self.known, order, axis=1))

    def total(self, weights: F64) -> F32:
        """Blended scores; unknown candidates at `UNKNOWN`."""
        used = np.flatnonzero(weights)
        total = np.tensordot(weights[used].astype(np.float32), self.scores[used], axes=1)
        return np.where(self.known, total, UNKNOWN)


def row_ndcg(total: F32, k: int = 10) -> F64:
    """NDCG@k of each row, ties counted half: a smooth enough stand-in for its expectation while climbing."""
    values = np.empty((len(total), 1))
    finite = np.maximum(total, UNKNOWN)  # 0 times infinity would be unknown
    _ndcg_along(0, len(total), finite, finite, np.zeros(1, np.float32), k, values)
    return values[:, 0]


def logit_weights(members: MemberScores, ridge: float = 1e-3, threads: int = 1) -> F64:
    """Weights >= 0 that maximise the likelihood of the positive among the candidates (softmax), ridge-penalised.

    Source: conditional logit, McFadden (1974), "Conditional logit analysis of qualitative choice behavior", eq. 12.
    """
    size = len(members.names)
    usable = np.flatnonzero(members.known[:, 0])
    usable = usable[:: -(-len(usable) // LOGIT_ROWS)] if len(usable) > LOGIT_ROWS else usable
    if not len(usable):
        return np.full(size, 1.0 / size)
    width = members.known.shape[1]
    columns = slice(None)
    if width > LOGIT_CANDIDATES:  # evenly over the candidates, however they are ordered; the positive is column 0
        columns = slice(0, None, -(-width // LOGIT_CANDIDATES))
    scores = np.ascontiguousarray(members.scores[:, usable, columns])
    known = np.ascontiguousarray(members.known[usable, columns])
    losses, gradients = np.empty(len(usable)), np.empty((len(usable), size))

    def loss(weights: F64) -> tuple[float, F64]:
        def work(low: int, high: int) -> None:
            _logit_rows(low, high, scores, known, weights.astype(np.float32), losses, gradients)

        run_blocks(work, len(usable), threads)
        return float(losses.mean()) + ridge * float(weights @ weights), gradients.mean(axis=0) + 2 * ridge * weights

    start = np.full(size, 1.0 / size)
    bounds = [(0.0, None)] * size
    from scipy import optimize  # a third of a second and 14 MB that only choosing needs

    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
    weights = np.asarray(found.x, dtype=np.float64)
    return np.asarray(weights / weights.sum()) if weights.sum() > 0 else start


def climb(
    members: MemberScores, start: F64, k: int = 10, *, sweeps: int = 3, least_gain: float = 2e-3, threads: int = 1
) -> F64:
    """Coordinate ascent on mean NDCG@k; a step must gain `least_gain` (relative) so that noise is not followed.

    Members without weight may join in the first sweep alone.
    """
    weights = start.copy()
    total = members.total(weights)
    best = float(row_ndcg(total, k).mean())
    for sweep in range(sweeps):
        before = best
        for place in range(len(weights)) if sweep == 0 else np.flatnonzero(weights):
            tried = weights[place] * np.array(STEPS) if weights[place] > 0 else weights.max() * np.array(ENTRY_PARTS)
            changes = (tried - weights[place]).astype(np.float32)
            means = ndcg_along(total, members.scores[place], changes, k, threads)
            winner = int(np.argmax(means))
            if means[winner] > best * (1 + least_gain):
                best, weights[place] = float(means[winner]), tried[winner]
                total += changes[winner] * members.scores[place]
        if best <= before * (1 + least_gain):
            break
    return np.asarray(weights / weights.sum()) if weights.sum() > 0 else start


def ndcg_along(total: F32, scores: F32, changes: F32, k: int, threads: int = 1) -> F64:
    """Mean NDCG@k of `total + change * scores` for each change: (n_changes,)."""
    values = np.empty((len(total), len(changes)))
    size = max(ROWS_FOR_A_THREAD, -(-len(total) // max(1, threads)))
    run_blocks(lambda low, high: _ndcg_along(low, high, total, scores, changes, k, values), len(total), threads, size)
    return np.asarray(values.mean(axis=0))


def fit_weights(members: MemberScores, k: int = 10, *, least_gain: float = 2e-3, threads: int = 1) -> F64:
    """Blend weights >= 0 that sum to 1: the logit fit, climbed, without what hardly helps, climbed again.

    With few rows the rank among all candidates decides instead of the first k places, for few rows have few hits there.
    """
    depth = k if len(members.known) >= FEW_ROWS else members.known.shape[1]
    weights = climb(members, logit_weights(members, threads=threads), depth, least_gain=least_gain, threads=threads)
    weights = pruned(members, weights, depth, threads=threads)
    return refine(members, weights, depth, least_gain=least_gain, threads=threads)


def refine(members: MemberScores, weights: F64, k: int, *, least_gain: float = 2e-3, threads: int = 1) -> F64:
    """The weights climbed further among the members that they use; no other joins."""
    used = weights > 0
    fewer = members.members([name for name, inside in zip(members.names, used, strict=True) if inside])
    refined = np.zeros_like(weights)
    refined[used] = climb(fewer, weights[used], k, least_gain=least_gain, threads=threads)
    return refined


def pruned(members: MemberScores, weights: F64, k: int, *, most_loss: float = 1e-2, threads: int = 1) -> F64:
    """The weights without members that hardly help, the most dispensable first.

    Each member costs a fit, and time at every request. On people who did not fit the weights, fewer members do no
    worse (docs/adr/0004-how-auto-chooses.md).

    Args:
        members: what the weights were fitted on.
        weights: sum to 1.
        k: depth of NDCG.
        most_loss: of NDCG, relative, for each member that goes.
        threads: how many threads.
    """
    weights, total = weights.copy(), members.total(weights)
    value = float(row_ndcg(total, k).mean())
    while np.count_nonzero(weights) > 1:
        used = np.flatnonzero(weights)
        changes = (np.array([-weights[place]], dtype=np.float32) for place in used)
        left = [
            float(ndcg_along(total, members.scores[place], change, k, threads)[0])
            for place, change in zip(used, changes, strict=True)
        ]
        best = int(np.argmax(left))
        if left[best] < value * (1 - most_loss):
            break
        value = left[best]
        total -= np.float32(weights[used[best]]) * members.scores[used[best]]
        weights[used[best]] = 0.0
    return np.asarray(weights / weights.sum())


@kernel
def _ndcg_along(low: int, high: int, total: F32, scores: F32, changes: F32, k: int, values: F64) -> None:
    width = total.shape[1]
    for row in range(low, high):
        for place in range(len(changes)):
            change = changes[place]
            own = total[row, 0] + change * scores[row, 0]
            above, equal, start = np.float32(0), np.float32(0), 1
            while start < width and above < k:  # k better ones say enough
                stop = min(start + 64, width)
                totals, others = total[row, start:stop], scores[row, start:stop]  # slices become SIMD, ranges do not
                for column in range(len(totals)):
                    other = totals[column] + change * others[column]
                    above += np.float32(other > own)
                    equal += np.float32(other == own)
                start = stop
            rank = 1.0 + above + 0.5 * equal
            values[row, place] = 1.0 / np.log2(rank + 1.0) if rank <= k else 0.0


@kernel
def _logit_rows(low: int, high: int, scores: F32, known: Bools, weights: F32, losses: F64, gradients: F64) -> None:
    size, _, width = scores.shape
    total = np.empty(width, np.float32)
    for row in range(low, high):
        total[:] = 0
        for member in range(size):
            weight = weights[member]
            for column in range(width):
                total[column] += weight * scores[member, row, column]
        largest = np.float32(-1e30)
        for column in range(width):
            if known[row, column]:
                largest = max(largest, total[column])
        positive = total[0] - largest
        mass = np.float32(0)
        for column in range(width):
            total[column] = np.exp(total[column] - largest) if known[row, column] else np.float32(0)
            mass += total[column]
        losses[row] = np.log(mass) - positive
        for member in range(size):
            expected = np.float32(0)
            for column in range(width):
                expected += total[column] * scores[member, row, column]
            gradients[row, member] = expected / mass - scores[member, row, 0]
