"""What split folders say of their items, in either layout."""

from pathlib import Path

import polars as pl
import pytest

from kuajie.core.errors import DataError
from kuajie.data.split_folder import SplitFolder, open_split_folder
from kuajie.data.split_side import read_items
from kuajie.testing.splits import write_split_folder

RATINGS = {name: {"user": [0, 1], "item": items} for name, items in
           {"甲_train": [5, 7], "甲_test": [7, 5], "乙_train": [1, 2], "乙_test": [2, 1]}.items()}  # fmt: skip


def items_of(folder: Path, opened: SplitFolder | None = None) -> pl.DataFrame:
    data = opened or open_split_folder(folder)
    return read_items(folder, data.space, {domain.name: domain.item_ids for domain in data.domains})


def test_a_file_of_each_domain(tmp_path: Path) -> None:
    more = {
        "甲_items": {"item": [7, 5, 99], "attributes": [[1, 2], [3], [4]]},
        "乙_items": {"item": [2], "category": ["机油"], "price": [9.5]},
    }
    folder = write_split_folder(tmp_path, RATINGS | more)
    table = items_of(folder)
    assert table["item"].to_list() == [1, 2, 5, 7]
    assert table["category"].to_list() == [None, "机油", None, None]
    assert table["price"].to_list() == [None, 9.5, None, None]
    assert table["attributes"].to_list() == [None, None, [3], [1, 2]]


def test_one_file_with_domains(tmp_path: Path) -> None:
    items = {"item": [5, 5, 1], "domain": ["甲", "乙", "乙"], "category": ["刹车", "错", "brakes"]}
    folder = write_split_folder(tmp_path, RATINGS | {"items": items})
    table = items_of(folder)
    assert table["category"].to_list() == ["brakes", None, "刹车", None]


def test_no_file_and_a_bad_one(tmp_path: Path) -> None:
    folder = write_split_folder(tmp_path, RATINGS)
    opened = open_split_folder(folder)
    assert items_of(folder).columns == ["domain", "item"]
    pl.DataFrame({"id": [1]}).write_parquet(folder / "items.parquet")
    with pytest.raises(DataError, match="needs a column 'item'"):
        items_of(folder, opened)
    (folder / "items.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"items\.parquet cannot be read"):
        items_of(folder, opened)
