"""Titles: distinct, in both languages, and made of words that go together."""

import re

import numpy as np
import pytest

from kuajie.core.errors import UsageError
from kuajie.worlds.catalogue import category_topics, make_catalogue
from kuajie.worlds.scenarios import PLANS, PLATFORM
from kuajie.worlds.titles import Chooser, Distinct, Made, fill, fitting, make_product, nested_quotes, title_case
from kuajie.worlds.vocabulary import Text, course_words, product_words, topics

PARTNERS = [name for name in PLANS if name != PLATFORM]
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("domain", list(PLANS))
def test_the_largest_catalogue_has_distinct_titles_in_both_languages(domain):
    n = 10_000 if domain == PLATFORM else 5_000
    share = np.full(len(topics()), 1 / len(topics()))
    table = make_catalogue(PLANS[domain], n, share, np.random.default_rng(1)).table
    assert table["title"].n_unique() == table["title_en"].n_unique() == table["item"].n_unique() == n
    assert all(HAN.search(title) for title in table["title"])
    assert not any(HAN.search(title) for title in table["title_en"])
    for titles in (table["title"], table["title_en"]):
        assert not any(re.search(r"[{}|]|  |^\s|\s$", title) for title in titles)
    assert table["price"].min() >= 0
    assert (table["brand"] != "").all()
    assert (table["category"] != "").all()


@pytest.mark.parametrize("domain", PARTNERS)
def test_every_noun_has_words_that_go_with_it_and_no_word_goes_with_nothing(domain):
    words = product_words(domain)
    for category in words.categories:
        assert bool(category.templates) != bool(category.nouns), category.key
        assert category.places in {"", *words.places}
        for noun in category.nouns:
            for options in (category.attributes, category.specs, words.brands, words.series):
                assert fitting(options, noun), (category.key, noun.zh)
        for option in (*category.attributes, *category.specs):
            for word in option.fits:
                assert any(word in noun.zh for noun in category.nouns), (category.key, option.zh, word)


@pytest.mark.parametrize("domain", PARTNERS)
def test_categories_answer_known_topics_and_most_topics_are_answered(domain):
    strength = category_topics(product_words(domain).categories)
    assert (strength.max(axis=1) > 0).all()
    assert (strength.max(axis=0) > 0).mean() > 0.9


def test_every_phrase_is_in_both_languages():
    words = course_words()
    phrases = [*words.audiences, *words.teachers, *(pattern.text for pattern in words.patterns)]
    for topic in topics():
        phrases += [topic.name, *topic.subjects, *topic.tails]
        assert len(topic.ages) == 5
        assert 0 <= topic.peak <= 12
        assert topic.style in {"skill", "knowledge", "guide"}
    assert all(phrase.zh and phrase.en for phrase in phrases)
    assert len({topic.key for topic in topics()}) == len(topics()) == 44


def test_articles_go_where_another_word_takes_their_place():
    place = {"p": Text("戈壁", "the Gobi")}
    assert fill("The {p} Project", place, "en") == "The Gobi Project"
    assert fill("Driving to {p}", place, "en") == "Driving to the Gobi"
    assert fill("{p} 2149", place, "en") == "The Gobi 2149"
    assert fill("{p}计划", place, "zh") == "戈壁计划"


def test_title_case_and_nested_book_marks():
    assert title_case("low-dust brake pads for the city") == "Low-Dust Brake Pads for the City"
    assert title_case("USB hub with 64 GB card") == "USB Hub with 64 GB Card"
    assert nested_quotes("《图解《史记》》林知远 著") == "《图解〈史记〉》林知远 著"
    assert nested_quotes("《史记》：从一件文物说起") == "《史记》：从一件文物说起"


def test_a_vocabulary_that_is_too_small_says_so():
    distinct = Distinct()
    same = Made(Text("一", "one"), {})
    distinct.draw(lambda: same, "tyres")
    with pytest.raises(UsageError, match="'tyres' are too few"):
        distinct.draw(lambda: same, "tyres")


def test_a_noun_has_its_own_prices():
    words = product_words("car_parts")
    brakes = next(category for category in words.categories if category.key == "brakes")
    choose = Chooser(np.random.default_rng(0))
    prices = {made.words["noun"].zh: made.price for made in (make_product(brakes, words, choose) for _ in range(60))}
    assert prices["刹车油"] == (39, 129)
    assert prices["打孔刹车盘"] == (399, 1299)
