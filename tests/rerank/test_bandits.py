"""Exploration: what is logged is what happens, and what is learned is right."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from kuajie.core.errors import UsageError
from kuajie.numerics.random import betas
from kuajie.rerank.base import Candidates, Context, Items
from kuajie.rerank.epsilon import Epsilon, EpsilonConfig
from kuajie.rerank.linucb import LinUCB, LinUCBConfig, Ridge
from kuajie.rerank.thompson import Answers, Thompson, ThompsonConfig
from kuajie.testing.rerankers import RerankerContract, planted_candidates, planted_context


class TestEpsilon(RerankerContract):
    configs = (EpsilonConfig(), EpsilonConfig(epsilon=1, pool=4))
    neutral = EpsilonConfig(epsilon=0)


class TestThompson(RerankerContract):
    configs = (ThompsonConfig(draws=20), ThompsonConfig(draws=20, weight=0.5, rate=0.9, epsilon=0.5))
    neutral = None  # what is believed is never certain


class TestLinUCB(RerankerContract):
    configs = (LinUCBConfig(), LinUCBConfig(features=("price", "popularity"), epsilon=0.5))
    neutral = None  # before anything is learned it goes where least is known


def repeated(size: int, n: int) -> Candidates:
    """The same list n times."""
    return Candidates(np.tile(np.arange(size, dtype=np.int32), (n, 1)), np.tile(np.linspace(1, 0, size), (n, 1)))


def frequencies(order: np.ndarray) -> np.ndarray:
    """How often each candidate is at each place."""
    size = order.shape[1]
    return np.array([[(order[:, place] == item).mean() for place in range(size)] for item in range(size)])


@pytest.mark.parametrize(("size", "epsilon", "pool"), [(5, 0.4, 5), (8, 0.7, 3), (4, 1.0, 20)])
def test_epsilon_logs_what_happens_exactly(size: int, epsilon: float, pool: int) -> None:
    n, k = 20_000, 2
    outcome = Epsilon(EpsilonConfig(epsilon=epsilon, pool=pool)).rerank(repeated(size, n), k, Context(Items()))
    m = min(max(k, pool), size)
    wanted = (1 - epsilon) * np.eye(size)
    wanted[:m, :m] += epsilon / m
    wanted[m:, m:] = np.eye(size - m)
    np.testing.assert_allclose(frequencies(outcome.order), wanted, atol=0.02)
    np.testing.assert_allclose(outcome.propensity, wanted[outcome.order, np.arange(size)])


def test_thompson_logs_what_happens_nearly() -> None:
    n = 4_000
    config = ThompsonConfig(rate=0.3, weight=8, epsilon=0.2, draws=400)
    outcome = Thompson(config).rerank(repeated(5, n), 5, Context(Items()))
    happened = frequencies(outcome.order)
    logged = np.zeros((5, 5))
    for item in range(5):
        for place in range(5):
            logged[item, place] = outcome.propensity[:, place][outcome.order[:, place] == item].mean()
    np.testing.assert_allclose(logged, happened, atol=0.03)
    assert outcome.propensity.min() >= 0.2 / 5


def test_betas_have_their_distribution() -> None:
    for a, b in ((0.3, 0.7), (2.0, 5.0), (40.0, 1.5)):
        drawn = betas(np.full(5_000, a), np.full(5_000, b), 11)
        assert stats.kstest(drawn, stats.beta(a, b).cdf).pvalue > 1e-3


def test_thompson_finds_what_people_answer() -> None:
    """Item 7 is the only one that anybody answers, though the model ranks it eighth."""
    rng, known = np.random.default_rng(0), Answers.none(10)
    rates = np.full(10, 0.02)
    rates[7] = 0.5
    for step in range(60):
        context = Context(Items(), seeds=rng.integers(2**63, size=20).astype(np.uint64), state={"thompson": known})
        order = Thompson(ThompsonConfig(draws=10, epsilon=0.0)).rerank(repeated(10, 20), 3, context).order[:, :3]
        if step == 59:
            assert (order[:, 0] == 7).mean() > 0.9
        shown = order.ravel().astype(np.int32)
        known += Answers.of(shown, (rng.random(len(shown)) < rates[shown]).astype(np.float64), 10)
    assert known.shown[7] > 800


def test_linucb_learns_a_linear_rate() -> None:
    """Answers depend on the price alone, against the model's order."""
    rng = np.random.default_rng(1)
    price = np.linspace(0, 1, 12)
    items = Items(numbers={"price": price})
    step = LinUCB(LinUCBConfig(features=("price",), width=0.5, epsilon=0.0))
    candidates, known = repeated(12, 10), Ridge.none(3)
    for _ in range(60):
        context = Context(items, state={"linucb": known})
        outcome = step.rerank(candidates, 3, context)
        shown = outcome.order[:, :3]
        x = np.take_along_axis(step.features(candidates, context), shown[..., None], axis=1).reshape(-1, 3)
        rewards = (rng.random(len(x)) < 0.8 * price[shown.ravel()]).astype(np.float64)
        known += Ridge.of(x, rewards)
    assert outcome.order[0, 0] == 11
    assert known.shown == 1_800


def test_linucb_equals_the_formula() -> None:
    rng = np.random.default_rng(3)
    candidates, context = planted_candidates(4, 9, 4), planted_context(4, 4)
    step = LinUCB(LinUCBConfig(epsilon=0.0, ridge=0.7, width=0.4))
    known = Ridge.of(rng.normal(size=(30, 3)), rng.random(30))
    order = step.rerank(candidates, 9, Context(context.items, state={"linucb": known})).order
    x = step.features(candidates, context)
    a = 0.7 * np.eye(3) + known.products
    theta = np.linalg.solve(a, known.rewards)
    for row in range(4):
        values = [float(v @ theta + 0.4 * np.sqrt(v @ np.linalg.solve(a, v))) for v in x[row]]
        assert order[row].tolist() == sorted(range(9), key=lambda place: -values[place])


def test_what_a_feature_is_like_is_found_out_once_for_a_catalogue() -> None:
    """Also by several threads; a list reads its own items alone."""
    items = planted_context(1).items
    price = items.numbers["price"]
    wanted = float(np.nanmean(price)), float(np.nanstd(price))
    assert items.scale("price") == pytest.approx(wanted)
    price[:] = 7.0  # a second look at the catalogue would see this
    with ThreadPoolExecutor(8) as threads:
        scales = list(threads.map(items.scale, ["price"] * 50))
    assert set(scales) == {items.scale("price")}
    x = LinUCB(LinUCBConfig(features=("price",))).x(np.ones((1, 2)), np.array([[0, -1]], np.int32), items)
    np.testing.assert_allclose(x[0, :, 2], [(7 - wanted[0]) / wanted[1], 0])


@pytest.mark.parametrize(
    ("values", "scale"), [([], (0, 1)), ([np.nan, np.nan], (0, 1)), ([3, np.nan, 3], (3, 1)), ([1, 5, np.nan], (3, 2))]
)
def test_the_scale_of_what_is_hardly_known(values: list[float], scale: tuple[float, float]) -> None:
    assert Items(numbers={"价格": np.array(values, float)}).scale("价格") == scale
    with pytest.raises(UsageError, match="价格"):
        Items(numbers={"价格": np.ones(2)}).scale("stock")


def test_off_policy_estimates_from_logged_propensities_are_right() -> None:
    """Answers that were logged under a shuffling policy say what another order would have got."""
    n, rates = 60_000, np.array([0.1, 0.5, 0.2, 0.3])
    outcome = Epsilon(EpsilonConfig(epsilon=0.5, pool=4)).rerank(repeated(4, n), 1, Context(Items()))
    rng = np.random.default_rng(5)
    first = outcome.order[:, 0]
    answered = rng.random(n) < rates[first]
    for item in range(4):
        estimate = (answered * (first == item) / outcome.propensity[:, 0]).mean()
        assert abs(estimate - rates[item]) < 0.03


def test_sums_of_processes_add_up() -> None:
    rng = np.random.default_rng(2)
    items, answered = rng.integers(-1, 5, 40).astype(np.int32), rng.integers(0, 2, 40).astype(np.float64)
    parts = Answers.of(items[:15], answered[:15], 5) + Answers.of(items[15:], answered[15:], 5)
    whole = Answers.of(items, answered, 5)
    np.testing.assert_array_equal(parts.shown, whole.shown)
    np.testing.assert_array_equal(parts.answered, whole.answered)
    x = rng.normal(size=(40, 3))
    sums, all_ = Ridge.of(x[:15], answered[:15]) + Ridge.of(x[15:], answered[15:]), Ridge.of(x, answered)
    np.testing.assert_allclose(sums.products, all_.products)
    np.testing.assert_allclose(sums.rewards, all_.rewards)


def test_wrong_memories_are_refused() -> None:
    with pytest.raises(UsageError, match="more often than they were shown"):
        Answers(np.array([1.0]), np.array([2.0]))
    context = Context(planted_context(1).items, state={"linucb": Ridge.none(7)})
    with pytest.raises(UsageError, match="of 7 features, the step has 3"):
        LinUCB(LinUCBConfig()).rerank(planted_candidates(1, 5), 3, context)
