import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.records import Item
from kuajie.data.catalog import Catalog
from kuajie.data.content import BrandAndCategory, cut

ROWS = [
    ("a", "1", "甲", "机油", 3.0),
    ("a", "2", "甲", "机油", 5.0),
    ("a", "3", "甲", "轮胎", 1.0),
    ("a", "4", "乙", "机油", 2.0),
    ("a", "5", "乙", "音响", 0.0),
    ("a", "6", "", "", 9.0),
    ("b", "1", "甲", "机油", 4.0),
]


def model(rows: list[tuple] = ROWS) -> BrandAndCategory:
    names = ["domain", "item", "brand", "category", "support"]
    table = pl.DataFrame(rows, schema=names, orient="row")
    catalog = Catalog.of(table.drop("support"), ("a", "b"))
    return BrandAndCategory(catalog, table["support"].to_numpy())


def found(domain: str, brand: str, category: str) -> tuple[list[int], str] | None:
    neighbours = model().neighbours(Item(domain=domain, item="新", brand=brand, category=category))
    return neighbours and (neighbours.items.tolist(), neighbours.label)


@pytest.mark.parametrize(
    ("domain", "brand", "category", "expected"),
    [
        ("a", "甲", "机油", ([1, 0], "甲 机油")),
        ("a", "丙", "机油", ([1, 0, 3], "机油")),
        ("a", "", "机油", ([1, 0, 3], "机油")),
        ("a", "甲", "没有", ([1, 0, 2], "甲")),
        ("a", "甲", "", ([1, 0, 2], "甲")),
        ("b", "甲", "机油", ([6], "甲 机油")),
        ("a", "", "音响", None),
        ("a", "", "", None),
        ("b", "乙", "轮胎", None),
        ("c", "甲", "机油", None),
    ],
)
def test_brand_and_category_then_category_then_brand(domain: str, brand: str, category: str, expected: object) -> None:
    assert found(domain, brand, category) == expected


def test_items_of_one_kind_share_their_neighbours() -> None:
    content = model()
    first, second = (content.neighbours(Item(domain="a", item=name, brand="甲", category="机油")) for name in "xy")
    assert first is second


WORD = st.sampled_from(["", "甲", "乙", "{a}", "機油"])
ROW = st.tuples(st.sampled_from(["a", "b"]), WORD, WORD, st.integers(0, 3))


@given(st.lists(ROW, min_size=1, max_size=25), st.sampled_from(["a", "b"]), WORD, WORD)
def test_neighbours_are_what_the_slow_rule_says(drawn: list, domain: str, brand: str, category: str) -> None:
    rows = [(d, str(place), b, c, float(s)) for place, (d, b, c, s) in enumerate(sorted(drawn))]
    got = model(rows).neighbours(Item(domain=domain, item="新", brand=brand, category=category))
    used = [(row[2], row[3], number) for number, row in enumerate(rows) if row[0] == domain and row[4] > 0]
    rules = [
        [n for b, c, n in used if brand and category and (b, c) == (brand, category)],
        [n for _, c, n in used if category and c == category],
        [n for b, _, n in used if brand and b == brand],
    ]
    expected = next((rule for rule in rules if rule), None)
    assert (None if got is None else sorted(got.items.tolist())) == expected
    if got is not None:
        support = np.array([row[4] for row in rows])[got.items]
        assert (np.diff(support) <= 0).all()


def test_long_names_are_cut_at_whole_characters() -> None:
    assert cut("机" * 66) == "机" * 66
    assert cut("机" * 67) == "机" * 66 + "…"
    assert cut("a") == "a"
