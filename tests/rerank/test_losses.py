"""Diversity in the loss: gradients against finite differences, values against their definitions."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.errors import UsageError
from kuajie.rerank.losses import dpp_log_likelihood, expected_similarity


def planted(seed: int, m: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(m, m + 2))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return rng.normal(size=m), vectors @ vectors.T


def finite_differences(value: object, scores: np.ndarray) -> np.ndarray:
    steps = 1e-6 * np.eye(len(scores))
    return np.array([(value(scores + step) - value(scores - step)) / 2e-6 for step in steps])  # type: ignore[operator]


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_gradients_are_those_of_the_values(seed: int) -> None:
    scores, similarity = planted(seed)
    gradient = expected_similarity(scores, similarity)[1]
    slow = finite_differences(lambda s: expected_similarity(s, similarity)[0], scores)
    np.testing.assert_allclose(gradient, slow, atol=1e-6)
    chosen = np.array([0, 2, 5])
    gradient = dpp_log_likelihood(scores, similarity, chosen)[1]
    slow = finite_differences(lambda s: dpp_log_likelihood(s, similarity, chosen)[0], scores)
    np.testing.assert_allclose(gradient, slow, atol=1e-5)


def test_the_sets_of_a_process_are_probabilities() -> None:
    scores, similarity = planted(3, 4)
    sets = [np.array(each, int) for size in range(5) for each in combinations(range(4), size)]
    total = sum(np.exp(dpp_log_likelihood(scores, similarity, each)[0]) for each in sets)
    assert total == pytest.approx(1.0)


def test_going_down_the_gradient_spreads_the_list() -> None:
    """Two pairs of twins with one item alone: the expected similarity is least when each kind has a third."""
    similarity = np.kron(np.eye(3), np.ones((2, 2)))[:5, :5]
    scores = np.array([3.0, 2.0, 0.0, 0.0, -1.0])
    for _ in range(3_000):
        scores -= 2.0 * expected_similarity(scores, similarity)[1]
    p = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose([p[0] + p[1], p[2] + p[3], p[4]], 1 / 3, atol=0.02)


def test_twins_have_no_probability_and_shapes_must_fit() -> None:
    with pytest.raises(UsageError, match="no probability"):
        dpp_log_likelihood(np.zeros(2), np.ones((2, 2)), np.array([0, 1]))
    with pytest.raises(UsageError, match=r"of 3 items must have the shape \(items, items\), got \(2, 2\)"):
        expected_similarity(np.zeros(3), np.eye(2))
