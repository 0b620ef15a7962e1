"""A domain's catalogue: what there is, whom it answers, how popular it is and since when."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kuajie.core import columns as c
from kuajie.worlds.scenarios import PLATFORM, DomainPlan
from kuajie.worlds.seasons import WEEKS
from kuajie.worlds.titles import Chooser, Distinct, Made, make_course, make_product
from kuajie.worlds.vocabulary import Category, Text, Topic, course_words, product_words, topics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FORMATS = {"course": Text("课程", "course"), "audio": Text("音频", "audio"), "book": Text("电子书", "book")}
FORMAT_SHARES = {"course": 0.55, "audio": 0.25, "book": 0.2}
_PRICES = {
    "course": [49.0, 69.0, 99.0, 129.0, 159.0, 199.0, 249.0, 299.0, 399.0, 599.0, 899.0],
    "audio": [9.9, 19.9, 29.9, 39.0, 49.0, 69.0, 99.0],
    "book": [9.9, 12.9, 19.9, 24.9, 29.9, 36.0, 45.0, 59.0],
}
_TAIL = 0.95  # popularity falls with rank to this power
_NEW_SHARE = 0.25  # items launched during the year
_LAST_DAYS_SHARE = 0.03  # items launched in the last two weeks: cold
_SECOND_TOPIC = 0.25  # courses that also answer a neighbouring topic
_LEAK = 0.1  # how well an item answers the other interests of its category


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Items 0..n-1 of one domain.

    Attributes:
        domain: its name.
        table: item, title, title_en, category, category_en, brand, brand_en, price, then attributes; one row per item.
        topic: int64 (n,), the interest that an item answers first.
        answers: int64 topic, int64 item, float64 strength: every interest that an item answers, sorted by topic.
        tier: int64 (n,), 0 cheap, 1 middle, 2 dear within its category.
        popularity: float64 (n,), long-tailed.
        launch: float64 (n,), week of launch, <= 0 for what was always there.
        growth: float64 (n,), log growth of popularity over the year.
        seconds: float64 (n,), full length of what can be played, listened to or read.
    """

    domain: str
    table: pl.DataFrame
    topic: Ints
    answers: tuple[Ints, Ints, Floats]
    tier: Ints
    popularity: Floats
    launch: Floats
    growth: Floats
    seconds: Floats

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.topic)

    def popularity_at(self, week: int) -> Floats:
        """Draw of every item in one week: 0 before its launch, a burst after it, then its own trend."""
        age = week - self.launch
        burst = 1 + 1.5 * np.exp(-np.maximum(age, 0) / 4) * (self.launch > 0)
        trend = np.exp(self.growth * (week / WEEKS - 0.5))
        return np.where(age >= 0, self.popularity * burst * trend, 0.0)


def make_catalogue(plan: DomainPlan, n_items: int, prevalence: Floats, rng: np.random.Generator) -> Catalogue:
    """Draw the catalogue of a domain; popular interests have more items."""
    if plan.name == PLATFORM:
        topic, answers, price, seconds, columns = _courses(n_items, prevalence, rng)
        shelf = topic
    else:
        topic, shelf, answers, price, seconds, columns = _products(plan.name, n_items, prevalence, rng)
    numbers = rng.permutation(n_items) + 1_001
    table = pl.DataFrame({c.ITEM: [plan.item_id.format(number) for number in numbers], **columns, c.PRICE: price})
    return Catalogue(
        domain=plan.name,
        table=table.select(*_FIRST, pl.exclude(*_FIRST)),
        topic=topic,
        answers=answers,
        tier=_tiers(price, shelf),
        popularity=_popularity(n_items, rng),
        launch=_launches(n_items, rng),
        growth=rng.normal(0, 0.8, n_items),
        seconds=seconds,
    )


_FIRST = (c.ITEM, c.TITLE, c.TITLE_EN, c.CATEGORY, "category_en", c.BRAND, "brand_en", c.PRICE)

_Answers = tuple[Ints, Ints, Floats]


def _courses(
    n_items: int, prevalence: Floats, rng: np.random.Generator
) -> tuple[Ints, _Answers, Floats, Floats, dict[str, list[str]]]:
    words, interests = course_words(), topics()
    topic = _spread(n_items, np.sqrt(prevalence), rng)
    second = np.clip(topic + rng.choice([-1, 1], n_items), 0, len(interests) - 1)
    has_second = (rng.random(n_items) < _SECOND_TOPIC) & (second != topic)
    answers = _answers(np.arange(n_items), topic, np.flatnonzero(has_second), second[has_second],
                       np.full(int(has_second.sum()), _LEAK))  # fmt: skip
    forms = rng.choice(list(FORMATS), n_items, p=list(FORMAT_SHARES.values()))
    price = np.array([rng.choice(_PRICES[form]) for form in forms.tolist()])
    seconds = np.select([forms == "course", forms == "audio"], [1500.0, 900.0], 1200.0) * rng.lognormal(0, 0.4, n_items)
    choose, distinct = Chooser(rng), Distinct()
    columns: dict[str, list[str]] = {}
    for number, form in zip(topic.tolist(), forms.tolist(), strict=True):
        interest, teacher = interests[number], choose.one(words.teachers)

        def draw(interest: Topic = interest, form: str = form, teacher: Text = teacher) -> Made:
            return make_course(interest, form, words, teacher, choose)

        made = distinct.draw(draw, interest.key)
        _add(columns, made.title, interest.name, teacher)
        _add_words(columns, {"format": FORMATS[form], "subject": made.words["subject"]})
    return topic, answers, price, seconds, columns


def _products(
    domain: str, n_items: int, prevalence: Floats, rng: np.random.Generator
) -> tuple[Ints, Ints, _Answers, Floats, Floats, dict[str, list[str]]]:
    words = product_words(domain)
    strength = category_topics(words.categories)
    shelf = _spread(n_items, np.sqrt(strength @ prevalence), rng)
    topic = np.zeros(n_items, np.int64)
    for number in range(len(words.categories)):
        mine = np.flatnonzero(shelf == number)
        chance = np.sqrt(strength[number] * prevalence)
        topic[mine] = _spread(len(mine), chance, rng)
    also_item, also_topic = np.nonzero(strength[shelf] * (np.arange(len(prevalence)) != topic[:, None]))
    answers = _answers(np.arange(n_items), topic, also_item, also_topic, _LEAK * strength[shelf[also_item], also_topic])
    choose, distinct = Chooser(rng), Distinct()
    columns: dict[str, list[str]] = {}
    ranges = []
    for number in shelf.tolist():
        category = words.categories[number]

        def draw(category: Category = category) -> Made:
            return make_product(category, words, choose)

        made = distinct.draw(draw, category.key)
        _add(columns, made.title, category.name, made.words["brand"])
        _add_words(columns, {key: made.words.get(key, Text("", "")) for key in _WORDS[domain == "film"]})
        ranges.append(made.price)
    low, high = np.array(ranges, dtype=np.float64).T
    price = _rounded(low + (high - low) * rng.beta(1.2, 2.0, n_items))
    seconds = rng.choice([1500.0, 2700.0, 6600.0], n_items) * rng.lognormal(0, 0.15, n_items)
    return topic, shelf, answers, price, seconds, columns


_WORDS = {False: ("noun", "attribute", "spec", "series"), True: ("setting", "series")}


def category_topics(categories: tuple[Category, ...]) -> Floats:
    """How strongly each category answers each interest: (categories, topics)."""
    index = {topic.key: number for number, topic in enumerate(topics())}
    strength = np.zeros((len(categories), len(index)))
    for row, category in zip(strength, categories, strict=True):
        for key, value in category.topics.items():
            row[index[key]] = value
    return strength


def _spread(n: int, chances: Floats, rng: np.random.Generator) -> Ints:
    """N numbers in shares as near to the chances as whole numbers can be, in random order."""
    cumulative = np.cumsum(chances) / chances.sum()
    points = (np.arange(n) + rng.random()) / max(n, 1)
    return rng.permutation(np.searchsorted(cumulative, points, side="right").clip(0, len(chances) - 1))


def _answers(items: Ints, topic: Ints, also_item: Ints, also_topic: Ints, also_strength: Floats) -> _Answers:
    all_topics = np.concatenate([topic, also_topic])
    all_items = np.concatenate([items, also_item])
    strength = np.concatenate([np.ones(len(items)), also_strength])
    order = np.lexsort((all_items, all_topics))
    return all_topics[order], all_items[order], strength[order]


def _tiers(price: Floats, shelf: Ints) -> Ints:
    """Thirds of price within each shelf."""
    order = np.lexsort((price, shelf))
    starts = np.searchsorted(shelf[order], shelf[order])
    sizes = np.bincount(shelf)[shelf[order]]
    tier = np.empty(len(price), np.int64)
    tier[order] = 3 * (np.arange(len(price)) - starts) // sizes
    return tier


def _popularity(n_items: int, rng: np.random.Generator) -> Floats:
    ranks = rng.permutation(n_items) + 1.0 + n_items / 200
    popularity: Floats = np.power(ranks, -_TAIL)
    return popularity


def _launches(n_items: int, rng: np.random.Generator) -> Floats:
    draw, week = rng.random(n_items), rng.uniform(1, WEEKS - 2, n_items)
    late = rng.uniform(WEEKS - 2, WEEKS, n_items)
    return np.select([draw < _LAST_DAYS_SHARE, draw < _LAST_DAYS_SHARE + _NEW_SHARE], [late, week], 0.0)


def _rounded(price: Floats) -> Floats:
    """Prices as shops write them: 6, 49, 329, 1299, 169800."""
    small = np.round(price / 3) * 3
    scale = 10.0 ** np.floor(np.log10(np.maximum(price, 10)) - 1)
    middle = np.floor(price / scale) * scale + np.where(scale > 1, scale - 1, 0)
    return np.select([price < 20, price < 20_000], [small, middle], np.floor(price / 1_000) * 1_000 + 800)


def _add(columns: dict[str, list[str]], title: Text, category: Text, brand: Text) -> None:
    columns.setdefault(c.TITLE, []).append(title.zh)
    columns.setdefault(c.TITLE_EN, []).append(title.en)
    _add_words(columns, {c.CATEGORY: category, c.BRAND: brand})


def _add_words(columns: dict[str, list[str]], words: dict[str, Text]) -> None:
    for name, text in words.items():
        columns.setdefault(name, []).append(text.zh)
        columns.setdefault(f"{name}_en", []).append(text.en)
