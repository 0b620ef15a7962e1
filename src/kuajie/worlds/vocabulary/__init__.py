"""The words that titles and tastes are made of: readable TOML files beside this module, loaded on demand."""

from functools import cache
from importlib import resources
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Text:
    """One phrase in Chinese and English; written "Chinese|English" in the files.

    A third part names what the phrase goes with: "均码|one size|防晒衣 丝巾" is for nouns with one of these words.
    A noun's third part is its own range of prices: "刹车油|brake fluid|39-129".
    """

    __slots__ = ("en", "fits", "zh")

    def __init__(self, zh: str, en: str, fits: tuple[str, ...] = ()) -> None:
        self.zh, self.en, self.fits = zh, en, fits

    def goes_with(self, noun: "Text") -> bool:
        """Whether the phrase can describe something called so."""
        return not self.fits or any(word in noun.zh for word in self.fits)


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An interest that people carry through all domains, and what courses about it are called."""

    key: str
    name: Text
    style: str
    ages: tuple[float, ...]
    peak: int
    subjects: tuple[Text, ...]
    tails: tuple[Text, ...]


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to call a course, an audio or a book."""

    format: str
    styles: tuple[str, ...]
    text: Text


class CourseWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of the platform's own catalogue."""

    audiences: tuple[Text, ...]
    teachers: tuple[Text, ...]
    patterns: tuple[Pattern, ...]


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shelf of a partner's catalogue; `topics` says which interests it answers, and how strongly."""

    key: str
    name: Text
    price: tuple[float, float]
    topics: dict[str, float]
    nouns: tuple[Text, ...] = ()
    attributes: tuple[Text, ...] = ()
    specs: tuple[Text, ...] = ()
    templates: tuple[Text, ...] = ()
    places: str = ""


class ProductWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of a partner's catalogue."""

    shapes: tuple[Text, ...]
    brands: tuple[Text, ...]
    series: tuple[Text, ...]
    categories: tuple[Category, ...]
    places: dict[str, tuple[Text, ...]] = {}


class _TopicsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topics: tuple[Topic, ...]


@cache
def topics() -> tuple[Topic, ...]:
    """All interests; related ones stand next to each other."""
    return _load("topics", _TopicsFile).topics


@cache
def course_words() -> CourseWords:
    """Words of the platform."""
    return _load("courses", CourseWords)


@cache
def product_words(domain: str) -> ProductWords:
    """Words of one partner."""
    return _load(domain, ProductWords)


def _load(name: str, kind: type[T]) -> T:
    data = resources.files(__package__).joinpath(f"{name}.toml").read_bytes()
    return msgspec.toml.decode(data, type=kind, dec_hook=_text)


def _text(kind: type, value: Any) -> Text:  # noqa: ANN401 - msgspec's signature
    zh, en, fits, *_ = [*str(value).split("|"), "", ""]
    return Text(zh, en, tuple(fits.split()))
