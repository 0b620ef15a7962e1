"""Bounds of groups against a slow second implementation; stand-ins of several new items at once."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from kuajie.core.histories import Histories, Interactions
from kuajie.core.language import translator
from kuajie.core.recommender import Explanation, Recommender
from kuajie.core.records import Account, Event, RankedItem, RankedList
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.content import Neighbours
from kuajie.data.starts import Start, Starts
from kuajie.models.content import Content
from kuajie.models.itemknn import ItemKNN
from kuajie.workflows.answer import Question
from kuajie.workflows.links import Links, Things
from kuajie.workflows.new_groups import Group, Kinds, in_turn
from kuajie.workflows.new_items import NewItems, NewItemsConfig
from kuajie.workflows.recommend import Engine
from kuajie.workflows.stand_ins import StandIns

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCORE = st.floats(-100, 100, width=32)


@given(st.lists(SCORE, min_size=3, max_size=12), st.lists(st.sets(st.integers(0, 2), min_size=1), max_size=5))
def test_a_group_scores_its_mean_and_its_spread(scores: list[float], groups: list[set[int]]) -> None:
    matrix = np.zeros((len(groups), len(scores)))
    for place, group in enumerate(groups):
        matrix[place, sorted(group)] = 1 / len(group)
    kinds = Kinds((), sparse.csr_array((0, len(scores))), sparse.csr_array(matrix))
    for optimism in (0.0, 2.0):
        got = kinds.bounds(np.array(scores, np.float32), optimism)
        slow = [np.mean([scores[i] for i in g]) + optimism * np.std([scores[i] for i in g]) for g in groups]
        np.testing.assert_allclose(got, slow, rtol=1e-4, atol=1e-3)


def test_averages_of_kinds_and_texts_are_what_shares_say() -> None:
    kind = Neighbours(np.array([12, 10, 13], np.int32), "甲")
    starts = [
        Start(kind, 0.5, np.array([14, 12], np.int32), np.array([0.3, 0.2])),
        Start(None, 0.0, np.array([11], np.int32), np.ones(1)),
        Start(kind, 1.0, np.array([], np.int32), np.array([])),
    ]
    kinds = Kinds.of([Group(start) for start in starts], slice(10, 15))
    scores = np.array([3.0, np.nan, 1.0, -2.0, 5.0])
    third = np.array([1, 0, 1, 1, 0]) / 3
    shares = np.array([third / 2 + [0, 0, 0.2, 0, 0.3], [0, 1, 0, 0, 0], third])
    known = np.nan_to_num(scores)
    mean = shares @ known
    for optimism in (0.0, 2.0):
        expected = mean + optimism * np.sqrt(np.maximum(shares @ known**2 - mean**2, 0))
        np.testing.assert_allclose(kinds.bounds(scores, optimism), expected, atol=1e-9)
    assert Kinds.of([], slice(10, 15)).bounds(scores, 1.0).shape == (0,)


def test_people_begin_at_different_items_and_see_all_of_them() -> None:
    parts = (("a", "b", "c"), (), ("d",))
    assert list(in_turn(parts, 0)) == ["a", "b", "c", "d"]
    assert list(in_turn(parts, 4)) == ["b", "c", "a", "d"]


def event(item: str, day: int | None, kind: str = "purchase") -> Event:
    when = None if day is None else NOW.replace(day=1, month=day)
    return Event(event_id=f"{item}{day}", domain="d", user="u", item=item, kind=kind, occurred_at=when)


def test_stand_ins_share_the_strength_and_stand_at_their_time() -> None:
    config = StrengthConfig(half_life_days=None)
    stand_ins = StandIns(10, config, 0.0)
    history = Histories(
        np.array([0, 2]), np.array([5, 6], np.int32), np.ones(2, np.float32), 10,
        np.array([NOW.replace(month=2).timestamp(), NOW.replace(month=6).timestamp()]), np.array([NOW.timestamp()]),
        "joint",
    )  # fmt: skip
    lent = {("d", "x"): np.array([1, 2], np.int32), ("d", "y"): np.array([3], np.int32)}
    used = {("d", "x"): [event("x", 4)], ("d", "y"): [event("y", None)]}
    got = stand_ins.added(history, lent, used, NOW)
    weight = config.weights["purchase"]
    assert got.items.tolist() == [3, 5, 1, 2, 6]
    assert got.weights.tolist() == pytest.approx([weight, 1, weight / 2, weight / 2, 1])
    assert got.order == "joint"
    only = {("d", "x"): [event("x", 4), event("x", 5, "dismiss")], ("d", "y"): [event("y", 1, "dismiss")]}
    assert stand_ins.added(history, lent, only, NOW) is history


def test_an_item_that_the_model_knows_by_its_content_is_in_a_list_once() -> None:
    titles = ["涡轮增压入门", "口红的秘密", "涡轮套件", "哑光口红", "涡轮增压器"]
    space = ItemSpace(("courses", "parts"), (2, 3))
    data = Interactions(
        space, Histories.from_lists([[0, 2], [1, 3], [0, 2]], 5), SideInformation(5, {"title": titles})
    )  # nobody used the last item
    table = {
        "domain": ["courses"] * 2 + ["parts"] * 3, "item": list("01234"), "title": titles, "title_en": [""] * 5,
        "brand": [""] * 5, "category": ["甲"] * 5,
    }  # fmt: skip
    catalog = Catalog.of(pl.DataFrame(table), space.domains)
    account, history = Account(domain="courses", user="新"), Histories.from_lists([[0]], 5)
    question = Question(account, "parts", 5)

    def listed(model: Recommender) -> list[RankedItem]:
        engine = Engine(model, catalog, data.support(), "v", things=Things.of(SideInformation(5)))
        dataset: Any = SimpleNamespace(
            catalog=catalog, strength=StrengthConfig(), snapshot=SimpleNamespace(store_sequence=0)
        )
        content = Starts(catalog, data.support())
        new = NewItems(dataset, {"en": engine}, content, NewItemsConfig(share=1.0, optimism=10.0))
        ranked = engine.recommend(account, history, "parts", 5)
        return list(new.complete(engine, question, ranked, history, [], NOW).items)

    def kinds(items: list[RankedItem]) -> list[str]:
        return [each.reasons[0].kind for each in items if each.item == "4"]

    assert kinds(listed(Content().fit(data))) == ["words"], "what both titles say; once, and as no new item"
    assert kinds(listed(ItemKNN().fit(data))) == ["new"], "this model does not know it"


def test_what_is_ranked_already_is_not_put_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    new: Any = NewItems.__new__(NewItems)
    new._config = NewItemsConfig(share=1.0)
    group = Group(Start(None, 0.0, np.array([0], np.int32), np.ones(1)))
    monkeypatch.setattr(new, "_best", lambda *_: [((group, "b"), 2.0), ((group, "c"), 1.5)])
    shown = [RankedItem(domain="d", item=item, title="", score=score) for item, score in (("b", 3.0), ("a", 1.0))]
    monkeypatch.setattr(new, "_shown", lambda *given: msgspec.structs.replace(shown[0], item=given[3], score=given[4]))
    ranked: Any = msgspec.structs.replace(LIST, items=tuple(shown))
    question = Question(LIST.account, "d", 5)
    merged = new._merged(None, question, ranked, (None, np.array([2.0])), {})
    assert [each.item for each in merged.items] == ["b", "c", "a"]


LIST = RankedList(
    list_id="l", account=Account(domain="d", user="u"), target="d", model_version="v", created_at=NOW, items=()
)


def test_reasons_beside_those_of_stand_ins_say_how_things_belong_together_and_hide_what_others_did() -> None:
    titles = ["涡轮增压入门", "别的", "涡轮增压套件", "口红", "刹车"]
    engine: Any = SimpleNamespace(
        catalog=SimpleNamespace(name=lambda number: ("d", str(number))),
        titles=titles,
        translate=translator("en"),
        links=Links.of(Things.of(SideInformation(5)), titles),
    )
    real = Histories(
        np.array([0, 2]), np.array([0, 4], np.int32), np.ones(2, np.float32), 5, borrowed=np.array([False, True])
    )
    explanation = Explanation(np.array([0, 1, 4], np.int32), np.array([[0.5, 0.3, 0.2]]), np.zeros(1), exact=True)
    lent = {("d", "x"): np.array([1], np.int32)}
    stand_ins = StandIns(5, StrengthConfig(), 0.0)
    (why,) = stand_ins.reasons(
        explanation, [1.0], engine, real, lent, [("d", "x", "新品")], np.array([2], np.int32)
    )  # fmt: skip
    assert [(each.kind, each.item, each.via) for each in why] == [
        ("words", "0", ("涡轮增压",)),
        ("history", "x", ()),
        ("history", "", ()),
    ]
    assert why[2].text == "Because of what people you know like"
