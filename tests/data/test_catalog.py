import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import UsageError
from kuajie.data.catalog import Catalog, IdMap

ITEMS = pl.DataFrame(
    {
        "domain": ["courses", "courses", "parts"],
        "item": ["007", "😀", "007"],
        "title": ["驾驶入门", "", "刹车片"],
        "price": [None, 9.9, 120.0],
        "attributes": ["", "", '{"燃料": "电", "n": 3, "none": null}'],
    }
)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
def test_any_ids_come_back_exactly(ids: list[str]) -> None:
    known = IdMap(ids)
    assert known.all == tuple(ids)
    assert known.names(known.numbers(ids)) == ids
    assert [known.number(text) for text in ids] == list(range(len(ids)))
    assert len(known) == len(ids)


def test_unknown_ids() -> None:
    known = IdMap(["007", "7"], "course")
    assert known.numbers(["7", "0007", "007"]).tolist() == [1, -1, 0]
    assert known.numbers([]).dtype == np.int32
    assert "7" in known
    with pytest.raises(UsageError, match="there is no course '０07'"):
        known.number("０07")
    with pytest.raises(UsageError, match=r"0\.\.1, got 2"):
        known.id(2)
    with pytest.raises(UsageError, match="every course must occur once"):
        IdMap(["a", "a"], "course")


def test_a_catalogue_numbers_all_domains_jointly() -> None:
    catalog = Catalog.of(ITEMS, ["courses", "parts"])
    assert catalog.space.sizes == (2, 1)
    assert catalog.number("parts", "007") == 2
    assert catalog.name(2) == ("parts", "007")
    assert catalog.titles() == ["驾驶入门", "😀", "刹车片"]
    part = catalog.item(2)
    assert (part.domain, part.item, part.title, part.price) == ("parts", "007", "刹车片", 120.0)
    assert part.attributes == {"燃料": "电", "n": "3"}
    assert catalog.item(0).price is None


def test_titles_speak_the_language_where_there_are_two() -> None:
    names = {"title_en": ["Driving", "", ""]}
    more = {"domain": ["parts"], "item": ["x"], "title": [""], "title_en": ["Brake"]}
    items = pl.concat([ITEMS.with_columns(**{key: pl.Series(value) for key, value in names.items()}),
                       pl.DataFrame(more)], how="diagonal")  # fmt: skip
    catalog = Catalog.of(items, ["courses", "parts"])
    assert catalog.titles() == catalog.titles("zh") == ["驾驶入门", "😀", "刹车片", "Brake"]
    assert catalog.titles("en") == ["Driving", "😀", "刹车片", "Brake"]


def test_a_domain_may_be_without_items_but_not_unknown() -> None:
    assert Catalog.of(ITEMS, ["courses", "parts", "films"]).space.sizes == (2, 1, 0)
    with pytest.raises(UsageError, match="grouped by domain"):
        Catalog.of(ITEMS, ["courses"])
    with pytest.raises(UsageError, match="grouped by domain"):
        Catalog.of(ITEMS, ["parts", "courses"])
    with pytest.raises(UsageError, match="once"):
        Catalog.of(pl.concat([ITEMS[:1], ITEMS[:1]]), ["courses"])
