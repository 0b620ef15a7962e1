import numpy as np
import pytest
from scipy import sparse
from scipy.special import psi

from kuajie.numerics.dirichlet import digamma, expected_beta, expected_counts, infer


def documents(seed: int = 0, n: int = 700, terms: int = 30) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    dense = rng.poisson(0.2, (n, terms)) * rng.choice([1.0, 0.5], (n, terms))
    return sparse.csr_array(dense.astype(np.float32))


def slow_gamma(row: np.ndarray, beta: np.ndarray, alpha: float, steps: int, close: float) -> np.ndarray:
    """Hoffman, Blei and Bach (2010), algorithm 1, as it is written there."""
    gamma = np.full(beta.shape[1], alpha + row.sum() / beta.shape[1])
    for _ in range(steps):
        phi = beta * np.exp(psi(gamma) - psi(gamma.sum()))
        phi /= phi.sum(axis=1, keepdims=True)
        new = alpha + row @ phi
        moved, gamma = abs(new - gamma).mean(), new
        if moved < close:
            break
    return gamma


@pytest.mark.parametrize("x", [1e-6, 0.01, 0.3, 1.0, 2.5, 7.99, 8.0, 100.0, 1e6])
def test_digamma_is_that_of_scipy(x: float) -> None:
    assert digamma(x) == pytest.approx(psi(x), rel=1e-8)


def test_inference_is_that_of_the_paper() -> None:
    beta = expected_beta(np.random.default_rng(1).gamma(1.0, 1.0, (30, 4)))
    docs = documents(n=60)
    gamma = infer(docs, beta, 0.25, threads=1)
    for row, got in zip(docs.toarray(), gamma, strict=True):
        np.testing.assert_allclose(
            got, slow_gamma(row.astype(float), beta.astype(float), 0.25, 50, 1e-3), rtol=2e-2, atol=2e-2
        )
    np.testing.assert_allclose(gamma.sum(axis=1), docs.sum(axis=1) + 1.0, rtol=1e-3)


def test_an_empty_document_keeps_the_prior() -> None:
    beta = expected_beta(np.ones((3, 2)))
    np.testing.assert_allclose(infer(sparse.csr_array((1, 3), dtype=np.float32), beta, 0.5, 1), [[0.5, 0.5]])


def test_expected_counts_share_out_every_term() -> None:
    beta = expected_beta(np.random.default_rng(2).gamma(1.0, 1.0, (30, 4)))
    docs = documents()
    counts = expected_counts(docs, beta, 0.25, threads=1, steps=30, close=1e-3)
    np.testing.assert_allclose(counts.sum(axis=1), np.asarray(docs.sum(axis=0)).ravel(), rtol=1e-4)


def test_the_number_of_threads_changes_nothing() -> None:
    beta = expected_beta(np.random.default_rng(3).gamma(1.0, 1.0, (30, 4)))
    docs = documents(n=1500)
    np.testing.assert_array_equal(infer(docs, beta, 0.25, 1), infer(docs, beta, 0.25, 2))
    one, two = (expected_counts(docs, beta, 0.25, threads, 10, 1e-2) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
