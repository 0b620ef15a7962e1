"""Where new items start from, against an obvious second implementation; bad texts; items that cannot be told apart."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.records import Item
from kuajie.data.catalog import Catalog
from kuajie.data.content import BrandAndCategory
from kuajie.data.starts import ENCODER, LEAST_LIKENESS, MOST_CHARACTERS, Start, Starts, text_of
from kuajie.text.tfidf import Tfidf

TITLES = [
    "涡轮增压入门 turbo basics", "涡轮增压套件", "哑光口红 lipstick", "口红的秘密", "刹车片 brake pads", "刹车油",
    "机油滤清器", "机油 5W-30", "", "涡轮增压器 turbo", "brake pads", "lipstick 口红",
]  # fmt: skip
BRANDS = ["甲", "", "乙", "乙", "", "甲", "甲", "丙", "", "甲", "丙", ""]
CATALOG = Catalog.of(
    pl.DataFrame(
        {"domain": ["a"] * 9 + ["b"] * 3, "item": [str(i) for i in range(12)], "title": TITLES, "brand": BRANDS}
    ),
    ("a", "b"),
)
TEXTS = [text_of(CATALOG.item(number)) for number in range(12)]
VOCABULARY = Tfidf.fit(ENCODER, TEXTS)
ROWS = VOCABULARY.encode(TEXTS).toarray()
SUPPORT = np.array([3, 1, 4, 0, 5, 9, 2, 6, 5, 3, 5, 8], float)


def new(title: str = "", domain: str = "a", **more: str) -> Item:
    return Item(domain=domain, item="新", title=title, **more)


def slow(item: Item, nearest: int, kind_weight: float) -> dict[int, float]:
    """Shares of all items: dense cosines, a loop over items."""
    mine = VOCABULARY.encode_whole([text_of(item)]).toarray()[0]
    part = CATALOG.space.slice(item.domain)
    likeness = {number: float(mine @ ROWS[number]) for number in range(part.start, part.stop) if SUPPORT[number] > 0}
    near = sorted(likeness, key=lambda number: -likeness[number])[:nearest]
    weights = {number: likeness[number] ** 2 for number in near if likeness[number] >= LEAST_LIKENESS}
    kind = BrandAndCategory(CATALOG, SUPPORT).neighbours(item)
    same = [] if kind is None else kind.items.tolist()
    for number in same:
        weights[number] = weights.get(number, 0.0) + kind_weight / len(same)
    total = sum(weights.values())
    return {number: weight / total for number, weight in weights.items()}


def shares(start: Start | None) -> dict[int, float]:
    """The same of a start."""
    if start is None:
        return {}
    found = dict(zip(start.items.tolist(), start.shares.tolist(), strict=True))
    for number in [] if start.kind is None else start.kind.items.tolist():
        assert start.kind is not None
        found[number] = found.get(number, 0.0) + start.kind_share / len(start.kind.items)
    return found


WORDS = st.lists(
    st.sampled_from(["涡轮增压", "口红", "刹车", "brake pads", "机油", "turbo", "没见过", "new"]), max_size=5
)


@settings(deadline=None, max_examples=50)
@given(WORDS, st.sampled_from(["a", "b"]), st.sampled_from(["", "甲", "乙", "丁"]), st.sampled_from([0.5, 2.0]))
def test_starts_are_what_the_slow_rule_says(words: list[str], domain: str, brand: str, kind_weight: float) -> None:
    item = new(" ".join(words), domain, brand=brand)
    (found,) = Starts(CATALOG, SUPPORT, 50, kind_weight).of([item])
    expected = slow(item, 50, kind_weight)
    got = shares(found)
    assert got.keys() == expected.keys()
    assert got == pytest.approx(expected, rel=1e-4)
    if found is not None:
        assert sum(got.values()) == pytest.approx(1)
        weights = [got[number] for number in found.heaviest(3).tolist()]
        assert weights == pytest.approx(sorted(got.values(), reverse=True)[:3])


def test_texts_find_what_no_brand_and_category_name() -> None:
    starts = Starts(CATALOG, SUPPORT)
    turbo, lipstick, nothing, empty = starts.of(
        [new("涡轮增压改装"), new("New lipstick 口红"), new("什么都没有"), new()]
    )
    assert turbo is not None
    assert set(turbo.items.tolist()) == {0, 1}
    assert (turbo.kind, turbo.kind_share) == (None, 0.0)
    assert lipstick is not None
    assert lipstick.items.tolist() == [2], "item 3 is not used, and 11 of another domain"
    assert nothing is None
    assert empty is None


def test_what_a_text_does_not_know_makes_it_less_like() -> None:
    starts = Starts(CATALOG, SUPPORT)
    plain, strange = starts.of([new("刹车片", brand="甲"), new("刹车片 从来没有人见过的词", brand="甲")])
    assert plain is not None
    assert strange is not None
    assert plain.kind_share < strange.kind_share < 1


def test_without_texts_brand_and_category_alone_count() -> None:
    starts = Starts(CATALOG, SUPPORT, nearest=0)
    same, none = starts.of([new("涡轮增压", brand="甲"), new("涡轮增压")])
    assert same is not None
    assert (same.kind_share, len(same.items)) == (1.0, 0)
    assert same.heaviest(2).tolist() == [5, 0], "the most used of the brand"
    assert none is None


def test_texts_of_the_most_used_alone_are_near_and_may_be_left_out() -> None:
    starts = Starts(CATALOG, SUPPORT, most_texts=5)
    (lipstick,) = starts.of([new("哑光口红 lipstick 涡轮增压")])
    assert lipstick is not None
    assert lipstick.items.tolist() == [2], "items 0 and 1 are used less than five others"
    (plain,) = starts.of([new("哑光口红 lipstick", brand="甲")], texts=False)
    assert plain is not None
    assert (plain.kind_share, len(plain.items)) == (1.0, 0)
    assert starts.of([new("哑光口红 lipstick")], texts=False) == [None]


def test_items_that_cannot_be_told_apart_share_a_start() -> None:
    starts = Starts(CATALOG, SUPPORT)
    first, second, other = starts.of([new("涡轮", brand="甲"), new("涡轮", brand="甲"), new("涡轮 口红", brand="甲")])
    assert first is second
    assert first is not other
    assert starts.of([new("涡轮", brand="甲")])[0] is first, "as long as it is in use"


def test_numbers_say_nothing_and_long_texts_are_cut() -> None:
    item = new("标题", attributes={"stock": "5", "price": "1e3", "description": "好" * 10_000, "spec": "M8"})
    assert text_of(item).startswith("标题\n好好")
    assert len(text_of(item)) == MOST_CHARACTERS
    assert text_of(new("甲", brand="甲", attributes={"stock": "5", "spec": "M8"})) == "甲\nM8"
    bad = [new("\ud800"), new("a"), new("涡轮" * 500_000), new("x", domain="没有")]
    assert Starts(CATALOG, SUPPORT).of(bad)[3] is None


def test_a_catalogue_without_texts_or_use_says_nothing() -> None:
    table = pl.DataFrame({"domain": ["a", "a"], "item": ["1", "2"]})
    catalog = Catalog.of(table, ("a", "b"))
    for support in (np.zeros(2), np.ones(2)):
        assert Starts(catalog, support).of([new("涡轮"), new("", domain="b")]) == [None, None]
    assert Starts(CATALOG, np.zeros(12)).of([new("涡轮增压", brand="甲")]) == [None]
