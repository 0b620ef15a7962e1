from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace

N_ITEMS = 7
Row = list[tuple[int, float, float]]  # item, weight, time


@dataclass(frozen=True)
class Plain:
    """The same histories as lists: the obvious second implementation."""

    rows: list[Row]

    @property
    def fast(self) -> Histories:
        items, weights, times = ([[entry[n] for entry in row] for row in self.rows] for n in range(3))
        at = [float(n) for n in range(len(self.rows))]
        return Histories.from_lists(items, N_ITEMS, weights, times, at, order="joint")


entries = st.tuples(st.integers(0, N_ITEMS - 1), st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.integers(0, 9).map(float))
plain_histories = st.lists(st.lists(entries, max_size=6), max_size=6).map(Plain)


def same(fast: Histories, rows: list[Row], at: list[float]) -> None:
    expected = Plain(rows).fast
    np.testing.assert_array_equal(fast.indptr, expected.indptr)
    np.testing.assert_array_equal(fast.items, expected.items)
    np.testing.assert_array_equal(fast.weights, expected.weights)
    np.testing.assert_array_equal(fast.times, expected.times)
    np.testing.assert_array_equal(fast.at, at)
    assert fast.order == "joint"
    assert (fast.indptr.dtype, fast.items.dtype, fast.weights.dtype) == (np.int64, np.int32, np.float32)


@given(plain_histories, st.data())
def test_take_gives_the_rows_in_the_order_asked_for(plain: Plain, data: st.DataObject) -> None:
    last = len(plain.rows) - 1
    wanted = data.draw(st.lists(st.integers(0, last), max_size=8)) if plain.rows else []
    same(plain.fast.take(wanted), [plain.rows[row] for row in wanted], [float(row) for row in wanted])


@given(plain_histories, st.integers(0, N_ITEMS), st.integers(0, N_ITEMS))
def test_only_and_without_part_the_entries(plain: Plain, a: int, b: int) -> None:
    part, at = slice(min(a, b), max(a, b)), [float(n) for n in range(len(plain.rows))]
    inside = [[entry for entry in row if part.start <= entry[0] < part.stop] for row in plain.rows]
    outside = [[entry for entry in row if not part.start <= entry[0] < part.stop] for row in plain.rows]
    same(plain.fast.only(part), inside, at)
    same(plain.fast.without(part), outside, at)


@given(plain_histories)
def test_the_matrix_sums_repeats(plain: Plain) -> None:
    expected = np.zeros((len(plain.rows), N_ITEMS), np.float32)
    for row, line in enumerate(plain.rows):
        for item, weight, _ in line:
            expected[row, item] += weight
    fast = plain.fast
    weights = fast.weights.copy()
    matrix = fast.matrix()
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.has_canonical_format
    matrix.data[:] = 9
    np.testing.assert_array_equal(fast.weights, weights)  # a copy: models may change it


@given(plain_histories)
def test_rows_lengths_and_positions_agree_with_the_lists(plain: Plain) -> None:
    fast = plain.fast
    assert fast.n_rows == len(plain.rows)
    assert fast.lengths.tolist() == [len(row) for row in plain.rows]
    assert fast.rows().tolist() == [number for number, row in enumerate(plain.rows) for _ in row]
    assert fast.reversed_positions().tolist() == [len(row) - 1 - n for row in plain.rows for n in range(len(row))]


@given(plain_histories)
def test_support_and_domain_counts_count(plain: Plain) -> None:
    space = ItemSpace(("a", "b"), (4, 3))
    interactions = Interactions(space, plain.fast)
    support = [sum(e[0] == item and e[1] > 0 for row in plain.rows for e in row) for item in range(N_ITEMS)]
    assert interactions.support().tolist() == support
    counts = [[sum(e[0] < 4 for e in row), sum(e[0] >= 4 for e in row)] for row in plain.rows]
    assert interactions.domain_counts().tolist() == counts
    assert interactions.matrix("b").shape == (len(plain.rows), 3)
    np.testing.assert_array_equal(interactions.matrix("b").toarray(), interactions.matrix().toarray()[:, 4:])
    assert interactions.only("a").n_people == len(plain.rows)


def test_a_matrix_and_its_histories_are_the_same() -> None:
    histories = Histories.from_lists([[2, 0, 2], []], 4, weights=[[1, 2, 3], []])
    again = Histories.from_matrix(histories.matrix())
    assert again.items.tolist() == [0, 2]
    assert again.weights.tolist() == [2, 4]


def test_other_weights_leave_the_rest() -> None:
    histories = Histories.from_lists([[1, 0]], 2, times=[[5, 6]], at=[7], order="joint")
    other = histories.with_weights(np.array([0.25, 4.0]))
    assert other.weights.tolist() == [0.25, 4.0]
    assert other.weights.dtype == np.float32
    assert other.items is histories.items
    assert histories.weights.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": [0, 2]}, r"items must lie in 0\.\.1"),
        ({"items": [0, -1]}, r"items must lie in 0\.\.1"),
        ({"items": [0]}, "need 2 items and weights, got 1, 2"),
        ({"weights": [1.0, np.nan]}, "finite and >= 0"),
        ({"weights": [1.0, np.inf]}, "finite and >= 0"),
        ({"weights": [1.0, -0.5]}, "finite and >= 0"),
        ({"times": [1.0]}, "need 2 times, got 1"),
        ({"at": [1.0, 2.0]}, "need 1 values of 'at', got 2"),
    ],
)
def test_impossible_histories_are_refused(change: dict[str, list[float]], message: str) -> None:
    types = {"items": np.int32, "weights": np.float32, "times": np.float64, "at": np.float64}
    arrays = {
        name: np.array(values, types[name]) for name, values in ({"items": [0, 1], "weights": [1, 1]} | change).items()
    }
    with pytest.raises(UsageError, match=message):
        Histories(indptr=np.array([0, 2]), n_items=2, **arrays)


def test_interactions_need_the_items_of_their_space() -> None:
    with pytest.raises(UsageError, match="over 3 items, the space has 2"):
        Interactions(ItemSpace(("a",), (2,)), Histories.from_lists([[0]], 3))


def test_what_is_borrowed_stays_marked() -> None:
    rows = Histories.from_lists([[3, 1, 2], [], [4, 4, 0]], 5)
    marked = replace(rows, borrowed=np.array([False, True, True, True, False, True]))
    assert marked.own_items.tolist() == [3, 4]
    assert marked.borrowed_items.tolist() == [0, 1, 2]  # 4 is the person's own, too
    assert marked.take([2, 0]).own().items.tolist() == [4, 3]
    assert marked.only(slice(0, 4)).own().items.tolist() == [3]
    assert rows.own() is rows
    assert rows.borrowed_items.tolist() == []
    with pytest.raises(UsageError, match="6 values of 'borrowed', got 1"):
        replace(rows, borrowed=np.array([True]))
