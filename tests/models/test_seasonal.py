from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from kuajie.core.histories import Histories, Interactions
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.models.seasonal import Seasonal, SeasonalConfig, seasons
from kuajie.testing.recommenders import RecommenderContract

DAY = 86_400.0


class TestSeasonalContract(RecommenderContract):
    configs = (SeasonalConfig(), SeasonalConfig(months=False, power=0.5), SeasonalConfig(field="category"))
    personal = False
    crosses_domains = False  # seasons are of items, not of people


def test_months_and_weekdays_are_those_of_the_calendar() -> None:
    rng = np.random.default_rng(0)
    times = rng.uniform(-3e8, 2.5e9, 300)
    dates = [datetime.fromtimestamp(float(time), UTC) for time in times]
    assert seasons(times, "month").tolist() == [date.month - 1 for date in dates]
    assert seasons(times, "weekday").tolist() == [date.weekday() for date in dates]


def year(seasonal: bool = True, seed: int = 0) -> Interactions:
    """Two years; the first three of ten items are for winter, the next three for weekends."""
    rng = np.random.default_rng(seed)
    rows, times = [], []
    for _ in range(700):
        when = np.sort(datetime(2022, 1, 1, tzinfo=UTC).timestamp() + DAY * rng.uniform(0, 730, 6))
        chance = np.ones((6, 10))
        if seasonal:
            chance[np.isin(seasons(when, "month"), [11, 0, 1])[:, None] & (np.arange(10) < 3)] = 6.0
            chance[(seasons(when, "weekday") >= 5)[:, None] & (np.arange(10) >= 3) & (np.arange(10) < 6)] = 5.0
        rows.append([int(rng.choice(10, p=row / row.sum())) for row in chance])
        times.append(when.tolist())
    histories = Histories.from_lists(rows, 10, times=times, at=[row[-1] for row in times], order="joint")
    side = SideInformation(10, labels={"category": Labels.of(["冬"] * 3 + ["周末"] * 3 + ["其他"] * 4)})
    return Interactions(ItemSpace(("商店",), (10,)), histories, side)


def asked(when: datetime) -> Histories:
    return Histories.from_lists([[9]], 10, times=[[0.0]], at=[when.timestamp()])


@pytest.mark.parametrize("field", [None, "category"])
def test_each_season_has_its_items(field: str | None) -> None:
    model = Seasonal(SeasonalConfig(field=field)).fit(year())
    winter = model.score(asked(datetime(2025, 1, 8, tzinfo=UTC)), "商店")[0]  # a Wednesday
    summer = model.score(asked(datetime(2025, 7, 9, tzinfo=UTC)), "商店")[0]
    sunday = model.score(asked(datetime(2025, 7, 13, tzinfo=UTC)), "商店")[0]
    assert winter[:3].min() > 2 * winter[3:].max()
    assert summer[:3].mean() < 1.4 * summer[6:].mean()
    assert sunday[3:6].min() > 1.5 * summer[3:6].max()


def test_without_seasons_and_without_now_it_is_popularity() -> None:
    data = year(seasonal=False)
    model = Seasonal().fit(data)
    counts = data.support()
    np.testing.assert_allclose(model.score(asked(datetime(2025, 1, 8, tzinfo=UTC)), "商店")[0], counts, rtol=0.15)
    nobody = replace(asked(datetime(2025, 1, 8, tzinfo=UTC)), at=None)
    np.testing.assert_array_equal(model.score(nobody, "商店")[0], counts)
