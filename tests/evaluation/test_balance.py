"""What lists are like: numbers that can be counted by hand, and slow references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kuajie.evaluation.balance import (
    floors_kept,
    mean_support,
    miscalibration,
    most_of_one,
    provider_shares,
    share_of,
    tail_of,
    topics,
)

LISTS = np.array([[0, 1, 2, 3], [4, 5, -1, -1], [-1, -1, -1, -1]], np.int32)
GROUPS = sparse.csr_array(np.array([[1, 0], [1, 0], [0, 1], [0.5, 0.5], [1, 0], [0, 0]], float))
CODES = np.array([0, 0, 1, 0, 2, -1], np.int32)


def test_counts_by_hand() -> None:
    assert topics(LISTS, GROUPS) == pytest.approx((2 + 1 + 0) / 3)
    assert most_of_one(LISTS, CODES) == pytest.approx((3 / 4 + 1 / 2) / 2)
    support = np.array([10, 20, 30, 40, 50, 60.0])
    assert mean_support(LISTS, support) == pytest.approx(35)
    assert share_of(LISTS, support > 35) == pytest.approx(0.5)
    got, owned = provider_shares(LISTS, CODES, 3)
    np.testing.assert_allclose(got, [3 / 6, 1 / 6, 1 / 6])
    np.testing.assert_allclose(owned, [3 / 5, 1 / 5, 1 / 5])
    assert floors_kept(LISTS, CODES, 3, 0.5) == 1
    assert floors_kept(LISTS, CODES, 3, 1.0) == pytest.approx(3 / 6 + 1 / 6 + 1 / 6)


def test_the_tail_is_what_the_head_leaves() -> None:
    tail = tail_of(np.array([0.0, 80.0, 15.0, 5.0]))
    assert tail.tolist() == [True, False, True, True]
    assert tail_of(np.array([79.0, 20.0, 1.0])).tolist() == [False, False, True]


def test_miscalibration_is_a_divergence() -> None:
    wanted = sparse.csr_array(np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]]))
    q = np.array([[2.5 / 4, 1.5 / 4], [0.5, 0.0], [0.0, 0.0]])
    costs = []
    for p, share in zip(wanted.toarray(), q, strict=True):
        mixed = 0.99 * share + 0.01 * p
        costs.append(sum(a * np.log(a / b) for a, b in zip(p, mixed, strict=True) if a > 0))
    assert miscalibration(LISTS, GROUPS, wanted) == pytest.approx(np.mean(costs))
    alike = sparse.csr_array(np.array([[1.0, 0.0]]))
    assert miscalibration(np.array([[0, 1]], np.int32), GROUPS, alike) == pytest.approx(0)
    assert np.isnan(miscalibration(LISTS, GROUPS, sparse.csr_array((3, 2))))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_most_frequent_label_is_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 4, 12).astype(np.int32)
    lists = np.stack([rng.permutation(12)[:5] for _ in range(6)]).astype(np.int32)
    lists[rng.random(lists.shape) < 0.3] = -1
    slow = []
    for row in lists:
        known = [f"{codes[item]}" if codes[item] >= 0 else f"alone {item}" for item in row if item >= 0]
        if known:
            slow.append(max(known.count(label) for label in known) / len(known))
    got = most_of_one(lists, codes)
    assert got == pytest.approx(np.mean(slow)) if slow else np.isnan(got)


def test_nothing_shown_has_no_mean() -> None:
    none = np.full((2, 3), -1, np.int32)
    assert np.isnan(mean_support(none, np.ones(6)))
    assert np.isnan(share_of(none, np.ones(6, bool)))
    assert np.isnan(most_of_one(none, CODES))
