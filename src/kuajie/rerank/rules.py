"""Business rules: what must not be shown, by attributes of items and people."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.texts import Text
from kuajie.numerics.jit import I32
from kuajie.rerank.base import Candidates, Context, Groups, Items, Labels, Outcome, People, StepConfig, as_they_are

Bools = npt.NDArray[np.bool_]
Words = tuple[str, ...]


class Band(Config):
    """From one number to another, both included.

    Attributes:
        at_least, at_most: None: no end on this side.
    """

    at_least: float | None = None
    at_most: float | None = None

    @pydantic.model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(Text("at_least must not be more than at_most"))
        return self


class RulesConfig(StepConfig):
    """Every rule is off until it is named.

    Attributes:
        stock: the attribute with what is left; items with none left are dropped.
        numbers: by attribute, the band that it must lie in, such as `{ price = { at_most = 500 } }`.
        least_age: the attribute with the least age; people whose age is not known count as too young.
        regions: the attribute with where items may be shown, several separated by commas; an item that names none may
            be shown everywhere, others not to people whose region is not known.
        only: by label of items, the words of which one is needed.
        never: by label of items, words that are not wanted.
        unknown: what becomes of items whose stock, number or label is not known. An item of which there is no record at
            all breaks `stock`, `least_age`, `regions` and `only` whatever this says: nobody knows that it may be shown.
    """

    kind: Literal["rules"] = "rules"
    stock: str = ""
    numbers: dict[str, Band] = Field(default={})
    least_age: str = ""
    regions: str = ""
    only: dict[str, Words] = Field(default={})
    never: dict[str, Words] = Field(default={})
    unknown: Literal["keep", "drop"] = "keep"


@dataclass(frozen=True)
class Rules:
    """See the module; the first rule that an item breaks is why it was dropped.

    What is known anew of an item (`Context.recent`) counts instead of what was known.
    """

    config: RulesConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        why, words = np.zeros(candidates.items.shape, np.int8), []
        rules = self._broken(candidates.items, context.items, context.people)
        if candidates.recent is not None and context.recent is not None:
            newer = self._broken(candidates.recent, context.recent, context.people)
            known = candidates.recent >= 0
            rules = [(word, np.where(known, new, old)) for (word, old), (_, new) in zip(rules, newer, strict=True)]
        for word, broken in rules:
            words.append(word)
            why[(why == 0) & candidates.present & broken] = len(words)
        return Outcome(as_they_are(candidates, why == 0), why, tuple(words))

    def _broken(self, items: I32, facts: Items, people: People) -> list[tuple[Text, Bools]]:
        """Each rule with where items, by number in some facts, break it: bool (n, m)."""
        config, found, strange = self.config, list[tuple[Text, Bools]](), items < 0

        def number(name: str, wrong: Callable[[npt.NDArray[np.float64]], Bools]) -> Bools:
            values = facts.number(name, items)
            return np.asarray(np.where(np.isnan(values), config.unknown == "drop", wrong(values)))

        if config.stock:
            found.append((Text("is out of stock"), strange | number(config.stock, lambda left: left <= 0)))
        for name, band in config.numbers.items():
            low = -np.inf if band.at_least is None else band.at_least
            high = np.inf if band.at_most is None else band.at_most
            outside = number(name, lambda value, low=low, high=high: (value < low) | (value > high))  # type: ignore[misc]
            found.append((Text("{name} is outside of what is allowed", name=name), outside))
        if config.least_age:
            young = too_young(facts.number(config.least_age, items), people)
            found.append((Text("is for older people"), strange | young))
        if config.regions:
            away = elsewhere(facts.group(config.regions), items, people)
            found.append((Text("is not sold in this region"), strange | away))
        for name, words in config.only.items():
            named, known = labelled(facts.label(name), words, items)
            wrong = strange | np.where(known, ~named, config.unknown == "drop")
            found.append((Text("{name} is not among those wanted", name=name), wrong))
        for name, words in config.never.items():
            named, known = labelled(facts.label(name), words, items)
            wrong = np.where(known, named, config.unknown == "drop")
            found.append((Text("{name} is not wanted", name=name), wrong))
        return found


def too_young(least: npt.NDArray[np.float64], people: People) -> Bools:
    """Where an item has a least age that the person has not, or is not known to have."""
    age = people.numbers.get("age", np.full(len(least), np.nan))[:, None]
    return ~np.isnan(least) & ~(age >= least)


def elsewhere(groups: Groups, items: I32, people: People) -> Bools:
    """Where an item names regions, and the person's is none of them."""
    starts = groups.matrix.indptr
    limited = (starts[items + 1] > starts[items]) & (items >= 0)
    words = people.words.get("region", np.full(len(items), ""))
    distinct, of_person = np.unique(words, return_inverse=True)
    codes = np.array([groups.places.get(word, -1) for word in distinct.tolist()], np.int64)[of_person]
    here = np.zeros(items.shape, bool)
    rows = np.flatnonzero(codes >= 0)
    if len(rows) and items.shape[1]:
        asked = np.maximum(items[rows], 0).ravel()
        sold = groups.matrix[asked, np.repeat(codes[rows], items.shape[1])]
        here[rows] = np.asarray(sold).reshape(len(rows), -1) > 0
    return np.asarray(limited & ~here)


def labelled(labels: Labels, words: Words, items: I32) -> tuple[Bools, Bools]:
    """Whether items have one of some words as their label, and whether their label is known."""
    wanted = [labels.places[word] for word in words if word in labels.places]
    codes = labels.of(items)
    return np.isin(codes, wanted), codes >= 0
