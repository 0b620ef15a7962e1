"""Facts of items: words become labels and groups, numbers numbers, and histories mixes."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.histories import Histories
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.workflows.item_facts import as_numbers, facts_of_catalog, facts_of_table, groups_of, labels_of, people_of


def catalog() -> Catalog:
    return Catalog.of(
        pl.DataFrame(
            {
                "domain": ["courses", "courses", "car", "car"],
                "item": ["1", "2", "a", "b"],
                "category": ["涡轮", "", "涡轮", "brakes"],
                "brand": ["讲师甲", "", "车品", "车品"],
                "price": [9.9, None, 100.0, 20.0],
                "attributes": ['{"stock": 3, "regions": "上海, 北京"}', "", '{"stock": "0"}', '{"level": "高"}'],
            }
        ),
        ("courses", "car"),
    )


def test_a_catalogue_is_known_by_its_words_and_numbers() -> None:
    items = facts_of_catalog(catalog()).items(np.array([5.0, 1.0, 90.0, 10.0]))
    assert set(items.labels) == {"domain", "category", "brand", "stock", "regions", "level"}
    assert items.label("brand").codes.tolist() == [0, -1, 1, 1]
    assert items.label("brand").names == ("讲师甲", "车品")
    np.testing.assert_array_equal(items.numbers["stock"], [3, np.nan, 0, np.nan])
    np.testing.assert_array_equal(items.numbers["price"], [9.9, np.nan, 100, 20])
    regions = items.group("regions")
    assert regions.names == ("上海", "北京")
    assert regions.matrix.toarray().tolist() == [[0.5, 0.5], [0, 0], [0, 0], [0, 0]]
    assert items.group("tail").matrix.toarray()[:, 1].tolist() == [0, 1, 0, 1]
    vectors = items.vector("content").toarray()
    np.testing.assert_allclose((vectors**2).sum(axis=1), [1, 0, 1, 1])
    assert vectors[2] @ vectors[3] > vectors[0] @ vectors[3] == 0


def test_mixes_are_shares_of_histories_among_what_the_target_has() -> None:
    items = facts_of_catalog(catalog()).items(np.ones(4))
    space = catalog().space
    histories = Histories.from_lists([[0, 3, 3], [1], [0]], 4)
    mix = people_of(histories, items, ["category", "domain"], space, "car").mixes
    assert mix["category"].toarray().tolist() == [[2 / 3, 1 / 3], [0, 0], [0, 1]]  # names in order: brakes, 涡轮
    assert mix["domain"].toarray().tolist() == [[0, 1], [0, 0], [0, 0]]
    whole = people_of(histories, items, ["domain"], space, None).mixes["domain"].toarray()
    np.testing.assert_allclose(whole, [[1 / 3, 2 / 3], [1, 0], [1, 0]])


def test_a_split_folder_is_known_by_its_words() -> None:
    table = pl.DataFrame(
        {
            "item": [1, 2, 3, 4],
            "category": ["arts sewing clover", "arts paint", None, "arts sewing"],
            "price": [1, 2, 3, 4],
        }
    )
    items = facts_of_table(table, ItemSpace(("art",), (4,))).items(np.ones(4))
    assert items.group("category").names == ("clover", "paint", "sewing")  # "arts" is of more than every second item
    assert items.label("category").names == ("paint", "sewing")
    assert items.label("brand").names == ("clover", "paint", "sewing")
    assert items.label("brand").codes.tolist() == [0, 1, -1, 2]
    assert items.numbers["price"].tolist() == [1, 2, 3, 4]
    bare = facts_of_table(pl.DataFrame({"item": [1, 2]}), ItemSpace(("a",), (2,))).items(np.ones(2))
    assert set(bare.labels) == {"domain"}
    assert bare.vector("content").shape == (2, 1)


@given(st.lists(st.text(max_size=4), max_size=8))
def test_labels_name_every_word(words: list[str]) -> None:
    labels = labels_of(words)
    assert [labels.names[code] if code >= 0 else "" for code in labels.codes] == words
    groups = groups_of([[word, word] for word in words])
    assert groups.matrix.sum() == pytest.approx(sum(word != "" for word in words))


def test_numbers_are_told_from_words() -> None:
    np.testing.assert_array_equal(as_numbers(["1", "", "2.5", None]), [1, np.nan, 2.5, np.nan])
    assert as_numbers(["1", "二"]) is None
    assert as_numbers(["", None]) is None
    assert as_numbers([]) is None
    assert as_numbers(["1", "inf"]) is None, "numbers are finite"


def test_a_bad_cell_does_not_take_a_column_away() -> None:
    words = ["1", "N/A", "", "inf", "1e999"]
    np.testing.assert_array_equal(as_numbers(words, np.nan), [1, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(as_numbers(words, np.inf), [1, np.inf, np.nan, np.inf, np.inf])
    assert as_numbers(["有货", "无货"], np.nan) is None, "then it is a column of words"
