"""A Gaussian process over people: what somebody uses is like what people with a similar history use.

    f_j ~ GP(share_j, k),   y_pj = f_j(h_p) + noise,   k(h, g) = exp((cos(h, g) - 1) / length)

All items share the kernel, so that one Cholesky decomposition serves all of them. Length and noise are those of the
largest marginal likelihood. The variance says how sure a prediction is: 1 for somebody who is like nobody.

Source: Rasmussen & Williams 2006, "Gaussian processes for machine learning", algorithm 2.1 and eq. 5.8.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from kuajie.core.histories import Histories, Interactions
from kuajie.core.rows import unit_rows
from kuajie.core.space import ItemSpace
from kuajie.models.linear import mask_unknown

Floats = npt.NDArray[np.float64]
LENGTHS = (0.05, 0.1, 0.2, 0.4, 0.8)
NOISES = (0.1, 0.3, 1.0, 3.0)
JUDGED = 64
"""Items, the most used ones, that length and noise are judged on."""


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """Fitted on some people.

    Attributes:
        space: the joint item space.
        support: float64 (n_items,).
        people: float32 (n, n_items), their histories, rows of length one.
        shares: float64 (n_items,), the mean.
        solved: float64 (n, n_items), (K + noise I)^-1 (Y - mean).
        factor: lower Cholesky factor of K + noise I.
        length, noise: of the kernel; noise is relative to its variance.
    """

    space: ItemSpace
    support: Floats
    people: sparse.csr_array
    shares: Floats
    solved: Floats
    factor: Floats
    length: float
    noise: float

    def score(self, histories: Histories, target: str) -> npt.NDArray[np.float32]:
        """The posterior mean of each item: (n_rows, items of the target); NaN without training support."""
        part = self.space.slice(target)
        mean = self.shares[part] + self._to(histories) @ self.solved[:, part]
        return mask_unknown(mean.astype(np.float32), histories, self.support, part)

    def certainty(self, histories: Histories) -> Floats:
        """The part of the variance that is explained: (n_rows,), 0 like nobody, towards 1 like many."""
        half = linalg.solve_triangular(self.factor, self._to(histories).T, lower=True)
        return np.asarray(np.clip((half**2).sum(axis=0), 0.0, 1.0))

    def _to(self, histories: Histories) -> Floats:
        """The kernel between histories and the people it was fitted on."""
        alike = (used_rows(histories) @ self.people.T).toarray().astype(np.float64)
        return np.asarray(np.exp((alike - 1) / self.length))


def fit_process(interactions: Interactions, most: int, seed: int) -> GaussianProcess:
    """Fit on at most so many people, drawn with a chance that grows with what they did."""
    histories, rng = interactions.histories, np.random.default_rng([seed, 32])
    lengths = histories.lengths.astype(np.float64)
    active = np.flatnonzero(lengths)
    if len(active) > most:
        chance = np.sqrt(lengths[active])
        active = np.sort(rng.choice(active, most, replace=False, p=chance / chance.sum()))
    chosen = interactions.take(active)
    people = used_rows(chosen.histories)
    used = (chosen.matrix() > 0).astype(np.float64)
    shares = np.asarray(used.mean(axis=0)).reshape(-1)
    distance = (people @ people.T).toarray().astype(np.float64) - 1
    judged = np.argsort(-shares, kind="stable")[:JUDGED]
    centred = used[:, judged].toarray() - shares[judged]
    scale = np.sqrt(np.maximum((centred**2).mean(axis=0), 1e-12))
    length, noise = max(
        ((length, noise) for length in LENGTHS for noise in NOISES),
        key=lambda pair: _evidence(distance, centred / scale, *pair),
    )
    factor = linalg.cholesky(_covariance(distance, length, noise), lower=True)
    solved = linalg.cho_solve((factor, True), used.toarray() - shares)
    return GaussianProcess(interactions.space, interactions.support(), people, shares, solved, factor, length, noise)


def used_rows(histories: Histories) -> sparse.csr_array:
    """What was used, repeats and weights aside, each row of length one: float32 (n_rows, n_items)."""
    used = histories.matrix()
    used.data = (used.data > 0).astype(np.float32)
    return unit_rows(used)


def _covariance(distance: Floats, length: float, noise: float) -> Floats:
    kernel = np.exp(distance / length)
    kernel[np.diag_indices_from(kernel)] += noise
    return np.asarray(kernel)


def _evidence(distance: Floats, centred: Floats, length: float, noise: float) -> float:
    """Log marginal likelihood of all judged items, the variance of each at its best (profiled out)."""
    factor = linalg.cholesky(_covariance(distance, length, noise), lower=True)
    half = linalg.solve_triangular(factor, centred, lower=True)
    fits = (half**2).sum(axis=0) / len(centred)
    return float(-0.5 * len(centred) * np.log(np.maximum(fits, 1e-12)).mean() - np.log(np.diagonal(factor)).sum())
