import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuajie.core.errors import DataError
from kuajie.data.split_folder import open_split_folder
from kuajie.testing.splits import rows, write_split_folder

PLAIN = {
    "书_train": rows((7, 10), (7, 12), (9, 12)),
    "书_test": rows((9, 30)),
    "车_train": rows((9, 5), (3, 5)),
    "车_test": rows((3, 6)),
}


def test_people_and_items_become_dense_numbers(tmp_path) -> None:
    folder = open_split_folder(write_split_folder(tmp_path / "两域", PLAIN))
    assert folder.name == "两域"
    assert folder.space.domains == ("书", "车")
    np.testing.assert_array_equal(folder.people, [3, 7, 9])
    np.testing.assert_array_equal(folder.domains[0].item_ids, [10, 12, 30])  # the test item is in the pool
    np.testing.assert_array_equal(folder.rows("train").people, [1, 1, 2, 2, 0])
    np.testing.assert_array_equal(folder.rows("train").items, [0, 1, 1, 3, 3])
    np.testing.assert_array_equal(folder.rows("test").items, [2, 4])
    assert folder.order == "none"
    assert folder.rows("train").positions is None
    assert folder.rows("train").times is None


def test_test_original_is_not_read(tmp_path) -> None:
    folder = open_split_folder(write_split_folder(tmp_path, PLAIN | {"书_test_original": rows((3, 99))}))
    assert folder.space.sizes == (3, 2)


def ordered(a_position: int, b_position: int) -> dict:
    return {
        "a_train": rows((1, 1, 0), (1, 2, a_position)),
        "a_test": rows((1, 3, 8)),
        "b_train": rows((1, 1, b_position)),
        "b_test": rows((1, 2, 9)),
    }


@pytest.mark.parametrize(("b_position", "order"), [(5, "joint"), (2, "domain")])
def test_order_is_joint_unless_positions_collide(tmp_path, b_position, order) -> None:
    assert open_split_folder(write_split_folder(tmp_path, ordered(2, b_position))).order == order


def test_meta_may_override_the_order(tmp_path) -> None:
    folder = open_split_folder(write_split_folder(tmp_path, ordered(2, 5), meta={"order": "domain"}))
    assert folder.order == "domain"
    assert "meta.json" in folder.order_reason


def test_meta_cannot_order_rows_without_positions(tmp_path) -> None:
    with pytest.raises(DataError, match=r"order 'joint' needs a 'position' or 'timestamp'"):
        open_split_folder(write_split_folder(tmp_path, PLAIN, meta={"order": "joint"}))


@pytest.mark.parametrize("meta", ['{"order": "random"}', "{", "\x00"])
def test_a_wrong_meta_is_refused(tmp_path, meta) -> None:
    write_split_folder(tmp_path, PLAIN)
    (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(DataError, match=r"meta\.json"):
        open_split_folder(tmp_path)


def test_timestamps_alone_give_joint_order(tmp_path) -> None:
    columns = "user item timestamp"
    tables = {
        "a_train": rows((1, 1, 50), (1, 2, 20), columns=columns),
        "a_test": rows((1, 3, 90), columns=columns),
        "b_train": rows((1, 1, 30), columns=columns),
        "b_test": rows((1, 2, 95), columns=columns),
    }
    folder = open_split_folder(write_split_folder(tmp_path, tables))
    assert folder.order == "joint"
    np.testing.assert_array_equal(folder.rows("train").times, [50, 20, 30])
    np.testing.assert_array_equal(folder.rows("train").positions, [50, 20, 30])


def test_a_column_of_nulls_carries_nothing_and_half_a_column_gives_no_order(tmp_path) -> None:
    tables = PLAIN | {"书_train": rows((7, 10, 1, None), (7, 12, None, None), (9, 12, 2, None))}
    folder = open_split_folder(write_split_folder(tmp_path, tables))
    assert folder.order == "none"
    assert folder.rows("train").times is None
    assert "'position' is null in 5 of 7 rows" in folder.notes[0]


def test_extra_columns_are_tolerated_and_negatives_are_not_interactions(tmp_path) -> None:
    tables = PLAIN | {
        "书_train": {
            "user": [7, 7],
            "item": [10, 12],
            "label": [1, 0],
            "rating": [None, 2.0],
            "is_target": [True, False],
        }
    }
    folder = open_split_folder(write_split_folder(tmp_path, tables))
    np.testing.assert_array_equal(folder.domains[0].item_ids, [10, 12, 30])  # who was asked about 12 names an item
    np.testing.assert_array_equal(folder.domains[0].train.items, [0])
    np.testing.assert_array_equal(folder.domains[0].shown.items, [1])
    assert folder.notes == ("书_train.parquet: 1 rows with label 0 are negatives, left out.",)


def test_given_candidates_are_sorted_by_row(tmp_path) -> None:
    tables = PLAIN | {"书_test": rows((9, 30), (3, 10)), "书_candidates": {"row": [1, 0, 1], "item": [12, 40, 30]}}
    domain = open_split_folder(write_split_folder(tmp_path, tables)).domains[0]
    np.testing.assert_array_equal(domain.item_ids, [10, 12, 30, 40])
    np.testing.assert_array_equal(domain.candidates.indptr, [0, 1, 3])
    np.testing.assert_array_equal(domain.candidates.items, [3, 1, 2])


def without(*names: str) -> dict:
    return {name: table for name, table in PLAIN.items() if name not in names}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"train": rows((1, 1))}, "is not a split folder.*no <domain>_train.parquet"),
        ({"train": rows(), "test": rows((1, 2))}, r"train.parquet has no rows"),
        (without("车_train", "车_test"), "only the domain '书'"),
        (without("车_test"), "no 车_test.parquet"),
        (PLAIN | {"车_train": rows()}, "车_train.parquet has no rows"),
        (PLAIN | {"车_test": {"user": [1]}}, "the column 'item' is missing, got user"),
        (PLAIN | {"车_test": {"user": ["x"], "item": [1]}}, "'user' must be whole numbers, got String"),
        (PLAIN | {"车_test": {"user": [1, None], "item": [1, 2]}}, "row 2: 'user' must not be null"),
        (PLAIN | {"车_test": rows((1, 1, float("nan")))}, "row 1: 'position' must be finite"),
        (PLAIN | {"车_test": {"user": [1], "item": [1], "timestamp": ["now"]}}, "'timestamp' must be numbers"),
        (PLAIN | {"车_candidates": {"row": [1], "item": [5]}}, r"'row' must lie in 0\.\.0.*got 1"),
        (PLAIN | {"书_test": rows(), "车_test": rows()}, "no test rows in any domain"),
    ],
)
def test_what_is_not_of_the_format_is_refused_in_one_sentence(tmp_path, tables, message) -> None:
    with pytest.raises(DataError, match=message) as error:
        open_split_folder(write_split_folder(tmp_path, tables))
    assert "\n" not in str(error.value)


def test_a_missing_folder_and_a_damaged_file_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        open_split_folder(tmp_path / "nowhere")
    write_split_folder(tmp_path, PLAIN)
    file = tmp_path / "书_test.parquet"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_split_folder(tmp_path)


def test_dates_are_read_as_unix_seconds(tmp_path) -> None:
    tables = {name: {**table, "timestamp": ["2024-01-01"] * len(table["user"])} for name, table in PLAIN.items()}
    write_split_folder(tmp_path, tables)
    for file in tmp_path.glob("*.parquet"):
        pl.read_parquet(file).with_columns(pl.col("timestamp").str.to_date()).write_parquet(file)
    times = open_split_folder(tmp_path).rows("train").times
    np.testing.assert_array_equal(times, [1_704_067_200] * 5)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4), st.integers(0, 10_000))
def test_any_damage_is_read_or_refused_in_one_sentence(tmp_path, flips, end) -> None:
    file = write_split_folder(tmp_path, ordered(2, 5)) / "a_train.parquet"
    damaged = bytearray(file.read_bytes())
    for place, value in flips:
        damaged[place % len(damaged)] = value
    file.write_bytes(damaged[: max(end, 1)])
    message = ""
    try:
        open_split_folder(tmp_path)
    except DataError as error:
        message = str(error)
    assert "\n" not in message
