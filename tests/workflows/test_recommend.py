from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

from kuajie.core.histories import Histories, Interactions
from kuajie.core.records import Account, RankedItem
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.repeat import Repeat
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.links import Things
from kuajie.workflows.recommend import Engine, Remembered


def small_engine(language: str | None = None) -> tuple[Engine, Interactions]:
    interactions = two_domain_interactions()[0]
    space = interactions.space
    table = pl.DataFrame(
        {
            "domain": [domain for domain, size in zip(space.domains, space.sizes, strict=True) for _ in range(size)],
            "item": [str(number) for number in range(space.n_items)],
            "title": [f"物品{number}" for number in range(space.n_items)],
            "title_en": [f"Item {number}" for number in range(space.n_items)],
        }
    )
    engine = Engine(
        model=ItemKNN(ItemKNNConfig()).fit(interactions),
        catalog=Catalog.of(table, space.domains),
        popularity=interactions.support(),
        model_version="v",
        **({} if language is None else {"language": language}),
    )
    return engine, interactions


@pytest.mark.parametrize(
    ("language", "title", "reason"),
    [("zh", "物品", "因为您用过“物品"), ("en", "Item", "Because of “Item"), (None, "Item", "Because of “Item")],
)
def test_titles_and_reasons_speak_one_language(language: str | None, title: str, reason: str) -> None:
    engine, interactions = small_engine(language)
    space = interactions.space
    person = Account(domain=space.domains[0], user="u")
    lists = [engine.recommend(person, interactions.histories.take([row]), space.domains[1], 3) for row in range(60)]
    items = [item for ranked in lists for item in ranked.items]
    reasons = [why for item in items for why in item.reasons]
    assert reasons
    assert all(item.title.startswith(title) for item in items)
    assert all(why.text.startswith(reason) and why.title.startswith(title) for why in reasons)


def test_reasons_that_come_later_are_the_same() -> None:
    engine, interactions = small_engine()
    account, reasons = Account(domain="a", user="张三"), []
    for row in range(60):
        history = interactions.histories.take([row])
        whole = engine.recommend(account, history, "b", 4)
        more = engine.recommend(account, history, "b", 9, explain=False)
        assert not any(each.reasons for each in more.items)
        chosen = msgspec.structs.replace(more, items=more.items[3::-1])
        told = engine.explained(chosen, history)
        assert told.items == whole.items[::-1]
        reasons += [each.reasons for each in told.items if each.reasons]
    assert len(reasons) > 5
    strange = msgspec.structs.replace(more.items[0], item="新品")
    known = msgspec.structs.replace(more.items[0], reasons=reasons[0])
    kept = msgspec.structs.replace(more, items=(strange, known))
    assert engine.explained(kept, history) is kept, "what the model does not know, or has a reason"


def test_who_comes_back_unchanged_is_not_scored_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, interactions = small_engine()
    asked: list[int] = []
    answer = type(engine.answering).answer
    monkeypatch.setattr(
        type(engine.answering),
        "answer",
        lambda self, *given, **more: asked.append(1) or answer(self, *given, **more),
    )
    history, account = interactions.histories.take([0]), Account(domain="a", user="张三")
    first = engine.recommend(account, history, "b", 3)
    again = engine.recommend(account, history, "b", 3)
    assert again.items == first.items
    assert again.list_id != first.list_id, "it is another list"
    assert len(asked) == 1
    engine.recommend(account, history, "b", 4)
    engine.recommend(account, history, "a", 3)
    engine.recommend(account, history, "b", 3, explain=False)
    engine.recommend(account, interactions.histories.take([0]), "b", 3)
    assert len(asked) == 5, "another question, or another history"
    engine.retitle(interactions.space.slice("b").start + 1, "新名")
    assert [each.title for each in engine.recommend(account, history, "b", 40).items].count("新名") == 1
    engine.recommend(account, history, "b", 3)
    assert len(asked) == 7, "titles have changed"


def test_what_is_remembered_is_bounded() -> None:
    _, interactions = small_engine()
    histories = [interactions.histories.take([row]) for row in range(4)]
    remembered, item = Remembered(most=6), RankedItem(domain="b", item="1", title="", score=1.0)
    two = (item, item)
    for history in histories:
        remembered.put(history, "b", 3, True, two)
    assert remembered.get(histories[0], "b", 3, True) is None
    assert all(remembered.get(history, "b", 3, True) == two for history in histories[1:])


def test_what_was_used_may_come_again_where_that_is_wanted() -> None:
    rows = [[0, 0, 1], [0, 0, 2], [3, 3, 1], [3, 3, 0]]
    data = Interactions(ItemSpace(("咖啡",), (4,)), Histories.from_lists(rows, 4, order="joint"))
    table = pl.DataFrame({"domain": ["咖啡"] * 4, "item": list("abcd"), "title": list("甲乙丙丁")})
    engine = Engine(Repeat().fit(data), Catalog.of(table, ["咖啡"]), data.support(), "v")
    account, history = Account(domain="咖啡", user="u"), data.histories.take([0])
    assert {"a", "b"}.isdisjoint(each.item for each in engine.recommend(account, history, "咖啡", 4).items)
    assert engine.recommend(account, history, "咖啡", 4, repeats=True).items[0].item == "a"
    assert {"a", "b"}.isdisjoint(each.item for each in engine.recommend(account, history, "咖啡", 4).items)


def test_an_item_with_another_title_is_connected_by_no_word_of_the_old_one() -> None:
    engine, interactions = small_engine("zh")
    engine = replace(engine, things=Things.of(SideInformation(interactions.space.n_items)))
    engine.titles[0], engine.titles[1] = "口红的秘密", "哑光口红"
    pair = np.array([0], np.int32), np.array([1], np.int32)
    assert engine.links is not None
    assert engine.links.between(*pair)[0] is not None
    engine.retitle(1, "轮胎")
    assert engine.links.between(*pair) == [None]
