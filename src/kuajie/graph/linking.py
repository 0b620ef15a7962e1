"""Entity linking: which item, or which other entity, a name means.

By id where a triple says an id (that is how graphs are read); here by name: exactly, up to width, case and spaces, or
nearly. A link is a triple `same as` with how sure it is; no given triple is changed. A name that means two things means
neither: it is reported and not linked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kuajie.core.errors import MissingExtraError
from kuajie.core.names import normalised, plain_name

SAME = "same as"
Method = Literal["id", "exact", "fuzzy"]
SHORTEST = 4
"""Characters of a name that may be linked though it is not equal: shorter ones are alike by chance."""
LONGEST = 200
"""Characters of a name that are compared; longer names are linked exactly or not at all."""
BLOCK = 256


@dataclass(frozen=True)
class Link:
    """A name, and what it means.

    Attributes:
        entity: name of the entity.
        key: place of what it means among the named things.
        sureness: 1 for equal names, else how alike they are.
        method: how it was found.
    """

    entity: str
    key: int
    sureness: float
    method: Method


@dataclass(frozen=True)
class Ambiguous:
    """A name that means several things.

    Attributes:
        entity: name of the entity.
        keys: places of the first ones.
        count: how many there are.
    """

    entity: str
    keys: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class Links:
    """What was linked and what was not: entities = linked + ambiguous + unknown.

    Attributes:
        links: of entities.
        ambiguous: names of several things.
        unknown: entities that mean nothing that is named.
    """

    links: tuple[Link, ...]
    ambiguous: tuple[Ambiguous, ...]
    unknown: int


def link(
    entities: Sequence[str],
    names: Sequence[Sequence[str]],
    method: Method,
    threshold: float = 0.9,
    margin: float = 0.05,
    *,
    english: Mapping[str, str] | None = None,
) -> Links:
    """Link entities to named things.

    Args:
        entities: their names; the kind before a colon does not count.
        names: the names of each thing, such as an item's title in two languages.
        method: "exact" or "fuzzy", which tries exactly first; "id" links nothing.
        threshold: of likeness (0..1), for "fuzzy".
        margin: by which the best must be more alike than the second best, else both are meant.
        english: entity -> its second name, where it has one.

    Raises:
        MissingExtraError: "fuzzy" without rapidfuzz.
    """
    if method == "id":
        return Links((), (), len(entities))
    known: dict[str, list[int]] = {}
    for key, each in enumerate(names):
        for name in dict.fromkeys(normalised(name) for name in each):
            if name:
                known.setdefault(name, []).append(key)
    links: list[Link] = []
    ambiguous: list[Ambiguous] = []
    left: list[str] = []
    for entity in entities:
        keys = list(dict.fromkeys(key for name in spellings(entity, english) for key in known.get(name, ())))
        keys = keys or known.get(normalised(entity), [])
        if len(keys) == 1:
            links.append(Link(entity, keys[0], 1.0, "exact"))
        elif keys:
            ambiguous.append(Ambiguous(entity, tuple(keys[:5]), len(keys)))
        else:
            left.append(entity)
    if method == "fuzzy" and left and known:
        found, unsure = _nearly([(entity, spellings(entity, english)) for entity in left], known, threshold, margin)
        links, ambiguous = links + found, ambiguous + unsure
    return Links(tuple(links), tuple(ambiguous), len(entities) - len(links) - len(ambiguous))


def spellings(entity: str, english: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What texts call an entity: its name without its kind, and its English name, normalised and distinct."""
    names = (plain_name(entity), *([english[entity]] if english and entity in english else []))
    return tuple(dict.fromkeys(map(normalised, names)))


def _nearly(
    entities: Sequence[tuple[str, tuple[str, ...]]], known: dict[str, list[int]], threshold: float, margin: float
) -> tuple[list[Link], list[Ambiguous]]:
    fuzz, process = _rapidfuzz()
    choices = [name for name in known if SHORTEST <= len(name) <= LONGEST]
    fitting = [(entity, [name for name in names if SHORTEST <= len(name) <= LONGEST]) for entity, names in entities]
    asked = [(entity, names) for entity, names in fitting if names]
    links: list[Link] = []
    ambiguous: list[Ambiguous] = []
    least = 100 * threshold
    for start in range(0, len(asked) if choices else 0, BLOCK):
        block = asked[start : start + BLOCK]
        likeness = np.maximum(
            *(
                process.cdist([names[place] for _, names in block], choices, scorer=fuzz.ratio, score_cutoff=least)
                for place in (0, -1)  # of one spelling, or of both
            )
        )
        for (entity, _), row in zip(block, likeness, strict=True):
            near = sorted(((float(row[place]), place) for place in row.nonzero()[0].tolist()), reverse=True)
            if not near:
                continue
            best = near[0][0]
            keys = list(
                dict.fromkeys(
                    key for value, place in near if value >= best - 100 * margin for key in known[choices[place]]
                )
            )
            if len(keys) == 1:
                links.append(Link(entity, keys[0], best / 100, "fuzzy"))
            else:
                ambiguous.append(Ambiguous(entity, tuple(keys[:5]), len(keys)))
    return links, ambiguous


def _rapidfuzz() -> tuple[Any, Any]:
    try:
        from rapidfuzz import fuzz, process
    except ImportError:
        raise MissingExtraError("linking by nearly equal names", "rapidfuzz", "graph") from None
    return fuzz, process


def same_entities(entities: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of entities whose names differ in width, case or spaces alone: (later one, first one)."""
    first: dict[str, str] = {}
    return [(entity, known) for entity in entities if (known := first.setdefault(normalised(entity), entity)) != entity]
