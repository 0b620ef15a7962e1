"""Provider fairness: floors are kept over all lists, and cost little where they can."""

from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.errors import ConfigError, UsageError
from kuajie.rerank.base import Candidates, Context, Items, Labels
from kuajie.rerank.fairness import Exposures, Fairness, FairnessConfig
from kuajie.rerank.pipeline import rerank
from kuajie.testing.rerankers import RerankerContract, planted_candidates, planted_context

FLOORS = {"车品": 0.2, "Ölwerk": 0.3}


class TestFairness(RerankerContract):
    configs = (FairnessConfig(), FairnessConfig(floors=FLOORS, strength=1), FairnessConfig(share="equal"))
    neutral = FairnessConfig(strength=0)
    alone = False  # what is owed depends on the lists before


def planted(n: int, seed: int = 0) -> tuple[Candidates, Context]:
    """Brand 0 of three has the best scores nearly always; the others' best candidates vary from person to person."""
    rng = np.random.default_rng(seed)
    labels = Labels(np.repeat([0, 1, 2], 20).astype(np.int32), ("车品", "Ölwerk", "third"))
    items = np.tile(np.arange(60, dtype=np.int32), (n, 1))
    scores = rng.random((n, 60)) + np.repeat([1.0, 0.4, 0.0], 20)
    order = np.argsort(-scores, axis=1)
    candidates = Candidates(np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1))
    return candidates, Context(Items(labels={"brand": labels}))


def brand_shares(candidates: Candidates, order: np.ndarray, context: Context, k: int) -> np.ndarray:
    shown = np.take_along_axis(candidates.items, order[:, :k], axis=1)
    return np.bincount(context.items.labels["brand"].codes[shown].ravel(), minlength=3) / shown.size


def test_floors_are_kept_over_all_lists() -> None:
    candidates, context = planted(300)
    before = brand_shares(candidates, np.tile(np.arange(60), (300, 1)), context, 10)
    assert before[1] < 0.1
    assert before[2] < 0.02
    config = FairnessConfig(floors={"Ölwerk": 0.3, "third": 0.1}, strength=0.7)
    outcome = Fairness(config).rerank(candidates, 10, context)
    after = brand_shares(candidates, outcome.order, context, 10)
    assert after[1] >= 0.3 - 1 / 3_000
    assert after[2] >= 0.1 - 1 / 3_000
    assert outcome.state.total == 3_000
    np.testing.assert_allclose(outcome.state.counts / 3_000, after)


def test_one_list_at_a_time_is_the_same_as_all_at_once() -> None:
    candidates, context = planted(40)
    steps = [FairnessConfig(guarantee=0.8)]
    together = rerank(steps, candidates, 10, context)
    state: dict[str, object] = {}
    for row in range(40):
        one = Candidates(candidates.items[[row]], candidates.scores[[row]])
        result = rerank(steps, one, 10, Context(context.items, state=state))
        state = dict(result.state)
        np.testing.assert_array_equal(result.order[0], together.order[row])
    np.testing.assert_array_equal(state["fairness"].counts, together.state["fairness"].counts)  # type: ignore[attr-defined]


def test_lists_with_other_brands_each_are_the_same_one_at_a_time() -> None:
    """100 brands, five of them in each list: what a brand is owed must not depend on the others in its list."""
    rng = np.random.default_rng(7)
    labels = Labels(np.repeat(np.arange(100), 4).astype(np.int32), tuple(f"牌{number}" for number in range(100)))
    brands = np.stack([rng.choice(100, 5, replace=False) for _ in range(2_000)])
    items = (4 * brands[:, :, None] + np.arange(4)).reshape(2_000, 20)
    order = np.argsort(-(rng.random(items.shape) + (items < 240)), axis=1)  # most like the first 60
    candidates = Candidates(
        np.take_along_axis(items, order, 1).astype(np.int32), np.tile(np.linspace(1, 0, 20), (2_000, 1))
    )
    context, steps = Context(Items(labels={"brand": labels})), [FairnessConfig()]
    together = rerank(steps, candidates, 5, context)
    state: dict[str, object] = {}
    for row in range(2_000):
        one = Candidates(candidates.items[[row]], candidates.scores[[row]])
        result = rerank(steps, one, 5, replace(context, state=state))
        state = dict(result.state)
        np.testing.assert_array_equal(result.order[0], together.order[row])
    counts = together.state["fairness"].counts
    assert counts.min() >= 45, "half of its share of the catalogue is 50, and a brand is in every twentieth list"
    plain = np.bincount(labels.codes[candidates.items[:, :5]].ravel(), minlength=100)
    assert plain.min() < 25, "else there was nothing to do"


def test_floors_are_those_of_the_catalogue_that_lists_are_made_of() -> None:
    labels = Labels(np.array([0, 0, 0, 1, 2, 2], np.int32), ("甲", "乙", "丙"))
    assert Fairness(FairnessConfig()).floors(labels, slice(0, 4)).tolist() == [0.375, 0.125, 0]
    assert Fairness(FairnessConfig(share="equal")).floors(labels, slice(3, 6)).tolist() == [0, 0.25, 0.25]


def test_a_debt_is_paid_where_it_costs_least() -> None:
    """Every fifth person likes the brand: they are shown it, and hardly anybody else has to be."""
    rng = np.random.default_rng(4)
    scores = (
        rng.random((500, 60))
        + np.repeat([1.0, 0.0, 0.0], 20)
        + (np.arange(500) % 5 == 0)[:, None] * np.repeat([0.0, 0.9, 0.0], 20)
    )
    order = np.argsort(-scores, axis=1)
    candidates = Candidates(order.astype(np.int32), np.take_along_axis(scores, order, 1))
    context = planted(1)[1]
    outcome = Fairness(FairnessConfig(floors={"Ölwerk": 0.1}, strength=0.7)).rerank(candidates, 10, context)
    assert brand_shares(candidates, outcome.order, context, 10)[1] >= 0.1 - 1 / 5_000
    codes, lost = context.items.labels["brand"].codes[candidates.items], []
    fair = np.take_along_axis(candidates.scores, outcome.order[:, :10], axis=1).mean(axis=1)
    for row in range(500):  # one place of every list at the least, whoever looks at it
        own = max(1, int((codes[row, :10] == 1).sum()))
        mine, rest = np.flatnonzero(codes[row] == 1)[:own], np.flatnonzero(codes[row] != 1)[: 10 - own]
        lost.append(candidates.scores[row, :10].mean() - candidates.scores[row, np.concatenate([mine, rest])].mean())
    assert (candidates.scores[:, :10].mean(axis=1) - fair).mean() < 0.7 * np.mean(lost)


def test_counts_of_processes_add_up() -> None:
    one, two = Exposures(np.array([1.0, 2.0]), 5.0), Exposures(np.array([3.0, 0.0]), 4.0)
    both = one + two
    assert both.counts.tolist() == [4.0, 2.0]
    assert both.total == 9.0


def test_impossible_floors_are_refused() -> None:
    with pytest.raises(ConfigError, match="together must be at most 1"):
        FairnessConfig.parse({"floors": {"a": 0.6, "b": 0.5}})
    with pytest.raises(UsageError, match="no brand '没有'"):
        Fairness(FairnessConfig(floors={"没有": 0.1})).rerank(planted_candidates(1, 4), 2, planted_context(1))
