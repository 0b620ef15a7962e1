"""Lifts against a slow count, names, and the words that documents are made of."""

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtri

from kuajie.core.language import translator
from kuajie.data.catalog import Catalog
from kuajie.profiles.apart import Habit, habit_differences, lifts
from kuajie.profiles.naming import TopicName, english_pairs, segment_name
from kuajie.profiles.vocabulary import MOST_CHARACTERS, bags, make_vocabulary
from kuajie.testing.profiles import catalog

TOPICS = (TopicName(zh=("养车",), en=("care",)), TopicName(zh=("摄影", "相机"), en=("photo", "lens")))


def test_a_lift_and_its_interval_are_those_of_katz() -> None:
    has = np.zeros((400, 2), bool)
    has[:60, 0] = True  # 60 of 100 members
    has[100:130, 0] = True  # 30 of 300 others
    has[:, 1] = True
    labels = np.repeat([0, 1, 1, 1], 100)
    found = lifts(has, labels, 2)
    assert [each.trait for each in found[0]] == [0], "what everybody has sets nobody apart"
    assert not found[1]
    a, b = 60.5 / 101, 30.5 / 301
    width = -ndtri(0.025 / 4) * np.sqrt((1 - a) / 60.5 + (1 - b) / 30.5)
    assert found[0][0].lift == pytest.approx(a / b, abs=1e-4)
    assert found[0][0].low == pytest.approx(a / b * np.exp(-width), abs=1e-4)
    assert found[0][0].high == pytest.approx(a / b * np.exp(width), abs=1e-4)


def test_chance_sets_hardly_anybody_apart() -> None:
    rng = np.random.default_rng(0)
    found = [lifts(rng.random((300, 20)) < 0.3, rng.integers(0, 5, 300), 5) for _ in range(40)]
    assert sum(any(segments) for segments in found) <= 6


def test_an_empty_segment_is_set_apart_by_nothing() -> None:
    has = np.ones((10, 1), bool)
    labels = np.zeros(10, np.int64)
    assert lifts(has, labels, 2)[1] == []
    assert habit_differences(np.ones((10, 1), np.float32), ("items",), labels, 2) == [[], []]


def test_habits_are_told_in_standard_deviations() -> None:
    values = np.concatenate([np.full(50, 1.0), np.full(50, 3.0)])[:, None].astype(np.float32)
    values[0] = np.nan
    found = habit_differences(values, ("items",), np.repeat([0, 1], 50), 2)
    assert found[0][0].mean == 1
    assert found[0][0].others == 3
    assert found[0][0].effect == pytest.approx(-2 / np.nanstd(values), abs=1e-3)
    assert found[1][0].effect > 0


@pytest.mark.parametrize(
    ("interests", "habits", "en", "zh"),
    [
        ([1, 0], [], "photo, care", "摄影、养车"),
        ([0], [("purchases", 1.2)], "care, buyers", "养车，爱下单"),
        ([], [("items", -1.0)], "rarely there", "不常来"),
        ([], [("items", -0.6)], "mixed interests", "兴趣广泛"),
    ],
)
def test_segments_are_called_in_both_languages(
    interests: list[int], habits: list[tuple[str, float]], en: str, zh: str
) -> None:
    told = [Habit(name=name, mean=0, others=0, effect=effect) for name, effect in habits]
    assert segment_name(interests, told, TOPICS, "en").say(translator("en")) == en
    assert segment_name(interests, told, TOPICS, "zh").say(translator("zh")) == zh


def test_words_are_those_that_items_share() -> None:
    items = catalog()
    vocabulary = make_vocabulary(items, np.ones(items.space.n_items), 10, 500, 1.0)
    assert len(vocabulary.items) == 10
    assert {"摄影", "机油", "engine", "tyre"} <= set(vocabulary.words)
    assert all(len(word) > 1 for word in vocabulary.words)
    terms = vocabulary.terms(items)
    words = terms[:, len(vocabulary.items) :].sum(axis=1)
    np.testing.assert_allclose(words, 1, rtol=1e-5)
    assert terms[:, : len(vocabulary.items)].sum() == 10


def test_long_one_character_and_empty_texts_are_no_trouble() -> None:
    titles = ["", "油", "汽车保养" * 250_000, "🚗", "Ｃａｍｅｒａ 镜头", "镜头 camera"]
    items = Catalog.of(pl.DataFrame({"domain": "a", "item": [str(n) for n in range(6)], "title": titles}), ["a"])
    found = bags(items)
    assert not found[0]
    assert not found[1]
    assert found[2].total() <= 2 * MOST_CHARACTERS
    assert {"camera", "镜头"} <= found[4].keys(), "width does not matter"
    vocabulary = make_vocabulary(items, np.ones(6), 10, 500, 1.0)
    assert set(vocabulary.words) == {"camera", "镜头"}


def test_english_names_are_words_that_stand_together() -> None:
    titles = [f"The care of an engine {n}: oil" for n in range(20)] + [
        "engine oil 5w 30 for cold days",
        "Engine oil & more",
    ]
    found = english_pairs(titles)
    assert found[0] == set(), "words that every title has tell nothing"
    assert "cold days" in found[-2]
    assert all("30" not in pair for pair in found[-2]), "what a number divides does not stand together"
    assert english_pairs(["养车", ""]) == [set(), set()]
