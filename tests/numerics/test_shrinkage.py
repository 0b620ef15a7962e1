import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import dirichlet_multinomial

from kuajie.numerics.shrinkage import STRENGTHS, fitted_strength, shrunk_rates, shrunk_shares


def drawn(strength: float, n_groups: int = 40, each: int = 400, seed: int = 0) -> tuple[sparse.csr_array, np.ndarray]:
    rng = np.random.default_rng(seed)
    usual = rng.dirichlet(np.full(12, 2.0))
    own = rng.dirichlet(strength * usual, n_groups) if strength else np.repeat(usual[None], n_groups, axis=0)
    return sparse.csr_array(np.stack([rng.multinomial(each, p) for p in own]).astype(float)), usual


@pytest.mark.parametrize("strength", [3.0, 30.0, 300.0])
def test_the_strength_is_found(strength: float) -> None:
    assert strength / 2 < fitted_strength(*drawn(strength)) < 2 * strength


def test_groups_that_do_not_differ_are_all_as_everybody() -> None:
    counts, usual = drawn(0.0)
    strength = fitted_strength(counts, usual)
    assert strength > 2_000
    np.testing.assert_allclose(shrunk_shares(counts, usual, strength), np.repeat(usual[None], 40, 0), atol=0.02)


def test_the_likelihood_is_that_of_scipy() -> None:
    counts, usual = drawn(20.0, n_groups=6, each=30)
    dense = counts.toarray().astype(int)
    wanted = [dirichlet_multinomial.logpmf(dense, m * usual, dense.sum(axis=1)).sum() for m in STRENGTHS[:30]]
    assert fitted_strength(counts, usual) == STRENGTHS[int(np.argmax(wanted))]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=12))
def test_rates_stay_between_zero_and_one(pairs: list[tuple[int, int]]) -> None:
    hits = np.array([min(pair) for pair in pairs])
    trials = np.array([max(pair) for pair in pairs])
    rates = shrunk_rates(hits, trials)
    assert ((rates >= 0) & (rates <= 1)).all()


def test_a_thing_tried_once_is_taken_for_a_usual_one() -> None:
    hits, trials = np.array([1, *[20] * 30]), np.array([1, *[200] * 30])
    rates = shrunk_rates(hits, trials)
    assert rates[0] < 0.15
    np.testing.assert_allclose(rates[1:], 0.1, atol=0.01)
