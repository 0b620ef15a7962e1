"""Merging against a slow reference that goes through the rows one by one."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kuajie.data.config import CleaningConfig
from kuajie.data.duplicates import merge_duplicates
from kuajie.data.rates import flag_rates
from kuajie.data.unify import KIND_TYPE
from kuajie.testing.sources import rows

START = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = {
    "account": pl.Int32,
    "item": pl.Int32,
    "kind": KIND_TYPE,
    "occurred_at": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
    "event_id": pl.String,
    "exposure_id": pl.String,
    "source": pl.UInt16,
    "row": pl.Int64,
}
Row = tuple[int, int, str, float | None, float | None, str | None, str | None, int, int]


def frame(table: list[Row]) -> pl.DataFrame:
    timed = [(*row[:3], None if row[3] is None else START + timedelta(seconds=row[3]), *row[4:]) for row in table]
    return pl.DataFrame(timed, SCHEMA, orient="row")


def slowly(table: list[Row], near: float) -> dict[tuple[int, int], float | None]:
    """(source, row) of the kept rows -> their value."""
    known: set[tuple[object, ...]] = set()
    kept: list[Row] = []
    for row in sorted(table, key=lambda row: row[7:]):
        account, _, kind, _, _, event, exposure, _, _ = row
        names = [("event", account, event)] if event is not None else []
        names += [("exposure", account, exposure, kind)] if exposure is not None else []
        if event is not None and names[0] in known:
            continue
        if exposure is not None and names[-1] in known:
            known.update(names[:-1])
            continue
        known.update(names)
        if row[:7] in known:
            continue
        known.add(row[:7])
        kept.append(row)
    runs: list[list[Row]] = []
    for row in sorted(kept, key=lambda row: (row[:3], row[3] is not None, row[3] or 0.0, row[7:])):
        last = runs[-1][-1] if runs else None
        close = last is not None and None not in {last[3], row[3]} and row[3] - last[3] <= near  # type: ignore[operator]
        if near > 0 and last is not None and last[:3] == row[:3] and close:
            runs[-1].append(row)
        else:
            runs.append([row])
    values = {}
    for run in runs:
        given = [row[4] for row in run if row[4] is not None]
        best = None if not given else given[-1] if run[0][2] == "rate" else max(given)
        values[run[0][7:]] = best
    return values


ids = st.one_of(st.none(), st.sampled_from("pq"))
tables = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from(["view", "rate"]),
        st.one_of(st.none(), st.integers(0, 9).map(float)),
        st.one_of(st.none(), st.sampled_from([1.0, 2.0])),
        ids,
        ids,
        st.integers(0, 1),
    ),
    max_size=12,
).map(lambda table: [(*row, number) for number, row in enumerate(table, 1)])


@given(tables, st.sampled_from([0.0, 1.0, 2.5]))
def test_merging_is_that_of_the_slow_reference(table: list[Row], near: float) -> None:
    merged = merge_duplicates(frame(table), near, 2)
    found = {(source, row): value for source, row, value in rows(merged.events, "source", "row", "value")}
    assert found == slowly(table, near)
    for source in (0, 1):
        read = sum(row[7] == source for row in table)
        assert read == sum(key[0] == source for key in found) + merged.exact[source] + merged.near[source]
    assert merged.exact.sum() == len(table) - len(slowly(table, 0.0))


def test_by_eye() -> None:
    plain: list[Row] = [
        (0, 5, "view", 0, None, None, None, 0, 1),
        (0, 5, "view", 0, None, None, None, 0, 2),  # exactly the first again
        (0, 5, "view", 2, 30.0, None, None, 0, 3),  # two seconds later: near
        (0, 5, "view", 4, 10.0, None, None, 1, 4),  # two seconds after that one: near
        (0, 5, "view", 7, None, None, None, 0, 5),  # three seconds later: another event
        (0, 5, "rate", 7, 2.0, None, None, 0, 6),
        (0, 5, "rate", 8, 4.0, None, None, 0, 7),  # the person corrected the rating
        (1, 5, "view", 0, None, None, None, 0, 8),  # somebody else
        (0, 5, "view", None, None, None, None, 0, 9),
        (0, 5, "view", None, None, None, None, 0, 10),  # exactly the one without a time again
    ]
    merged = merge_duplicates(frame(plain), 2.0, 2)
    assert sorted(rows(merged.events, "row", "value")) == [(1, 30.0), (5, None), (6, 4.0), (8, None), (9, None)]
    assert merged.exact.tolist() == [2, 0]
    assert merged.near.tolist() == [2, 1]


def flags(table: list[tuple[int, float]], config: CleaningConfig, fine: bool = True) -> dict[int, str]:
    timed = pl.DataFrame(
        {"account": [row[0] for row in table], "occurred_at": [START + timedelta(seconds=row[1]) for row in table]},
        schema={"account": pl.Int32, "occurred_at": pl.Datetime("us", "UTC")},
    )
    return dict(rows(flag_rates(timed, pl.lit(fine), config), "account", "flag"))


def test_extreme_rates_are_flagged() -> None:
    config = CleaningConfig(flag_events_per_minute=3, flag_events_per_day=5)
    in_a_minute = [(0, second) for second in (0, 20, 40, 59.9)]
    over_a_minute = [(1, second) for second in (0, 20, 40, 60)]
    in_a_day = [(2, 3_600.0 * hour) for hour in range(6)]
    over_midnight = [(3, 86_400 - 7_200 + 3_600.0 * hour) for hour in range(6)]
    both = [(4, float(second)) for second in range(6)]
    table = [*in_a_minute, *over_a_minute, *in_a_day, *over_midnight, *both]
    assert flags(table, config) == {
        0: "events_per_minute",
        2: "events_per_day",
        4: "events_per_minute events_per_day",
    }
    assert flags(table, config, fine=False) == {2: "events_per_day", 4: "events_per_day"}
    assert flags([], config) == {}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 200)), max_size=25), st.integers(1, 4))
def test_rates_per_minute_are_those_of_the_slow_reference(table: list[tuple[int, int]], limit: int) -> None:
    config = CleaningConfig(flag_events_per_minute=limit, flag_events_per_day=10_000)
    slow = {
        account
        for account, start in table
        if sum(other == account and start <= second < start + 60 for other, second in table) > limit
    }
    assert set(flags(table, config)) == slow


def test_counts_are_whole_numbers() -> None:
    merged = merge_duplicates(frame([]), 1.0, 3)
    assert merged.exact.dtype == np.int64
    assert merged.exact.tolist() == merged.near.tolist() == [0, 0, 0]
