"""Put titles together from the vocabulary: distinct in both languages, with what they were made of."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from kuajie.core.errors import UsageError
from kuajie.worlds.vocabulary import Category, CourseWords, Pattern, ProductWords, Text, Topic

_SMALL = {"a", "an", "the", "of", "in", "on", "at", "by", "to", "for", "from", "and", "or", "with", "into", "as", "de"}
_KEEPS_ARTICLE = _SMALL | {
    "over",
    "across",
    "beneath",
    "behind",
    "before",
    "beyond",
    "about",
    "under",
    "where",
    "night",
}
_TRIES = 400

T = TypeVar("T")


class Made(NamedTuple):
    """A title, the words it was made of, and the range of prices of such things."""

    title: Text
    words: dict[str, Text]
    price: tuple[float, float] = (0.0, 0.0)


class Chooser:
    """Draws from sequences with a NumPy generator, many uniforms at a time."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._pool: list[float] = []

    def uniform(self) -> float:
        """A number of [0, 1)."""
        if not self._pool:
            self._pool = self._rng.random(4096).tolist()
        return self._pool.pop()

    def one(self, options: tuple[T, ...]) -> T:
        """One of the options, all equally likely."""
        return options[int(self.uniform() * len(options))]


class Distinct:
    """Draws until a title is new in both languages."""

    def __init__(self) -> None:
        self._zh: set[str] = set()
        self._en: set[str] = set()

    def draw(self, make: Callable[[], Made], where: str) -> Made:
        """The first new title of some tries.

        Raises:
            UsageError: the vocabulary is too small for so many items.
        """
        for _ in range(_TRIES):
            made = make()
            if made.title.zh not in self._zh and made.title.en not in self._en:
                self._zh.add(made.title.zh)
                self._en.add(made.title.en)
                return made
        raise UsageError(
            "the words of '{where}' are too few for another distinct title; ask for a smaller catalogue", where=where
        )


def make_course(topic: Topic, form: str, words: CourseWords, teacher: Text, choose: Chooser) -> Made:
    """A title of the platform in one format (course, audio, book)."""
    patterns = tuple(p for p in words.patterns if p.format == form and topic.style in p.styles)
    pattern: Pattern = choose.one(patterns)
    subject = choose.one(topic.subjects)
    slots = {
        "s": Text(subject.zh, title_case(subject.en)),
        "t": _sentence(_titled(choose.one(topic.tails))),
        "a": _titled(choose.one(words.audiences)),
        "p": teacher,
        "n": _number(choose, (5, 7, 10, 14, 15, 21)),
        "m": _number(choose, (12, 16, 18, 20, 24, 30, 36, 40, 48, 50)),
    }
    return Made(Text(nested_quotes(fill(pattern.text.zh, slots, "zh")), fill(pattern.text.en, slots, "en")),
                {"subject": subject})  # fmt: skip


def make_product(category: Category, words: ProductWords, choose: Chooser) -> Made:
    """A title of a partner's product."""
    if category.templates:
        return _make_film(category, words, choose)
    noun = choose.one(category.nouns)
    used = {
        "brand": choose.one(fitting(words.brands, noun)),
        "series": choose.one(fitting(words.series, noun)),
        "attribute": choose.one(fitting(category.attributes, noun)),
        "noun": noun,
        "spec": choose.one(fitting(category.specs, noun)),
        "year": _number(choose, (2025, 2026)),
    }
    slots = used | {key: _titled(used[key]) for key in ("attribute", "noun", "series")}
    shape = choose.one(words.shapes)
    title = Text(fill(shape.zh, slots, "zh"), fill(shape.en, slots, "en"))
    names = ("brand", "attribute", "noun", "spec") + (("series",) if "{series}" in shape.zh else ())
    low, _, high = noun.fits[0].partition("-") if noun.fits else ("", "", "")
    return Made(title, {name: used[name] for name in names}, (float(low), float(high)) if low else category.price)


def fitting(options: tuple[Text, ...], noun: Text) -> tuple[Text, ...]:
    """The phrases that can describe a noun."""
    return tuple(option for option in options if option.goes_with(noun))


def _make_film(category: Category, words: ProductWords, choose: Chooser) -> Made:
    place = choose.one(words.places[category.places])
    template = choose.one(category.templates)
    shape = words.shapes[0] if choose.uniform() < 0.75 else words.shapes[1]
    slots = {"p": Text(place.zh, title_case(place.en))}
    base = Text(fill(template.zh, slots, "zh"), fill(template.en, slots, "en"))
    series = choose.one(words.series)
    slots = {"title": base, "series": series}
    title = Text(fill(shape.zh, slots, "zh"), fill(shape.en, slots, "en"))
    used = {"brand": choose.one(fitting(words.brands, category.name)), "setting": place}
    return Made(title, used | ({"series": series} if "{series}" in shape.zh else {}), category.price)


def fill(template: str, slots: dict[str, Text], language: str) -> str:
    """Put phrases into a template; in English the article goes where a word before it takes its place."""
    out: list[str] = []
    for part in re.split(r"(\{\w+\})", template):
        if part[:1] != "{":
            out.append(part)
        else:
            slot = slots[part[1:-1]]
            out.append(slot.zh if language == "zh" else _fit(slot.en, "".join(out)))
    text = "".join(out)
    return text[:1].upper() + text[1:]


def _fit(phrase: str, before: str) -> str:
    ended = not before.strip() or before.rstrip()[-1] in ":·"
    last = re.sub(r"\W", "", before.rsplit(maxsplit=1)[-1]).lower() if before.split() else ""
    article, _, rest = phrase.partition(" ")
    if article not in {"the", "a", "an"} or not rest:
        return phrase
    if ended:
        return article.capitalize() + " " + rest
    return phrase if (last in _KEEPS_ARTICLE - {"a", "an", "the"} or last.endswith("ing")) else rest


def title_case(text: str) -> str:
    """English title case: small words stay small, what has capitals or figures stays as it is."""
    return " ".join(_cased(word) for word in text.split(" "))


def _cased(word: str) -> str:
    return "-".join(_cased_part(part) for part in word.split("-"))


def _cased_part(part: str) -> str:
    if part in _SMALL or any(letter.isupper() or letter.isdigit() for letter in part):
        return part
    return part[:1].upper() + part[1:]


def nested_quotes(title: str) -> str:
    """Chinese book marks inside book marks are single: 《图解〈史记〉》."""
    if title.startswith("《") and title.count("《") > 1:
        inner = title[1:].replace("《", "〈").replace("》", "〉", title.count("《") - 1)
        return "《" + inner
    return title


def _titled(text: Text) -> Text:
    cased = title_case(text.en)
    return Text(text.zh, cased)


def _sentence(text: Text) -> Text:
    return Text(text.zh, text.en[:1].upper() + text.en[1:])


def _number(choose: Chooser, options: tuple[int, ...]) -> Text:
    number = str(choose.one(options))
    return Text(number, number)
