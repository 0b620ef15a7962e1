"""What the sides know and want: items, people, links, triples, consents, editor's lists."""

from typing import Annotated

import msgspec

from kuajie.core.records import Consent, EditorList, Item, Link, Traits, Triple
from kuajie.service.wire.base import MOST_LISTS, Rows, Wire


class ItemBatch(Wire, frozen=True):
    """Items, new or changed."""

    items: Annotated[list[Item], Rows]


class PeopleBatch(Wire, frozen=True):
    """What accounts have declared."""

    people: Annotated[list[Traits], Rows]


class LinkBatch(Wire, frozen=True):
    """Accounts that are one person."""

    links: Annotated[list[Link], Rows]


class TripleBatch(Wire, frozen=True):
    """Edges of a knowledge graph."""

    triples: Annotated[list[Triple], Rows]


class ConsentBatch(Wire, frozen=True):
    """Who wants to be recommended what fits them, and who does not."""

    consents: Annotated[list[Consent], Rows]


class EditorListBatch(Wire, frozen=True):
    """Editor's lists, new or changed; an empty placement stands for every other, an empty list removes."""

    lists: Annotated[list[EditorList], msgspec.Meta(min_length=1, max_length=MOST_LISTS)]


class EditorListsReply(Wire, frozen=True):
    """Editor's lists of a domain."""

    lists: list[EditorList]
