"""Histories, exclusions and target lengths against a slow reading of the protocol."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.space import ItemSpace
from kuajie.data.rows import Rows
from kuajie.evaluation.tasks import build_task, interactions_of

SPACE = ItemSpace(("a", "b"), (5, 4))


def make_rows(entries: list[tuple], order: str, times: bool = False) -> Rows:
    people, items, positions = (np.array(column) for column in zip(*entries, strict=True)) if entries else ([], [], [])
    return Rows(
        np.asarray(people, np.int64),
        np.asarray(items, np.int32),
        None if order == "none" else np.asarray(positions, np.float64),
        np.asarray(positions, np.float64) * 10 if times else None,
    )


def slow_history(entry: tuple, known: list[tuple], order: str) -> list[int]:
    person, item, position = entry
    own = [k for k in known if k[0] == person]
    domain = SPACE.domain_of(np.array([item]))[0]

    def later(k: tuple) -> bool:
        comparable = order == "joint" or (order == "domain" and SPACE.domain_of(np.array([k[1]]))[0] == domain)
        return comparable and k[2] > position

    own = [k for k in own if not later(k)]
    if order == "joint":
        own.sort(key=lambda k: k[2])
    elif order == "domain":
        own.sort(key=lambda k: (SPACE.domain_of(np.array([k[1]]))[0], k[2]))
    return [k[1] for k in own]


ENTRY = st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(0, 6))
ASKED = st.tuples(st.integers(0, 3), st.integers(5, 8), st.integers(0, 6))


@settings(max_examples=70, deadline=None)
@given(
    known=st.lists(ENTRY, max_size=25),
    asked=st.lists(ASKED, min_size=1, max_size=8),
    forbidden=st.lists(ENTRY, max_size=5),
    order=st.sampled_from(["joint", "domain", "none"]),
    times=st.booleans(),
)
def test_rows_are_as_the_protocol_says(known, asked, forbidden, order, times) -> None:
    make = lambda entries: make_rows(entries, order, times)  # noqa: E731
    task = build_task(SPACE, "b", make(asked), make(known), order, 4, [make(forbidden)])
    for row, entry in enumerate(asked):
        history = task.histories.take([task.history_of[row]])
        assert history.items.tolist() == slow_history(entry, known, order)
        used = {k[1] - 5 for k in [*known, *forbidden, *asked] if k[0] == entry[0] and k[1] >= 5}
        assert task.excluded.row(row).tolist() == sorted(used - {entry[1] - 5})
        assert task.positives[row] == entry[1] - 5
        assert task.people[row] == entry[0]
        assert task.target_lengths[row] == sum(item >= 5 for item in history.items)
        if times and known:
            assert history.at[0] == entry[2] * 10


def test_equal_histories_are_held_once() -> None:
    known = make_rows([(0, 0, 0), (1, 1, 0)], "none")
    task = build_task(SPACE, "b", make_rows([(0, 5, 0), (1, 5, 0), (0, 6, 0)], "none"), known, "none", 2)
    assert task.histories.n_rows == 2
    np.testing.assert_array_equal(task.history_of, [0, 1, 0])


def test_taking_rows_drops_histories_that_nobody_needs() -> None:
    known = make_rows([(0, 0, 0), (1, 1, 0), (1, 7, 0)], "none")
    task = build_task(SPACE, "b", make_rows([(0, 5, 0), (1, 5, 0), (1, 6, 0)], "none"), known, "none", 2)
    part = task.take(np.array([False, True, True]))
    assert part.n_rows == 2
    assert part.histories.n_rows == 1
    np.testing.assert_array_equal(part.histories.items, [1, 7])
    assert [part.excluded.row(row).tolist() for row in (0, 1)] == [[1, 2], [0, 2]]
    np.testing.assert_array_equal(part.target_lengths, [1, 1])


def test_training_data_has_everybody_in_order() -> None:
    entries = [(2, 7, 3), (0, 1, 2), (2, 0, 1), (0, 6, 1)]
    joint = interactions_of(make_rows(entries, "joint", times=True), SPACE, "joint", 4).histories
    np.testing.assert_array_equal(joint.indptr, [0, 2, 2, 4, 4])
    np.testing.assert_array_equal(joint.items, [6, 1, 0, 7])
    np.testing.assert_array_equal(joint.times, [10, 20, 10, 30])
    np.testing.assert_array_equal(joint.at, [20, 30, 30, 30])  # whoever has no time: the newest of all
    by_domain = interactions_of(make_rows(entries, "domain"), SPACE, "domain", 4).histories
    np.testing.assert_array_equal(by_domain.items, [1, 6, 0, 7])


@pytest.mark.parametrize("order", ["joint", "domain", "none"])
def test_somebody_without_any_row_has_an_empty_history(order) -> None:
    task = build_task(SPACE, "b", make_rows([(3, 5, 0)], order), make_rows([(0, 5, 0)], order), order, 4)
    assert task.histories.lengths.tolist() == [0]
    assert task.target_lengths.tolist() == [0]
