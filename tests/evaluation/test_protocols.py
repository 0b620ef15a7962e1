import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.errors import DataError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace
from kuajie.data.split_folder import open_split_folder, without_test
from kuajie.evaluation.protocols import (
    carve,
    final_split,
    leave_one_out,
    person_folds,
    rows_of,
    time_split,
    validation_split,
)
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.splits import rows, write_split_folder


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


ORDERED = {
    "a_train": rows((1, 10, 0), (1, 11, 2), (1, 12, 5), (2, 10, 0), (2, 11, 4)),
    "a_test": rows((1, 13, 8)),
    "b_train": rows((1, 20, 1), (1, 21, 3), (1, 22, 6), (2, 20, 1), (2, 22, 2), (2, 23, 3)),
    "b_test": rows((1, 24, 7)),
}


def test_the_last_row_of_people_with_three_is_carved(tmp_path) -> None:
    split = validation_split(open_split_folder(write_split_folder(tmp_path, ORDERED)), rng())
    a, b = split.tasks["a"], split.tasks["b"]
    assert a.positives.tolist() == [2]  # item 12; person 2 has only two rows of a
    assert b.positives.tolist() == [2, 3]
    assert split.train.histories.lengths.tolist() == [4, 4]
    # the history of (1, item 12, place 5) has nothing later, and no other carved row
    assert a.histories.items.tolist() == [0, 4, 1, 5]
    assert a.excluded.row(0).tolist() == [0, 1]  # the test item 13 is unknown here: a candidate like any other


def test_carving_never_looks_at_test_rows(tmp_path) -> None:
    folder = open_split_folder(write_split_folder(tmp_path, ORDERED))
    seeing, blind = (validation_split(each, rng(), "sampled-99") for each in (folder, without_test(folder)))
    for domain in "ab":
        np.testing.assert_array_equal(seeing.tasks[domain].histories.items, blind.tasks[domain].histories.items)
        np.testing.assert_array_equal(seeing.tasks[domain].candidates.items, blind.tasks[domain].candidates.items)


def test_carved_rows_return_and_the_test_history_ends_before_the_test_row(tmp_path) -> None:
    split = final_split(open_split_folder(write_split_folder(tmp_path, ORDERED)))
    assert split.train.histories.lengths.tolist() == [6, 5]
    assert split.tasks["b"].histories.items.tolist() == [0, 4, 1, 5, 2, 6]
    assert split.tasks["b"].target_lengths.tolist() == [3]


def with_validation(valid_person: int) -> dict:
    return ORDERED | {"a_valid": rows((valid_person, 14, 7))}


def test_validation_rows_join_the_final_fit_where_all_their_people_are_known(tmp_path) -> None:
    split = final_split(open_split_folder(write_split_folder(tmp_path, with_validation(1))))
    assert split.train.support()[:5].tolist() == [2, 2, 1, 0, 1]
    assert "join" in split.notes[0]
    assert 4 in split.tasks["a"].histories.items


def test_validation_rows_of_cold_people_stay_out_but_are_no_candidates(tmp_path) -> None:
    tables = with_validation(3) | {"a_test": rows((3, 13, 8))}
    folder = open_split_folder(write_split_folder(tmp_path, tables))
    split = final_split(folder)
    assert split.train.support()[4] == 0
    assert split.tasks["a"].histories.lengths.tolist() == [0]
    assert split.tasks["a"].excluded.row(0).tolist() == [4]
    assert validation_split(folder, rng()).tasks["a"].positives.tolist() == [4]


def test_without_order_validation_rows_stay_out(tmp_path) -> None:
    unordered = {
        name: {k: v for k, v in table.items() if k != "position"} for name, table in with_validation(1).items()
    }
    split = final_split(open_split_folder(write_split_folder(tmp_path, unordered)))
    assert split.train.support()[4] == 0


def test_test_histories_are_scored_but_never_trained(tmp_path) -> None:
    tables = ORDERED | {
        "a_test_history": rows((5, 12, 0)),
        "b_test_history": rows((5, 21, 1)),
        "b_test": rows((5, 24, 2)),
    }
    split = final_split(open_split_folder(write_split_folder(tmp_path, tables)))
    assert split.tasks["b"].histories.items.tolist() == [2, 5]
    assert split.tasks["b"].excluded.row(0).tolist() == [1]
    assert split.train.histories.lengths.tolist() == [6, 5, 0]


ENTRIES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(entries=ENTRIES, order=st.sampled_from(["domain", "none"]), least=st.integers(1, 4))
def test_carving_takes_one_row_of_everybody_with_enough(entries, order, least) -> None:
    histories = Histories.from_lists([[i for p, i in entries if p == person] for person in range(6)], 31, order=order)
    own = rows_of(Interactions(ItemSpace(("a",), (31,)), histories))
    carved = carve(own, order, rng(), least)
    for person in range(6):
        mine = np.flatnonzero(own.people == person)
        assert carved[mine].sum() == (len(mine) >= least)
        if order != "none" and len(mine) >= least:
            assert carved[mine[-1]]


def test_leave_one_out_asks_for_the_last_new_item() -> None:
    space = ItemSpace(("a", "b"), (4, 3))
    histories = Histories.from_lists([[0, 4, 1, 5, 2, 1, 6], [0, 1]], 7, order="joint")
    split = leave_one_out(Interactions(space, histories), rng())
    assert split.tasks["a"].positives.tolist() == [2]  # item 1 was used before, so item 2 is the last new one
    assert split.tasks["a"].histories.items.tolist() == [0, 4, 1, 5]
    assert split.tasks["b"].positives.tolist() == [2]
    assert split.train.histories.items.tolist() == [0, 4, 1, 5, 1, 0, 1]


def test_folds_ask_everybody_once_and_keep_the_others_whole() -> None:
    interactions, _, _ = two_domain_interactions(n_people=30)
    asked = []
    for split in person_folds(interactions, 3, rng()):
        people = np.unique(split.tasks["a"].people)
        asked += people.tolist()
        others = np.setdiff1d(np.arange(30), people)
        assert (split.train.histories.lengths[others] == interactions.histories.lengths[others]).all()
        assert (split.train.histories.lengths[people] == interactions.histories.lengths[people] - 2).all()
    assert sorted(asked) == list(range(30))
    with pytest.raises(UsageError, match=r"folds must lie in 2\.\.30"):
        next(person_folds(interactions, 1, rng()))


def test_a_time_split_trains_before_and_asks_after() -> None:
    space = ItemSpace(("a", "b"), (4, 3))
    histories = Histories.from_lists(
        [[0, 4, 1, 0, 5, 5], [2]], 7, times=[[1, 2, 10, 11, 12, 13], [3]], at=[13, 3], order="joint"
    )
    split = time_split(Interactions(space, histories), 10.0)
    assert split.train.histories.items.tolist() == [0, 4, 2]
    assert split.tasks["a"].positives.tolist() == [1]  # item 0 was used before
    assert split.tasks["b"].positives.tolist() == [1]  # once
    assert split.tasks["b"].histories.items.tolist() == [0, 4]
    assert split.tasks["b"].histories.at.tolist() == [12]


def test_a_time_split_needs_times_and_two_sides() -> None:
    space = ItemSpace(("a",), (2,))
    with pytest.raises(DataError, match="needs times"):
        time_split(Interactions(space, Histories.from_lists([[0]], 2)), 5)
    timed = Interactions(space, Histories.from_lists([[0]], 2, times=[[1.0]], at=[1.0]))
    for at in (0, 5):
        with pytest.raises(DataError, match="leaves nothing"):
            time_split(timed, at)


def test_people_can_be_made_cold_in_leave_one_out() -> None:
    interactions, _, _ = two_domain_interactions(n_people=50)
    split = leave_one_out(interactions, rng(), cold_share=0.1)
    task = split.tasks["b"]
    cold = np.flatnonzero(task.target_lengths == 0)
    assert len(cold) == round(0.1 * 45)  # whoever was made cold in a is not in b
    assert split.train.domain_counts()[task.people[cold], 1].sum() == 0
    for row in cold:  # what was hidden is no negative
        own = interactions.histories.take([task.people[row]]).items
        assert set(task.excluded.row(row)) == set(own[own >= 20] - 20) - {task.positives[row]}
