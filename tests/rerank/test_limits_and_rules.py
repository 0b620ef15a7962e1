"""Limits and rules: what must not be shown is not shown, and it is said why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from kuajie.core.errors import ConfigError, UsageError
from kuajie.rerank.base import Candidates, Context, Groups, Items, Labels, People
from kuajie.rerank.limits import Limits, LimitsConfig
from kuajie.rerank.pipeline import rerank
from kuajie.rerank.rules import Band, Rules, RulesConfig
from kuajie.testing.rerankers import RerankerContract, planted_candidates, planted_context


class TestLimits(RerankerContract):
    configs = (
        LimitsConfig(most={"brand": 3}),
        LimitsConfig(most={"brand": 4, "category": 2}, fill=True),
        LimitsConfig(shown=2),
    )
    neutral = LimitsConfig()
    drops = True


class TestRules(RerankerContract):
    configs = (
        RulesConfig(stock="stock", numbers={"price": Band(at_most=60)}),
        RulesConfig(
            regions="regions", never={"brand": ("third",)}, only={"category": ("涡轮", "机油")}, unknown="drop"
        ),
    )
    neutral = RulesConfig()
    drops = True


def slow_limits(codes: np.ndarray, cap: int, k: int, fill: bool) -> list[int]:
    chosen, over, rest = [], [], []
    for place in range(len(codes)):
        if len(chosen) == k:
            rest.append(place)
        elif codes[place] >= 0 and sum(codes[other] == codes[place] for other in chosen) >= cap:
            over.append(place)
        else:
            chosen.append(place)
    if fill:
        chosen += over[: max(0, k - len(chosen))]
    return chosen + rest


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=15), st.integers(1, 4), st.integers(1, 12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_limits_are_kept_as_the_slow_reference_does(codes: list[int], cap: int, k: int, fill: bool) -> None:
    m = len(codes)
    labels = Labels(np.array(codes, np.int32), ("甲", "b", "c", "d"))
    candidates = Candidates(np.arange(m, dtype=np.int32)[None], np.linspace(1, 0, m)[None])
    config = LimitsConfig(most={"brand": cap}, fill=fill)
    order = Limits(config).rerank(candidates, k, Context(Items(labels={"brand": labels}))).order[0]
    assert order[order >= 0].tolist() == slow_limits(np.array(codes), cap, k, fill)


def test_what_was_shown_often_enough_is_not_shown_again() -> None:
    candidates = replace(planted_candidates(1, 4), shown=np.array([[3, 0, 2, 1]]))
    result = rerank([LimitsConfig(shown=2, days=3)], candidates, 4, planted_context(1))
    assert result.order[0].tolist() == [1, 3, -1, -1]
    dropped = [note for note in result.notes(0) if "shown" in note.text]
    assert [(note.place, str(note.text)) for note in dropped] == [
        (0, "was shown 2 times in 3 days"),
        (2, "was shown 2 times in 3 days"),
    ]


def test_strength_of_limits_goes_from_none_to_one() -> None:
    config = LimitsConfig(most={"category": 3})
    assert config.at(0, 10).most == {"category": 10}
    assert config.at(1, 10).most == {"category": 1}
    with pytest.raises(UsageError, match="'rules' has no strength"):
        RulesConfig().at(0.5, 10)


def shop() -> Context:
    """Six items: fine, sold out, dear, for adults, for Shanghai, and one of which nothing is known."""
    nan = np.nan
    return Context(
        Items(
            labels={"brand": Labels(np.array([0, 0, 1, 1, 0, -1], np.int32), ("车品", "Ölwerk"))},
            groups={
                "regions": Groups.of(
                    sparse.csr_array(([1.0, 1.0], ([4, 4], [0, 1])), shape=(6, 2)), ("上海", "Kunming")
                )
            },
            numbers={
                "stock": np.array([5, 0, 1, 2, 9, nan]),
                "price": np.array([10, 10, 900, 20, 30, nan]),
                "min_age": np.array([nan, nan, nan, 18, nan, nan]),
            },
        )
    )


def kept(config: RulesConfig, people: People | None = None, n: int = 1) -> list[list[int]]:
    candidates = Candidates(np.tile(np.arange(6, dtype=np.int32), (n, 1)), np.tile(np.linspace(1, 0, 6), (n, 1)))
    order = Rules(config).rerank(candidates, 6, replace(shop(), people=people or People())).order
    return [row[row >= 0].tolist() for row in order]


def test_stock_and_price() -> None:
    assert kept(RulesConfig(stock="stock")) == [[0, 2, 3, 4, 5]]
    assert kept(RulesConfig(stock="stock", unknown="drop")) == [[0, 2, 3, 4]]
    assert kept(RulesConfig(numbers={"price": Band(at_least=10, at_most=20)})) == [[0, 1, 3, 5]]


def test_age_needs_to_be_known() -> None:
    people = People(numbers={"age": np.array([17.0, 18.0, np.nan])})
    assert kept(RulesConfig(least_age="min_age"), people, 3) == [[0, 1, 2, 4, 5], [0, 1, 2, 3, 4, 5], [0, 1, 2, 4, 5]]
    assert kept(RulesConfig(least_age="min_age")) == [[0, 1, 2, 4, 5]]


def test_region_needs_to_be_known() -> None:
    people = People(words={"region": np.array(["上海", "Kunming", "北京", ""])})
    wanted = [[0, 1, 2, 3, 4, 5]] * 2 + [[0, 1, 2, 3, 5]] * 2
    assert kept(RulesConfig(regions="regions"), people, 4) == wanted
    assert kept(RulesConfig(regions="regions")) == [[0, 1, 2, 3, 5]]


def test_words_that_are_wanted_and_not() -> None:
    assert kept(RulesConfig(only={"brand": ("车品",)})) == [[0, 1, 4, 5]]
    assert kept(RulesConfig(only={"brand": ("车品",)}, unknown="drop")) == [[0, 1, 4]]
    assert kept(RulesConfig(never={"brand": ("车品", "没有")})) == [[2, 3, 5]]


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({"stock": "stock"}, False),
        ({"least_age": "min_age"}, False),
        ({"regions": "regions"}, False),
        ({"only": {"brand": ("车品",)}}, False),
        ({"numbers": {"price": Band(at_most=100)}}, True),
        ({"never": {"brand": ("车品",)}}, True),
    ],
)
def test_an_item_that_the_catalogue_lacks_is_not_known_to_be_allowed(rule: dict[str, Any], holds: bool) -> None:
    candidates = Candidates(np.array([[-1, 3]], np.int32), np.array([[2.0, 1.0]]))
    people = People(numbers={"age": np.array([40.0])}, words={"region": np.array(["上海"])})
    outcome = Rules(RulesConfig(**rule)).rerank(candidates, 2, replace(shop(), people=people))
    assert (0 in outcome.order[0]) == holds
    assert outcome.why is not None
    assert (outcome.why[0, 0] == 0) == holds, "and it is said why"


def test_the_first_broken_rule_is_the_reason() -> None:
    config = RulesConfig(stock="stock", numbers={"price": Band(at_most=100)}, never={"brand": ("车品",)})
    candidates = Candidates(np.arange(6, dtype=np.int32)[None], np.linspace(1, 0, 6)[None])
    notes = rerank([config], candidates, 6, shop()).notes(0)
    said = {note.place: str(note.text) for note in notes if "moved" not in note.text}
    assert said == {
        0: "brand is not wanted",
        1: "is out of stock",
        2: "price is outside of what is allowed",
        4: "brand is not wanted",
    }


def test_bad_rules_are_refused() -> None:
    with pytest.raises(ConfigError, match="at_least must not be more than at_most"):
        RulesConfig.parse({"numbers": {"price": {"at_least": 5, "at_most": 1}}})
    with pytest.raises(ConfigError, match="'stok' is not a known key"):
        RulesConfig.parse({"stok": "stock"})
    with pytest.raises(UsageError, match="'库存' of items, which is not known; known are min_age, price, stock"):
        kept(RulesConfig(stock="库存"))
