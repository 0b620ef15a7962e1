"""Lists: recommendations, similar items, and why an item is in one."""

from typing import Annotated

import msgspec

from kuajie.core.records import RankedItem, Reason
from kuajie.service.wire.base import MOST_ITEMS, MOST_ROWS, Language, Wire


class ItemRef(Wire, frozen=True):
    """An item, by its name."""

    domain: str
    item: str


class Context(Wire, frozen=True):
    """The page that asks: the item it shows counts as just viewed, for this list alone; tags are kept with the list."""

    item: ItemRef | None = None
    tags: Annotated[list[Annotated[str, msgspec.Meta(max_length=128)]], msgspec.Meta(max_length=16)] = msgspec.field(
        default_factory=list
    )


class RecommendRequest(Wire, frozen=True):
    """Who is recommended items of which domain.

    Without a `user` the list fits the page alone. `personalised: false` leaves the history out; `exclude` names items
    of the target; `query` leaves only what fits its words.
    """

    domain: str
    target: str
    user: str = ""
    k: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 10
    exclude: Annotated[list[str], msgspec.Meta(max_length=MOST_ROWS)] = msgspec.field(default_factory=list)
    explain: bool = True
    personalised: bool = True
    placement: Annotated[str, msgspec.Meta(max_length=128)] = ""
    query: str = ""
    context: Context = Context()
    language: Language | None = None


class RecommendResponse(Wire, frozen=True):
    """A ranked list.

    `list_id` is signed: exposures and feedback name it as it is. `fallback` is empty where the list fits the person or
    the page, "cached" where it is an earlier one, "popular" where it shows what everybody likes, "editor" where an
    editor chose; `degraded` says that something did not work.
    """

    list_id: str
    target: str
    model_version: str
    personalised: bool
    degraded: bool
    fallback: str
    placement: str
    items: tuple[RankedItem, ...]


class SimilarResponse(Wire, frozen=True):
    """Items that go with one item."""

    domain: str
    item: str
    target: str
    model_version: str
    fallback: str
    items: tuple[RankedItem, ...]


class WhyResponse(Wire, frozen=True):
    """Why an item is in a list.

    `reasons` are those that the list carries. `paths` is everything in the history that speaks for the item as it
    stands now, with its share, the strongest first; empty where another model serves by now, or no history was used.
    """

    list_id: str
    domain: str
    item: str
    title: str
    position: int
    fallback: str
    model_version: str
    propensity: float | None
    reasons: tuple[Reason, ...]
    paths: tuple[Reason, ...]
