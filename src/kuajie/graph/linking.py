"""Entity linking: which item, or which other entity, a name means.

By id where a triple says an id (that is how graphs are read); here by name: exactly, up to width, case and spaces, or
nearly. A link is a triple `same as` with how sure it is; no given triple is changed. A name that means two things means
neither: it is reported and not linked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kuajie.core.errors import MissingExtraError
from kuajie.graph.nodes import plain_name
from kuajie.numerics.network import normalised

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
) -> Links:
    """Link entities to named things.

    Args:
        entities: their names; the kind before a colon does not count.
        names: the names of each thing, such as an item's title in two languages.
        method: "exact" or "fuzzy", which tries exactly first; "id" links nothing.
        threshold: of likeness (0..1), for "fuzzy".
        margin: by which the best must be more alike than the second best, else both are meant.

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
        keys = known.get(normalised(plain_name(entity)), known.get(normalised(entity), []))
        if len(keys) == 1:
            links.append(Link(entity, keys[0], 1.0, "exact"))
        elif keys:
            ambiguous.append(Ambiguous(entity, tuple(keys[:5]), len(keys)))
        else:
            left.append(entity)
    if method == "fuzzy" and left and known:
        found, unsure = _nearly(left, known, threshold, margin)
        links, ambiguous = links + found, ambiguous + unsure
    return Links(tuple(links), tuple(ambiguous), len(entities) - len(links) - len(ambiguous))


def _nearly(
    entities: Sequence[str], known: dict[str, list[int]], threshold: float, margin: float
) -> tuple[list[Link], list[Ambiguous]]:
    fuzz, process = _rapidfuzz()
    choices = [name for name in known if SHORTEST <= len(name) <= LONGEST]
    asked = [(entity, normalised(plain_name(entity))) for entity in entities]
    asked = [(entity, name) for entity, name in asked if SHORTEST <= len(name) <= LONGEST]
    links: list[Link] = []
    ambiguous: list[Ambiguous] = []
    for start in range(0, len(asked) if choices else 0, BLOCK):
        block = asked[start : start + BLOCK]
        likeness = process.cdist([name for _, name in block], choices, scorer=fuzz.ratio, score_cutoff=100 * threshold)
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
