"""Weights of a blend, fitted on validation rows.

Starts from the convex fit (conditional logit: the positive against the other candidates), then climbs NDCG@k one weight
at a time. Both read one array of member scores, (n_members, n_rows, n_candidates), the positive in column 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

Floats = npt.NDArray[np.float32]
STEPS = (0.0, 0.5, 0.7, 0.85, 1.2, 1.5, 2.0)
"""Factors tried for one weight; a weight of 0 is tried at these parts of the largest weight instead."""
ENTRY_PARTS = (0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, eq=False)
class MemberScores:
    """What the members of a blend give to the candidates of validation rows.

    Attributes:
        names: of the members.
        scores: float32 (n_members, n_rows, n_candidates), scaled, unknown = 0; column 0 is the positive.
        known: bool (n_rows, n_candidates): some member has a score; others rank last.
    """

    names: tuple[str, ...]
    scores: Floats
    known: npt.NDArray[np.bool_]

    def rows(self, chosen: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "MemberScores":
        """Some rows."""
        return MemberScores(self.names, self.scores[:, chosen], self.known[chosen])

    def members(self, names: Sequence[str]) -> "MemberScores":
        """Some members."""
        places = [self.names.index(name) for name in names]
        return MemberScores(tuple(names), self.scores[places], self.known)

    def total(self, weights: npt.NDArray[np.float64]) -> Floats:
        """Blended scores, unknown candidates at minus infinity."""
        total = np.tensordot(weights.astype(np.float32), self.scores, axes=1)
        return np.where(self.known, total, np.float32(-np.inf))


def row_ndcg(total: Floats, k: int = 10) -> npt.NDArray[np.float64]:
    """NDCG@k of each row, ties counted half: a smooth enough stand-in for its expectation while climbing."""
    positive = total[:, :1]
    others = total[:, 1:]
    rank = 1.0 + (others > positive).sum(axis=1) + 0.5 * (others == positive).sum(axis=1)
    return np.where(rank <= k, 1.0 / np.log2(rank + 1.0), 0.0)


def logit_weights(members: MemberScores, ridge: float = 1e-3, max_rows: int = 2_000) -> npt.NDArray[np.float64]:
    """Weights >= 0 that maximise the likelihood of the positive among the candidates (softmax), ridge-penalised.

    Source: conditional logit, McFadden (1974), "Conditional logit analysis of qualitative choice behavior", eq. 12.
    """
    usable = np.flatnonzero(members.known[:, 0])[:max_rows]
    chosen = members.rows(usable)
    size = len(members.names)

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        total = chosen.total(weights)
        total -= total.max(axis=1, keepdims=True)
        parts = np.exp(total)
        sums = parts.sum(axis=1)
        parts /= sums[:, None]
        value = float(np.mean(np.log(sums) - total[:, 0]))
        expected = np.einsum("rc,mrc->m", parts, chosen.scores, optimize=True) / len(usable)
        gradient = expected - chosen.scores[:, :, 0].mean(axis=1, dtype=np.float64)
        return value + ridge * float(weights @ weights), gradient + 2 * ridge * weights

    if not len(usable):
        return np.full(size, 1.0 / size)
    found = optimize.minimize(
        loss,
        np.full(size, 1.0 / size),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * size,
        options={"maxiter": 60},
    )
    weights = np.asarray(found.x, dtype=np.float64)
    return weights / weights.sum() if weights.sum() > 0 else np.full(size, 1.0 / size)


def climb(
    members: MemberScores, start: npt.NDArray[np.float64], k: int = 10, sweeps: int = 3, least_gain: float = 2e-3
) -> npt.NDArray[np.float64]:
    """Coordinate ascent on mean NDCG@k; a step must gain `least_gain` (relative) so that noise is not followed."""
    weights = start.copy()
    total = members.total(weights)
    best = float(row_ndcg(total, k).mean())
    for _ in range(sweeps):
        before = best
        for place in range(len(weights)):
            tried = weights[place] * np.array(STEPS) if weights[place] > 0 else weights.max() * np.array(ENTRY_PARTS)
            for value in tried:
                change = np.float32(value - weights[place])
                candidate = total + change * members.scores[place]
                gained = float(row_ndcg(candidate, k).mean())
                if gained > best * (1 + least_gain):
                    best, weights[place], total = gained, value, candidate
        if best <= before * (1 + least_gain):
            break
    return weights / weights.sum()


def fit_weights(members: MemberScores, k: int = 10, least_gain: float = 2e-3) -> npt.NDArray[np.float64]:
    """Blend weights >= 0 that sum to 1: the better of the logit fit and the best single member, then climbed."""
    size = len(members.names)
    starts = [logit_weights(members), *np.eye(size)]
    values = [float(row_ndcg(members.total(start), k).mean()) for start in starts]
    return climb(members, starts[int(np.argmax(values))], k, least_gain=least_gain)
