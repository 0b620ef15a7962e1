import numpy as np

from kuajie.core.space import ItemSpace
from kuajie.data.rows import Rows
from kuajie.evaluation.slices import history_groups, popularity_thirds, slices_of
from kuajie.evaluation.tasks import build_task, interactions_of

SPACE = ItemSpace(("a", "b"), (2, 12))


def make(entries: list[tuple[int, int]]) -> Rows:
    table = np.array(entries).reshape(-1, 2)
    return Rows(table[:, 0].astype(np.int64), table[:, 1].astype(np.int32))


def test_history_groups() -> None:
    assert history_groups(np.array([0, 1, 4, 5, 9, 10, 99])).tolist() == [0, 1, 1, 2, 2, 3, 3]


def test_thirds_share_the_entries_and_equal_items_stay_together() -> None:
    assert popularity_thirds(np.array([1.0, 10, 0, 5, 5, 9])).tolist() == [2, 0, 2, 1, 1, 1]
    assert popularity_thirds(np.array([2.0, 2, 2])).tolist() == [0, 0, 0]
    assert popularity_thirds(np.zeros(2)).tolist() == [2, 2]


def test_every_slice_is_what_its_name_says() -> None:
    known = make([(0, 0), (0, 2), (1, 3), (3, 1)])
    asked = make([(0, 5), (1, 2), (2, 3), (3, 13)])
    task = build_task(SPACE, "b", asked, known, "none", 4)
    slices = slices_of(task, interactions_of(known, SPACE, "none", 4), twins=np.array([13, 1]))
    expected = {
        "cold": [0, 0, 1, 1],
        "history_0": [0, 0, 1, 1],
        "history_1-4": [1, 1, 0, 0],
        "history_5-9": [0, 0, 0, 0],
        "history_10+": [0, 0, 0, 0],
        "overlap": [1, 0, 0, 1],
        "no_overlap": [0, 1, 1, 0],
        "head": [0, 1, 1, 0],
        "mid": [0, 0, 0, 0],
        "tail": [1, 0, 0, 1],
        "trained_items": [0, 1, 1, 0],
        "without_twins": [1, 1, 1, 0],
    }
    assert {name: mask.astype(int).tolist() for name, mask in slices.items()} == expected
