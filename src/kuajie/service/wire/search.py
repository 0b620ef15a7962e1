"""Search: a question in words, and what was found."""

from typing import Annotated

import msgspec

from kuajie.core.records import Reason, Triple
from kuajie.service.wire.base import MOST_ITEMS, Language, Wire


class SearchRequest(Wire, frozen=True):
    """What is looked for, in words; who asks, if somebody does: a `domain`, and a `user` of it or the page alone.

    `targets` names the domains to look in, none: all; `personalised: false` leaves the history out.
    """

    query: str
    domain: str = ""
    user: str = ""
    targets: Annotated[list[str], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=list)
    k: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 10
    explain: bool = True
    personalised: bool = True
    placement: Annotated[str, msgspec.Meta(max_length=128)] = ""
    language: Language | None = None


class Matched(Wire, frozen=True):
    """A field of an item that words of the query are in.

    `field` is "title", "category", "brand", "item" or "attributes." and a name; `ranges` are first character and
    last + 1 in `text`, counted in code points.
    """

    field: str
    text: str
    ranges: list[tuple[int, int]]


class FoundItem(Wire, frozen=True):
    """An item that was found. `score` orders the list; `text_score` is what the words alone say."""

    domain: str
    item: str
    title: str
    score: float
    text_score: float
    matched: list[Matched]
    reasons: tuple[Reason, ...]


class CategoryCount(Wire, frozen=True):
    """How many of the found items are in a category."""

    category: str
    count: int


class DomainCount(Wire, frozen=True):
    """How many items of a domain were found, and its largest categories among them."""

    domain: str
    title: str
    count: int
    categories: list[CategoryCount]


class KnowledgeHit(Wire, frozen=True):
    """Something of the knowledge graph that is no item: a brand, a topic. `domains` counts the triples that name it."""

    name: str
    relations: tuple[str, ...]
    domains: dict[str, int]
    triples: tuple[Triple, ...]
    score: float


class SearchResponse(Wire, frozen=True):
    """What was found, best first; `domains` counts everything, `items` are the first.

    `list_id` is empty where nobody asked: nothing can answer such a list.
    """

    list_id: str
    model_version: str
    personalised: bool
    degraded: bool
    placement: str
    items: list[FoundItem]
    domains: list[DomainCount]
    knowledge: list[KnowledgeHit]
