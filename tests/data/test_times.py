from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kuajie.data.config import SourceConfig
from kuajie.data.times import to_times

SOURCE = SourceConfig(path="events.csv")


def read(*values: object, source: SourceConfig = SOURCE, dtype: pl.DataType | None = None) -> list[datetime | None]:
    return to_times(pl.Series("occurred_at", values, dtype), source).to_list()


NOON = datetime(2024, 1, 2, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02T12:00:05Z",
        "2024-01-02T12:00:05z",
        "2024-01-02 12:00:05",
        "2024-01-02T12:00:05",
        " 2024-01-02 12:00:05 ",
        "2024/01/02 12:00:05",
        "2024-01-02T20:00:05+08:00",
        "2024-01-02 20:00:05+0800",
        "2024-01-02T06:30:05-05:30",
        "2024-01-02T12:00:05.000Z",
        "1704196805",
        "1704196805.0",
        "1704196805000",
        "1704196805000000",
        "1704196805000000000",
    ],
)
def test_every_usual_form_is_the_same_moment(text: str) -> None:
    assert read(text) == [NOON]


def test_forms_may_be_mixed_in_one_column() -> None:
    mixed = read("2024-01-02T12:00:05Z", "2024-01-02", None, "1704196805", "20:00", "2024-01-02 12:00")
    midnight = datetime(2024, 1, 2, tzinfo=UTC)
    assert mixed == [NOON, midnight, None, NOON, None, NOON.replace(second=0)]


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-02-30T00:00:00Z", "12", "NaN", "T", "+08:00"])
def test_what_is_no_time_is_null(text: str) -> None:
    assert read(text) == [None]


def test_what_names_no_zone_is_in_the_zone_of_the_source() -> None:
    shanghai = SourceConfig(path="events.csv", timezone="Asia/Shanghai")
    assert read("2024-01-02 20:00:05", source=shanghai) == [NOON]
    assert read("2024-01-02T12:00:05Z", "2024-01-02 20:00:05", source=shanghai) == [NOON, NOON]
    assert read(datetime(2024, 1, 2, 20, 0, 5), source=shanghai) == [NOON]
    assert read(date(2024, 1, 2), source=shanghai) == [datetime(2024, 1, 1, 16, tzinfo=UTC)]
    assert read("1704196805", source=shanghai) == [NOON]


def test_a_format_of_the_source_is_used() -> None:
    source = SourceConfig(path="events.csv", time_format="%d.%m.%Y %H:%M:%S")
    assert read("02.01.2024 12:00:05", "2024-01-02", source=source) == [NOON, None]


def test_numbers_follow_the_unit_of_the_source() -> None:
    assert read(1704196805, source=SourceConfig(path="x.csv", time_unit="s")) == [NOON]
    assert read(1704196805, source=SourceConfig(path="x.csv", time_unit="ms")) == [
        datetime(1970, 1, 20, 17, 23, 16, 805_000, tzinfo=UTC)
    ]
    assert read(1704196805.5) == [NOON + timedelta(seconds=0.5)]


def test_zoned_columns_are_converted() -> None:
    east = datetime(2024, 1, 2, 20, 0, 5, tzinfo=timezone(timedelta(hours=8)))
    assert read(east, dtype=pl.Datetime("ms", "Asia/Shanghai")) == [NOON]


@pytest.mark.parametrize("number", [10**18 * 9, -(10**18) * 9, 1e300, -1e300])
def test_huge_numbers_are_times_out_of_all_bounds_and_no_crash(number: float) -> None:
    time = to_times(pl.Series("t", [number]), SourceConfig(path="x.csv", time_unit="s")).dt.timestamp("us")[0]
    assert abs(time) > datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1e6


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_iso_text_is_read_as_python_reads_it(moment: datetime, minutes: int) -> None:
    text = moment.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat()
    assert read(text) == [datetime.fromisoformat(text).astimezone(UTC)]


@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=5))
@example(["300000000000000000000"])
def test_any_text_is_a_time_or_null(texts: list[str | None]) -> None:
    """A time so far away that Python has no datetime for it is one too; cleaning refuses it."""
    times = to_times(pl.Series("occurred_at", texts, pl.String), SOURCE)
    assert times.dtype == pl.Datetime("us", "UTC")
    assert len(times) == len(texts)
