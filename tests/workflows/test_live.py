"""Merging what is in the snapshot with what is in the store, against a slow second implementation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.records import Account, Link
from kuajie.data.kinds import KINDS
from kuajie.data.live import joined
from kuajie.data.strength import Events
from kuajie.workflows.access import TokenBucket
from kuajie.workflows.accounts import merge

VIEW, RATE = KINDS.index("view"), KINDS.index("rate")
ROW = st.tuples(
    st.integers(0, 2),
    st.sampled_from([VIEW, RATE]),
    st.sampled_from([np.nan, 0.0, 1.0, 2.0, 3.0, 5.5, 9.0]),
    st.sampled_from([np.nan, 0.0, 1.0, 4.0]),
)


def events(rows: list[tuple[int, int, float, float]]) -> Events:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    return Events(
        np.zeros(len(rows), np.int32),
        np.array(columns[0], np.int32),
        np.array(columns[1], np.uint8),
        np.array(columns[2], np.float64),
        np.array(columns[3], np.float64),
    )


def slowly(rows: list[tuple[int, int, float, float]], seconds: float) -> set[tuple]:
    """Runs of the same item and kind, each at most so long after the one before: the first time, the value by rule."""
    kept = []
    for key in {row[:2] for row in rows}:
        own = [row for row in rows if row[:2] == key]
        kept += [[row] for row in own if np.isnan(row[2])]
        run: list = []
        for row in sorted((row for row in own if not np.isnan(row[2])), key=lambda row: row[2]):
            if run and row[2] - run[-1][2] > seconds:
                kept.append(run)
                run = []
            run.append(row)
        if run:
            kept.append(run)
    found = []
    for run in kept:
        values = [row[3] for row in run]
        known = [value for value in values if not np.isnan(value)]
        value = max(known, default=np.nan)
        if run[0][1] == RATE and not np.isnan(values[-1]):
            value = values[-1]
        found.append((run[0][0], run[0][1], repr(run[0][2]), repr(float(value))))
    return sorted(found)


@given(st.lists(ROW, max_size=20), st.sampled_from([0, 2]))
def test_duplicates_are_merged_as_the_slow_rule_says(drawn: list, seconds: float) -> None:
    rows = list({(*row[:3], place * (row[2] != row[2])): row for place, row in enumerate(drawn)}.values())
    got = joined([events(rows[:3]), events(rows[3:])], seconds)
    assert sorted((int(i), int(k), repr(float(t)), repr(float(v))) for i, k, t, v in zip(
        got.item, got.kind, got.time, got.value, strict=True
    )) == slowly(rows, seconds)  # fmt: skip
    times = np.nan_to_num(got.time, nan=-np.inf)
    assert (times[1:] >= times[:-1]).all()


def test_one_to_one_links_join_and_others_do_not() -> None:
    def a(name: str) -> Account:
        return Account(domain=name[0], user=name)

    def with_links(*pairs: str) -> set[str]:
        links = [Link(a=a(pair.split("-")[0]), b=a(pair.split("-")[1])) for pair in pairs]
        return {each.user for each in merge([a("a1")], links, list)}

    assert with_links() == {"a1"}
    assert with_links("a1-b1", "b1-c1") == {"a1", "b1", "c1"}
    assert with_links("a1-b1", "a1-b2") == {"a1"}
    assert with_links("a1-b1", "a2-b1") == {"a1"}
    assert with_links("a1-c1", "a1-b1", "a1-b2") == {"a1", "c1"}
    assert with_links("a2-b2") == {"a1"}


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    bucket = TokenBucket(2.0, lambda: now[0])
    assert [bucket.take("k") for _ in range(4)] == [0.0] * 4
    assert bucket.take("k") == pytest.approx(0.5)
    assert bucket.take("other") == 0.0
    now[0] = 0.5
    assert bucket.take("k") == 0.0
    assert bucket.take("k") > 0
