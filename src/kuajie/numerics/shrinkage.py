"""Empirical Bayes: shares of groups drawn towards the shares of everybody, as strongly as the data say.

Counts of a group are Dirichlet-multinomial around everybody's shares p with one strength m for all groups:

    share_gj = (n_gj + m p_j) / (n_g + m)

m maximises the marginal likelihood: groups that do not differ get a large one. Two outcomes make it beta-binomial.

Source: Minka 2000, "Estimating a Dirichlet distribution", section 3 (the Polya likelihood); Efron & Morris 1973.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import gammaln

F64 = npt.NDArray[np.float64]
STRENGTHS = np.logspace(-1, 7, 49)
"""What is tried; the last one says that groups do not differ."""


def fitted_strength(counts: sparse.csr_array, shares: F64) -> float:
    """The strength m of the largest marginal likelihood, out of `STRENGTHS`.

    Args:
        counts: (n_groups, n), >= 0, whole.
        shares: (n,), everybody's, above 0 where anything was counted.
    """
    totals = np.asarray(counts.sum(axis=1), np.float64).reshape(-1)
    usual = shares[counts.indices]
    values = [
        float((gammaln(m) - gammaln(m + totals)).sum() + (gammaln(counts.data + m * usual) - gammaln(m * usual)).sum())
        for m in STRENGTHS
    ]
    return float(STRENGTHS[int(np.argmax(values))])


def shrunk_shares(counts: sparse.csr_array, shares: F64, strength: float) -> F64:
    """Posterior mean of the shares of each group: float64 (n_groups, n); rows sum to 1 where `shares` do."""
    totals = np.asarray(counts.sum(axis=1), np.float64).reshape(-1, 1)
    return np.asarray((counts.toarray() + strength * shares) / (totals + strength))


def shrunk_rates(hits: npt.ArrayLike, trials: npt.ArrayLike) -> F64:
    """Rates of many things, each drawn towards the common one: float64 (n,), within 0..1; 0 where nothing was tried.

    Args:
        hits: (n,), of the trials.
        trials: (n,).
    """
    hits, trials = np.asarray(hits, np.float64), np.asarray(trials, np.float64)
    total = trials.sum()
    if not 0 < hits.sum() < total:
        return np.full(len(hits), hits.sum() / total if total else 0.0)
    counts = sparse.csr_array(np.stack([hits, trials - hits], axis=1))
    shares = np.array([hits.sum(), total - hits.sum()]) / total
    return shrunk_shares(counts, shares, fitted_strength(counts, shares))[:, 0]
