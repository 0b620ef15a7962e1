import numpy as np

from kuajie.core.histories import Histories
from kuajie.core.space import ItemSpace
from kuajie.models.weighing import HistoryWeighing, days_back, places_back

SPACE = ItemSpace(("a", "b"), (3, 3))
DAY = 86_400.0


def test_joint_places_count_over_all_domains() -> None:
    histories = Histories.from_lists([[0, 3, 1], [], [4]], 6, order="joint")
    np.testing.assert_array_equal(places_back(histories, SPACE), [2, 1, 0, 0])


def test_places_per_domain_never_interleave() -> None:
    histories = Histories.from_lists([[0, 3, 1, 4, 2], [5, 0]], 6, order="domain")
    np.testing.assert_array_equal(places_back(histories, SPACE), [2, 1, 1, 0, 0, 0, 0])


def test_days_back_take_unknown_times_as_the_oldest_and_never_go_negative() -> None:
    times = [[0.0, np.nan, 4 * DAY], [9 * DAY]]
    histories = Histories.from_lists([[0, 1, 2], [3]], 6, times=times, at=[4 * DAY, 8 * DAY], order="joint")
    np.testing.assert_allclose(days_back(histories), [4, 4, 0, 0])


def test_both_half_lives_multiply() -> None:
    histories = Histories.from_lists(
        [[0, 3]], 6, weights=[[2.0, 1.0]], times=[[0.0, 3 * DAY]], at=[3 * DAY], order="joint"
    )
    weighed = HistoryWeighing(half_life_positions=1, half_life_days=3).apply(histories, SPACE)
    np.testing.assert_allclose(weighed.weights, [2.0 * 0.5 * 0.5, 1.0])


def test_without_order_positions_are_ignored() -> None:
    histories = Histories.from_lists([[0, 3]], 6)
    weighed = HistoryWeighing(half_life_positions=1).apply(histories, SPACE)
    np.testing.assert_allclose(weighed.weights, [1.0, 1.0])
