"""Lines, windows and rows held out: plain NumPy, no PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.histories import Histories, Interactions, Order
from kuajie.core.space import ItemSpace
from kuajie.models.deep.holdout import Judge, hold_out, ndcg
from kuajie.models.deep.lines import Windows, line_of_target, newest, only_domain

SPACE = ItemSpace(("a", "b"), (5, 5))


def plain_pairs(rows: list[list[int]], length: int) -> list[tuple[tuple[int, ...], int]]:
    """What is read and what is told, entry by entry: the slow, obvious way."""
    found = []
    for row in rows:
        stop = len(row) - 1
        while stop > 0:
            start = max(stop - length, 0)
            found += [(tuple(row[start : place + 1]), row[place + 1]) for place in range(start, stop)]
            stop = start
    return found


def pairs_of(windows: Windows, size: int) -> list[tuple[tuple[int, ...], int]]:
    found = []
    for items, told, lengths in windows.batches(size, np.random.default_rng(0)):
        assert items.shape == told.shape
        for row, wanted, n in zip(items.tolist(), told.tolist(), lengths.tolist(), strict=True):
            assert row[n:] == [windows.pad] * (len(row) - n)
            assert wanted[n:] == [-1] * (len(row) - n)
            found += [(tuple(row[: place + 1]), wanted[place]) for place in range(n) if wanted[place] >= 0]
    return found


LISTS = st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=12)


@given(LISTS, st.integers(1, 5), st.integers(1, 4))
def test_every_entry_but_the_first_is_told_once_from_those_before_it(
    rows: list[list[int]], length: int, size: int
) -> None:
    histories = Histories.from_lists(rows, 10, order="joint")
    windows = Windows.of(histories, SPACE, length)
    assert sorted(pairs_of(windows, size)) == sorted(plain_pairs(rows, length))
    part = SPACE.slice("b")
    wanted = [pair for pair in plain_pairs(rows, length) if pair[1] >= part.start]
    assert sorted(pairs_of(windows.only(part), size)) == sorted(wanted)


@given(LISTS, st.integers(1, 5))
def test_where_domains_have_orders_of_their_own_the_target_comes_last(rows: list[list[int]], length: int) -> None:
    histories = Histories.from_lists(rows, 10, order="domain")
    wanted = []
    for low in (0, 5):
        lines = [[i for i in row if not low <= i < low + 5] + [i for i in row if low <= i < low + 5] for row in rows]
        wanted += [pair for pair in plain_pairs(lines, length) if low <= pair[1] < low + 5]
        line = line_of_target(histories, SPACE, "a" if low == 0 else "b")
        assert line.items.tolist() == [item for row in lines for item in row]
    assert sorted(pairs_of(Windows.of(histories, SPACE, length), 3)) == sorted(wanted)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=9), min_size=1, max_size=6), st.integers(1, 5))
def test_the_newest_entries_and_those_of_one_domain(rows: list[list[int]], length: int) -> None:
    items, lengths = newest(Histories.from_lists(rows, 10), length)
    kept = [row[-length:] for row in rows]
    assert [row[:n] for row, n in zip(items.tolist(), lengths.tolist(), strict=True)] == kept
    line, lengths = only_domain(items, SPACE, "b")
    own = [[item for item in row if item >= 5] for row in kept]
    assert [row[:n] for row, n in zip(line.tolist(), lengths.tolist(), strict=True)] == own
    assert all(set(row[n:]) <= {10} for row, n in zip(line.tolist(), lengths.tolist(), strict=True))


@pytest.mark.parametrize("order", ["joint", "domain", "none"])
def test_what_is_held_out_is_in_no_history(order: Order) -> None:
    rng = np.random.default_rng(1)
    rows = [rng.permutation(10)[: rng.integers(1, 9)].tolist() for _ in range(60)]
    times = [[float(place) for place in range(len(row))] for row in rows]
    histories = Histories.from_lists(rows, 10, times=times, at=[99.0] * 60, order=order)
    training, holdout = hold_out(Interactions(SPACE, histories), 8, rng)
    assert len(holdout.items) == holdout.histories.n_rows == 8
    assert len(training.histories.items) == len(histories.items) - 8
    for number, item in enumerate(holdout.items.tolist()):
        own = holdout.histories.take([number])
        assert item not in own.items
        whole = [row for row in rows if set(row) == {*own.items.tolist(), item} and len(row) >= 3]
        assert whole
        if order == "joint":
            assert any(row[-1] == item for row in whole)
        if order == "domain":
            assert any([i for i in row if i // 5 == item // 5][-1] == item for row in whole)
        assert own.at is not None
        assert any(own.at[0] == row.index(item) for row in whole)


def test_people_with_little_and_items_of_one_person_give_nothing() -> None:
    rows = [[0, 1], [2], [], [0, 1, 9], [3, 4, 4]] + [[]] * 20  # 9 is one person's; 4 was used before
    histories = Histories.from_lists(rows, 10, order="joint")
    training, holdout = hold_out(Interactions(SPACE, histories), 5, np.random.default_rng(0))
    assert not len(holdout.items)
    assert training.histories.items.tolist() == histories.items.tolist()


def test_ndcg_shares_places_among_ties() -> None:
    scores = np.array([[3, 2, 1], [1, 1, 1], [np.nan, 1, 0]], np.float32)
    value = ndcg(scores, np.array([1, 0, 0]), np.ones((3, 3), dtype=bool))
    assert value == pytest.approx(1 / np.log2(3) + 1 / np.log2(3) + 1 / np.log2(4))
    assert ndcg(scores[:1], np.array([1]), np.zeros((1, 3), dtype=bool)) == 1


def test_the_judge_masks_what_was_seen_and_what_was_never_trained() -> None:
    rng = np.random.default_rng(7)
    rows = [rng.permutation([0, 1, 2, 3, 5, 6, 7, 8, 9])[:5].tolist() for _ in range(25)]
    interactions = Interactions(SPACE, Histories.from_lists(rows, 10, order="joint"))
    training, holdout = hold_out(interactions, 5, np.random.default_rng(2))
    judge = Judge(holdout, training, None, np.random.default_rng(0))
    best = {tuple(holdout.histories.take([n]).items.tolist()): int(item) for n, item in enumerate(holdout.items)}
    assert len(best) == 5

    def score(histories: Histories, domain: str) -> np.ndarray:
        """Seen items and the untrained 4 first, then the right one."""
        part = SPACE.slice(domain)
        scores = np.full((histories.n_rows, 5), -1.0, np.float32)
        if domain == "a":
            scores[:, 4] = 9.0
        for row in range(histories.n_rows):
            own = histories.take([row]).items
            scores[row, best[tuple(own.tolist())] - part.start] = 1.0
            seen = own[(own >= part.start) & (own < part.stop)] - part.start
            scores[row, seen] = 5.0
        return scores

    assert judge(score) == 1.0
    assert sum(judge.only(domain).n_rows for domain in SPACE.domains) == judge.n_rows == 5
    sampled = Judge(holdout, training, 1, np.random.default_rng(0))
    flat = [sampled(lambda histories, _: np.zeros((histories.n_rows, 5), np.float32)) for _ in range(2)]
    assert flat[0] == flat[1] > judge(lambda histories, _: np.zeros((histories.n_rows, 5), np.float32))
