from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.errors import ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.sequence import Sequence, SequenceConfig
from kuajie.models.trend import TrendConfig
from kuajie.testing.recommenders import RecommenderContract

DAY = 86_400.0
SPACE = ItemSpace(("a", "b"), (6, 6))


class TestSequenceContract(RecommenderContract):
    configs = (
        SequenceConfig(),
        SequenceConfig(half_life_positions=None, source_weight=1.0, steps=1),
        SequenceConfig(half_life_positions=None, half_life_days=30, trend=TrendConfig(), popularity_power=0.3),
        SequenceConfig(
            steps=3, damping=0.8, kept=9, neighbours=9, popularity_power=-0.2, trend=TrendConfig(half_life_days=2)
        ),
    )


def planted_order(n_people: int = 600, order: str = "joint", seed: int = 0) -> Interactions:
    """Item i of domain a is followed at once by item i of domain b; everything else is chance."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n_people):
        line: list[int] = []
        for item in rng.permutation(6)[:4]:
            line += [int(item), int(item) + 6]
        rows.append(line)
    times = [(np.arange(8) * DAY).tolist()] * n_people
    histories = Histories.from_lists(rows, 12, times=times, at=[9 * DAY] * n_people, order=order)  # type: ignore[arg-type]
    return Interactions(SPACE, histories)


def test_finds_an_order_that_exists_only_across_domains() -> None:
    config = SequenceConfig(across=1.0, source_weight=1.0, half_life_positions=1, window=2)
    model = Sequence(config).fit(planted_order())
    # b's items 3 and 0 long ago, a's item 4 just now: what follows is b's item 4
    asked = Histories.from_lists([[9, 6, 4], [9, 4, 0]], 12, order="joint")
    np.testing.assert_array_equal(np.argmax(model.score(asked, "b"), axis=1), [4, 0])
    # with all six known, a set says nothing of what comes next
    everything = Histories.from_lists([[0, 1, 2, 3, 5, 4]], 12, order="joint")
    assert np.argmax(model.score(everything, "b")[0]) == 4


def test_order_per_domain_is_never_interleaved() -> None:
    interactions = planted_order(order="domain")
    part = interactions.histories
    by_domain = [
        sorted(part.items[s:e].tolist(), key=lambda i: i >= 6)
        for s, e in zip(part.indptr[:-1], part.indptr[1:], strict=True)
    ]
    apart = Histories.from_lists(by_domain, 12, order="domain")
    woven = replace(part, times=None, at=None)
    config = SequenceConfig(half_life_positions=2)
    first, second = (Sequence(config).fit(Interactions(SPACE, histories)) for histories in (woven, apart))
    asked = Histories.from_lists([[0, 7, 1]], 12, order="domain")
    np.testing.assert_allclose(first.score(asked, "b"), second.score(asked, "b"), rtol=1e-6)


def test_a_score_is_the_sum_over_the_weighed_history() -> None:
    config = SequenceConfig(half_life_positions=2, half_life_days=10, source_weight=0.25, popularity_power=0.5, steps=3)
    interactions = planted_order()
    model = Sequence(config).fit(interactions)
    asked = Histories.from_lists([[7, 3, 5]], 12, times=[[0.0, DAY, 5 * DAY]], at=[7 * DAY], order="joint")
    W = model.weights_.entries(np.array([7, 3, 5]), np.arange(6, 12))
    phi = [0.5 ** (2 / 2 + 7 / 10), 0.25 * 0.5 ** (1 / 2 + 6 / 10), 0.25 * 0.5 ** (2 / 10)]
    expected = (np.array(phi) @ W) * interactions.support()[6:] ** 0.5
    np.testing.assert_allclose(model.score(asked, "b")[0], expected, rtol=1e-5)
    explanation = model.explain(asked, "b", np.array([1, 4]))
    np.testing.assert_allclose(explanation.contributions.sum(axis=1), expected[[1, 4]], rtol=1e-5)
    assert not explanation.exact  # taking an entry away moves those before it one place up


def test_shares_are_exact_without_positions_and_with_a_trend() -> None:
    config = SequenceConfig(half_life_positions=None, half_life_days=10, trend=TrendConfig(half_life_days=2))
    model = Sequence(config).fit(planted_order())
    asked = Histories.from_lists([[7, 3, 5]], 12, times=[[0.0, DAY, 5 * DAY]], at=[7 * DAY], order="joint")
    items = np.array([0, 5])
    explanation = model.explain(asked, "b", items)
    before = model.score(asked, "b")[0, items]
    assert explanation.exact
    for place, item in enumerate(explanation.history_items):
        after = model.score(asked.keep(asked.items != item), "b")[0, items]
        np.testing.assert_allclose(before - after, explanation.contributions[:, place], rtol=1e-4)


def test_the_trend_reads_only_days_before_now() -> None:
    rows = [[0, 7], [0, 8], [1, 7], [1, 8]] * 50
    # item 7 was used on days 0 to 9, item 8 on days 10 to 19
    times = [[0.0, (k % 10 + (10 if row[1] == 8 else 0)) * DAY] for k, row in enumerate(rows)]
    histories = Histories.from_lists(rows, 12, times=times, at=[20 * DAY] * len(rows), order="joint")
    model = Sequence(SequenceConfig(trend=TrendConfig(half_life_days=2))).fit(Interactions(SPACE, histories))
    asked = Histories.from_lists(
        [[0], [0], [0]], 12, times=[[0.0]] * 3, at=[9 * DAY, 19 * DAY, 900 * DAY], order="joint"
    )
    scores = model.score(asked, "b")
    assert scores[0, 1] > scores[0, 2]
    assert scores[1, 2] > scores[1, 1]
    # what serving merges is what a row is scored long after training
    weighed = model.weighing.apply(asked, SPACE).matrix()
    np.testing.assert_allclose(model.apply(weighed, SPACE.slice("b"))[2, 1:3], scores[2, 1:3], rtol=1e-6)


def test_scoring_fields_need_no_new_fit() -> None:
    interactions = planted_order()
    config = SequenceConfig(
        half_life_positions=7, half_life_days=3, source_weight=0.1, popularity_power=0.2, trend=TrendConfig()
    )
    changed = Sequence(SequenceConfig()).fit(interactions).with_config(config)
    asked = interactions.histories.take(np.arange(20))
    np.testing.assert_array_equal(changed.score(asked, "a"), Sequence(config).fit(interactions).score(asked, "a"))


def test_the_plan_refuses_what_does_not_fit() -> None:
    shape = DataShape(1_000_000, 20_000_000, ItemSpace(("a", "b"), (60_000, 40_000)))
    assert Sequence().plan(shape, FitOptions()).method == "truncated"
    assert Sequence(SequenceConfig(steps=1)).plan(shape, FitOptions()).method == "direct"
    with pytest.raises(ResourceError, match=r"100,000 items .* needs about .* GiB, available are 0\.1 GiB. Choose"):
        Sequence().plan(shape, FitOptions(memory_bytes=2**27))
