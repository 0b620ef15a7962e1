"""Entities and relations drawn from texts: names of known entities that stand in titles and descriptions.

A dictionary, no guess: the longest name that stands at a place counts, in a text without width and case. English names
must be whole words. A word before the name may say the relation ("fits", "适用于"); else it is `mentions`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kuajie.core.names import normalised
from kuajie.graph.linking import spellings

MENTIONS = "mentions"
CUES: Mapping[str, tuple[str, ...]] = {
    "fits": ("适用于", "适配", "适合", "fits", "fit for", "suitable for", "designed for"),
    "compatible with": ("兼容", "compatible with", "works with"),
    "includes": ("包含", "内含", "附带", "includes", "including", "comes with"),
    "made by": ("出品方", "制造商", "品牌", "made by", "manufactured by", "by"),
    "teaches": ("讲解", "学习", "教你", "teaches", "learn"),
}
"""Relation -> what stands right before the name, at most NEAR characters before it."""
NEAR = 3
SURENESS = {"title": 0.8, "description": 0.6, "cue": 0.1}
"""Of a name in a title, in a description, and what a cue adds."""
SHORTEST_WIDE, SHORTEST_LATIN = 2, 3
"""Characters of the shortest name that is looked for, in Chinese and in English."""


@dataclass(frozen=True)
class Mention:
    """A name in a text.

    Attributes:
        entity: name of the entity.
        relation: `mentions`, or what a cue says.
        sureness: 0..1.
    """

    entity: str
    relation: str
    sureness: float


class Dictionary:
    """Names to look for.

    Attributes:
        ambiguous: names that several entities have; they are not looked for.
    """

    def __init__(self, entities: Iterable[str], english: Mapping[str, str] | None = None) -> None:
        """Of entities; `english` has the second names of some."""
        meant: dict[str, list[str]] = {}
        for entity in entities:
            for name in spellings(entity, english):
                if len(name) >= (SHORTEST_LATIN if name.isascii() else SHORTEST_WIDE):
                    meant.setdefault(name, []).append(entity)
        self.ambiguous = tuple(name for name, several in meant.items() if len(several) > 1)
        self._entities = {name: several[0] for name, several in meant.items() if len(several) == 1}
        lengths: dict[str, set[int]] = {}
        for name in self._entities:
            lengths.setdefault(name[:2], set()).add(len(name))
        self._lengths = {begin: sorted(sizes, reverse=True) for begin, sizes in lengths.items()}

    def find(self, text: str) -> list[tuple[str, int]]:
        """Entities and their places in `normalised(text)`, from left to right, the longest at each place."""
        return self._find(normalised(text))

    def _find(self, text: str) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        place = 0
        while place < len(text):
            size = self._match(text, place)
            if size:
                found.append((self._entities[text[place : place + size]], place))
            place += size or 1
        return found

    def _match(self, text: str, place: int) -> int:
        """Length of the longest name at a place, 0 where there is none."""
        for size in self._lengths.get(text[place : place + 2], ()):
            end = place + size
            if text[place:end] in self._entities and not (_joined(text, place) or _joined(text, end)):
                return size
        return 0

    def mentions(self, texts: Mapping[str, Sequence[str]], own: Iterable[str] = ()) -> list[Mention]:
        """What the texts of one item mention, each entity once, as surely as its surest place.

        Args:
            texts: field ("title" or "description") -> texts.
            own: entities that given triples join to the item already: never drawn again.
        """
        best: dict[str, Mention] = {}
        skip = set(own)
        for field, listed in texts.items():
            for text in listed:
                folded = normalised(text)
                for entity, place in self._find(folded):
                    if entity in skip:
                        continue
                    relation = _cue(folded, place)
                    sureness = SURENESS[field] + (SURENESS["cue"] if relation != MENTIONS else 0.0)
                    if entity not in best or sureness > best[entity].sureness:
                        best[entity] = Mention(entity, relation, round(sureness, 3))
        return list(best.values())


def _joined(text: str, place: int) -> bool:
    """Whether a place lies inside a word of Latin letters or digits."""
    if not 0 < place < len(text):
        return False
    left, right = text[place - 1], text[place]
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def _cue(text: str, place: int) -> str:
    before = text[max(place - 24, 0) : place]
    for relation, words in CUES.items():
        for word in words:
            found = before.rfind(word)
            if found < 0 or len(before) - found - len(word) > NEAR:
                continue
            if not _joined(text, place - len(before) + found) and not _joined(
                text, place - len(before) + found + len(word)
            ):
                return relation
    return MENTIONS
