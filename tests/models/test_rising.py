import numpy as np
import pytest

from kuajie.core.errors import DataError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.models.rising import WEEK, Growth, rising, slopes_of

TOPICS = ("涡轮", "保养", "电池", "轮胎")


def world(growth: tuple[float, ...], seed: int = 0, n: int = 12_000) -> Interactions:
    """Twenty weeks in which the shares of four topics change by these factors a week, while everything doubles."""
    rng = np.random.default_rng(seed)
    week = rng.choice(20, n, p=np.linspace(1, 2, 20) / np.linspace(1, 2, 20).sum())
    chance = np.array(growth)[None, :] ** (week[:, None] - 10)
    topic = (rng.random((n, 1)) > np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    items = topic + 4 * rng.integers(0, 3, n)
    order = np.argsort(week, kind="stable")
    people = np.array_split(order, 500)
    times = 1.7e9 + (week + 0.999 * rng.random(n)) * WEEK
    histories = Histories.from_lists(
        [items[p].tolist() for p in people], 12, times=[np.sort(times[p]).tolist() for p in people], order="joint"
    )
    side = SideInformation(12, labels={"category": Labels.of([TOPICS[i % 4] for i in range(12)])})
    return Interactions(ItemSpace(("配件",), (12,)), histories, side)


def of(data: Interactions, field: str = "category", weeks: int = 12) -> list[Growth]:
    times = data.histories.times
    times = np.full(len(data.histories.items), np.nan) if times is None else times
    return rising(data.histories.items, times, data.space, data.side, "配件", field, weeks)


def test_what_was_planted_rises_and_nothing_else() -> None:
    found = of(world((1.12, 1.0, 1.0, 1.0)))
    assert [each.name for each in found if each.rises] == ["涡轮"]
    assert 1.05 < found[0].growth < 1.1  # of its share, while the others fall
    assert sorted(each.name for each in found) == sorted(TOPICS)


def test_growth_of_everything_makes_nothing_rise() -> None:
    named = [each for seed in range(8) for each in of(world((1.0,) * 4, seed, 4_000)) if each.rises]
    assert len(named) <= 1


def test_the_slope_is_that_of_the_likelihood() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    totals = rng.integers(50, 200, 15).astype(float)
    counts = rng.binomial(totals.astype(int), 0.2 * np.exp(0.03 * np.arange(15)))[:, None].astype(float)

    def loss(x: np.ndarray) -> float:
        mean = totals * np.exp(x[0] + x[1] * np.arange(15))
        return float((mean - counts[:, 0] * np.log(mean)).sum())

    wanted = minimize(
        loss, [-1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5_000}
    )
    slopes, errors = slopes_of(counts, totals)
    assert slopes[0] == pytest.approx(wanted.x[1], abs=1e-6)
    assert 0 < errors[0] < 0.05


def test_bad_input_is_named() -> None:
    data = world((1.0,) * 4, n=500)
    with pytest.raises(UsageError, match="at least 4 weeks"):
        of(data, weeks=3)
    with pytest.raises(DataError, match="no labels 'brand'"):
        of(data, "brand")
    timeless = Interactions(data.space, Histories.from_lists([[1, 2]], 12), data.side)
    with pytest.raises(DataError, match="no event has one"):
        of(timeless)


def test_rare_labels_and_few_weeks_say_nothing() -> None:
    assert of(world((1.0,) * 4, n=30)) == []
    assert np.isinf(slopes_of(np.ones((2, 1)), np.ones(2))[1]).all()
