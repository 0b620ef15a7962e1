"""Groups that come and go against averages made anew; what one item more costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.data.content import Neighbours
from kuajie.data.starts import Start
from kuajie.workflows import new_groups
from kuajie.workflows.new_groups import MOST_RECENT, Groups, Kinds

PART = slice(10, 16)
KINDS = [Neighbours(np.array(items, np.int32), "甲") for items in ([10, 12], [13], [11, 14, 15])]
STARTS = [
    Start(KINDS[0], 0.5, np.array([14, 12], np.int32), np.array([0.3, 0.2])),
    Start(KINDS[0], 1.0, np.array([], np.int32), np.array([])),
    Start(KINDS[1], 0.25, np.array([10], np.int32), np.array([0.75])),
    Start(KINDS[2], 1.0, np.array([], np.int32), np.array([])),
    Start(None, 0.0, np.array([15], np.int32), np.ones(1)),
]
SCORES = np.array([3.0, np.nan, 1.0, -2.0, 5.0, 0.5])


def slow(start: Start) -> float:
    """Mean plus spread of one start, by a loop."""
    known, shares = np.nan_to_num(SCORES), np.zeros(6)
    shares[start.items - PART.start] += start.shares
    if start.kind is not None:
        shares[start.kind.items - PART.start] += start.kind_share / len(start.kind.items)
    mean = float(shares @ known)
    return mean + float(np.sqrt(max(shares @ known**2 - mean**2, 0)))


def bounds_of(groups: Groups) -> dict[str, float]:
    """What each item scores."""
    bounds = groups.kinds.bounds(SCORES, 1.0)
    assert bounds.shape == (len(groups.kinds),)
    parts = [groups.kinds.group(place).parts() for place in range(len(groups.kinds))]
    told = [(item, bound) for part, bound in zip(parts, bounds.tolist(), strict=True) for some in part for item in some]
    assert len(dict(told)) == len(told), "an item is in one group"
    return dict(told)


@pytest.mark.parametrize(("recent", "items"), [(0, 99), (2, 99), (99, 2), (99, 99)])
@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.tuples(st.integers(0, 7), st.sampled_from([*range(5), None])), max_size=4), max_size=8))
def test_items_that_come_and_go_score_as_if_all_were_made_anew(
    recent: int, items: int, rounds: list[list[tuple[int, int | None]]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new_groups, "MOST_RECENT", recent)
        patch.setattr(new_groups, "MOST_RECENT_ITEMS", items)
        groups, now = Groups(PART), dict[str, Start]()
        for changes in rounds:
            for number, start in changes:
                item = f"新{number}"
                if item in now:
                    assert groups.take(item, now.pop(item)) == bool(number % 2)
                if start is not None:
                    groups.put(item, STARTS[start], arrived=bool(number % 2))
                    now[item] = STARTS[start]
            groups.settle()
            assert bounds_of(groups) == pytest.approx({item: slow(start) for item, start in now.items()})


def test_one_item_more_makes_nothing_anew_that_grows_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    made = Kinds.of

    def counted(groups: list, part: slice, before: Kinds | None = None) -> Kinds:
        groups = list(groups)
        counts.append(len(groups))
        return made(groups, part, before)

    monkeypatch.setattr(Kinds, "of", counted)
    groups = Groups(PART)

    def put(number: int) -> None:
        groups.put(f"新{number}", Start(KINDS[0], 0.5, np.array([14], np.int32), np.array([0.5])), arrived=True)

    for number in range(5_000):
        put(number)
    groups.settle()
    assert counts == [0, 5_000]
    for number in range(5_000, 5_100):
        put(number)
        groups.settle()
    assert counts[2:] == list(range(1, 101))
    for number in range(5_000, 5_100):  # what is known already makes no group
        groups.put(f"又{number}", STARTS[1], arrived=True)
        groups.settle()
    assert counts[102:] == [101], "one group, once"
    for number in range(5_100, 6_000):
        put(number)
        groups.settle()
    assert sum(count > MOST_RECENT for count in counts[102:]) <= 4


def test_what_waits_is_put_in_order_once_while_others_arrive() -> None:
    groups = Groups(PART)
    for number in range(3):
        groups.put(f"等{number}", STARTS[1], arrived=False)
    groups.settle()
    group = groups.kinds.group(0)
    waiting = group.parts()[1]
    groups.put("新", STARTS[1], arrived=True)
    assert group.parts() == (("新",), waiting)
    assert group.parts()[1] is waiting
    assert groups.take("等1", STARTS[1]) is False
    assert group.parts() == (("新",), ("等0", "等2"))
