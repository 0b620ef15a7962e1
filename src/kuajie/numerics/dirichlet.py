"""Variational inference of latent Dirichlet allocation.

For a document with terms w of counts n_w, topics k with exp(E[log beta_kw]) = B_wk and the prior alpha, these steps are
repeated until gamma moves little (Hoffman, Blei and Bach 2010, "Online learning for latent Dirichlet allocation",
algorithm 1, equations 5 and 6):

    phi_wk proportional to B_wk exp(psi(gamma_k) - psi(sum gamma))
    gamma_k = alpha + sum_w n_w phi_wk
"""

import numpy as np
from scipy import sparse
from scipy.special import psi

from kuajie.numerics.jit import F32, F64, I32, I64, kernel
from kuajie.numerics.threads import blocks, run_ranges

RANGE = 512
"""Documents that are worked on at a time: sums over them do not depend on the number of threads."""


@kernel
def digamma(x: float) -> float:
    """Psi of x > 0, to 1e-9 (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18)."""
    found = 0.0
    while x < 8.0:
        found -= 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240))))
    return float(found + np.log(x) - 0.5 / x - series)


@kernel
def topic_weights(gamma: F32, theta: F32) -> None:
    """Write exp(psi(gamma)) into theta; psi of the sum is the same for all topics and cancels."""
    for k in range(len(gamma)):
        theta[k] = np.exp(digamma(np.float64(gamma[k])))


@kernel
def share_of(count: np.float32, theta: F32, weights: F32) -> np.float32:
    """A term's count over what all topics give it."""
    norm = np.float32(1e-30)
    for k in range(len(theta)):
        norm += theta[k] * weights[k]
    return count / norm


@kernel
def infer_documents(
    indptr: I64, indices: I32, counts: F32, start: int, stop: int, beta: F32, alpha: float, steps: int, close: float,
    gamma: F32, sums: F32,
) -> None:  # fmt: skip
    """Gamma of the documents start..stop-1, in place.

    Args:
        indptr: of the documents as CSR.
        indices: of their terms.
        counts: of their terms.
        start: the first document.
        stop: the last + 1.
        beta: (terms, topics), exp(E[log beta]).
        alpha: prior of a document's topics.
        steps: at most.
        close: mean change of gamma that is small enough.
        gamma: (documents, topics), the start; is replaced.
        sums: (terms, topics), expected counts are added, not yet times beta; (0, topics): none are wanted.
    """
    topics = beta.shape[1]
    theta, found = np.empty(topics, np.float32), np.empty(topics, np.float32)
    for doc in range(start, stop):
        row = gamma[doc]
        for _ in range(steps):
            topic_weights(row, theta)
            found[:] = 0
            for place in range(indptr[doc], indptr[doc + 1]):
                weights = beta[indices[place]]
                share = share_of(counts[place], theta, weights)
                for k in range(topics):
                    found[k] += share * weights[k]
            moved = np.float32(0.0)
            for k in range(topics):
                new = np.float32(alpha) + theta[k] * found[k]
                moved += abs(new - row[k])
                row[k] = new
            if moved < close * topics:
                break
        if len(sums):
            topic_weights(row, theta)
            for place in range(indptr[doc], indptr[doc + 1]):
                term = indices[place]
                share = share_of(counts[place], theta, beta[term])
                for k in range(topics):
                    sums[term, k] += share * theta[k]


def infer(
    documents: sparse.csr_array, beta: F32, alpha: float, threads: int, steps: int = 50, close: float = 1e-3
) -> F32:
    """The topics of documents: gamma, float32 (documents, topics); the evidence of a topic is gamma - alpha.

    Args:
        documents: counts >= 0 (documents, terms).
        beta: exp(E[log beta]) (terms, topics).
        alpha: prior.
        threads: how many.
        steps: at most.
        close: mean change of gamma that is small enough.
    """
    gamma = _start(documents, beta.shape[1], alpha)
    none = np.zeros((0, beta.shape[1]), np.float32)
    parts = _parts(documents)

    def work(start: int, stop: int) -> None:
        infer_documents(*parts, start, stop, beta, alpha, steps, close, gamma, none)

    run_ranges(work, blocks(documents.shape[0], RANGE), threads)
    return gamma


def expected_counts(
    documents: sparse.csr_array, beta: F32, alpha: float, threads: int, steps: int, close: float
) -> F64:
    """How often each topic produced each term in some documents, as expected: float64 (terms, topics)."""
    gamma = _start(documents, beta.shape[1], alpha)
    parts = _parts(documents)

    def work(start: int, stop: int) -> F32:
        sums = np.zeros(beta.shape, np.float32)
        infer_documents(*parts, start, stop, beta, alpha, steps, close, gamma, sums)
        return sums

    total = np.zeros(beta.shape)
    for sums in run_ranges(work, blocks(documents.shape[0], RANGE), threads):
        total += sums
    total *= beta
    return total


def expected_beta(weights: F64) -> F32:
    """exp(E[log beta]) of Dirichlet weights (terms, topics): float32, in their shape."""
    found: F32 = np.exp(psi(weights) - psi(weights.sum(axis=0))).astype(np.float32)
    return found


def _start(documents: sparse.csr_array, topics: int, alpha: float) -> F32:
    """Every document's mass on all topics alike: deterministic, and far from none."""
    mass = np.asarray(documents.sum(axis=1), np.float32)
    return np.ascontiguousarray(np.repeat((alpha + mass / topics)[:, None], topics, axis=1), np.float32)


def _parts(documents: sparse.csr_array) -> tuple[I64, I32, F32]:
    return (
        documents.indptr.astype(np.int64),
        documents.indices.astype(np.int32),
        documents.data.astype(np.float32),
    )
