"""Diversity in the loss: what a training loop can add to its own, each with the gradient by the scores.

Both take the scores of one list's candidates and their similarity; a loop adds the weighted sum over its batch.
"""

import numpy as np

from kuajie.core.errors import UsageError
from kuajie.numerics.jit import F64, I64


def expected_similarity(scores: F64, similarity: F64) -> tuple[float, F64]:
    """Expected similarity of two items that are drawn from the softmax of the scores, and its gradient.

        E = p^T S p,   p = softmax(scores),   dE/ds = 2 p (S p - E)

    Adding it to a loss makes the model spread its probability over items that are unlike each other: the differentiable
    form of intra-list similarity (Ziegler et al., 2005, "Improving recommendation lists through topic
    diversification", section 3.3), with Rao's quadratic entropy as 1 - E.

    Args:
        scores: (m,).
        similarity: (m, m), symmetric.

    Returns:
        The value and its gradient (m,).

    Raises:
        UsageError: the shapes do not fit.
    """
    _fitting(scores, similarity)
    p = np.exp(scores - scores.max())
    p /= p.sum()
    pull = similarity @ p
    value = float(p @ pull)
    return value, 2 * p * (pull - value)


def dpp_log_likelihood(scores: F64, similarity: F64, chosen: I64) -> tuple[float, F64]:
    """Log-probability of a set under the determinantal point process of the scores, and its gradient.

        log det L_Y - log det(L + I),   L = diag(exp(s / 2)) S diag(exp(s / 2)),   d/ds = 1_Y - diag(L (L + I)^-1)

    Its negative as a loss rewards sets that people chose for being relevant and unlike each other at once.

    Source: Kulesza and Taskar (2012), "Determinantal point processes for machine learning", equations 2 and 4.1.

    Args:
        scores: (m,).
        similarity: (m, m), symmetric and positive definite on the chosen items.
        chosen: numbers of the set Y, each once.

    Returns:
        The value and its gradient (m,).

    Raises:
        UsageError: the shapes do not fit, or the set has no probability (two items alike in every respect).
    """
    _fitting(scores, similarity)
    root = np.exp(scores / 2)
    kernel = root[:, None] * similarity * root
    sign, inside = np.linalg.slogdet(kernel[np.ix_(chosen, chosen)])
    if sign <= 0:
        raise UsageError("the chosen items have no probability: their similarity is not positive definite")
    whole = kernel + np.eye(len(scores))
    member = np.zeros(len(scores))
    member[chosen] = 1.0
    marginal = 1.0 - np.diag(np.linalg.inv(whole))
    return float(inside - np.linalg.slogdet(whole)[1]), member - marginal


def _fitting(scores: F64, similarity: F64) -> None:
    if scores.ndim != 1 or similarity.shape != (len(scores), len(scores)):
        raise UsageError(
            "the similarity of {size} items must have the shape (items, items), got {got}",
            size=len(scores),
            got=similarity.shape,
        )
