"""What the sides describe - items, people, links, triples, editor's lists - is checked before it is stored.

Stores trust what they are given; these checks make every database answer alike. Events have rules of their own
(`workflows.receive`).
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from kuajie.core.ids import id_problem, text_problem
from kuajie.core.records import Account, Consent, EditorList, Exposure, Item, Link, Traits, Triple
from kuajie.core.texts import Text

Described = Item | Traits | Link | Triple | EditorList | Consent | Exposure
LONGEST_WORDS = 512
"""Bytes of a category, a brand or an evidence."""
MOST_ATTRIBUTES = 100
MOST_ITEMS = 1_000
"""Of an editor's list."""
LARGEST_PRICE = 1e12
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST_POSITION = 100_000


def problem_of(record: Described, latest: datetime | None = None) -> Text | None:
    """The first thing that is wrong with a record, or None; whether its domain exists is the caller's to know.

    Args:
        record: anything that is described.
        latest: what has happened (a consent, an exposure) cannot have happened later; None: no such bound.
    """
    match record:
        case Item():
            problems = _item(record)
        case Traits():
            problems = [*_account("account", record.account), *_attributes(record.attributes)]
        case Link():
            problems = _link(record)
        case Triple():
            problems = [_id("head", record.head), _id("relation", record.relation), _id("tail", record.tail)]
        case EditorList():
            problems = _editor_list(record)
        case Consent():
            problems = [*_account("account", record.account), _time("changed_at", record.changed_at, latest)]
        case Exposure():
            problems = _exposure(record, latest)
    return next((problem for problem in problems if problem), None)


def _item(item: Item) -> list[Text | None]:
    price = item.price
    wrong_price = price is not None and not (math.isfinite(price) and 0 <= price <= LARGEST_PRICE)
    return [
        _id("item", item.item),
        _text("title", item.title),
        _text("title_en", item.title_en),
        _text("category", item.category, LONGEST_WORDS),
        _text("brand", item.brand, LONGEST_WORDS),
        Text("price is not between 0 and {most:g}", most=LARGEST_PRICE) if wrong_price else None,
        *_attributes(item.attributes),
    ]


def _link(link: Link) -> list[Text | None]:
    return [
        *_account("a", link.a),
        *_account("b", link.b),
        Text("the link joins an account with itself") if link.a == link.b else None,
        None if 0 <= link.confidence <= 1 else Text("confidence is not between 0 and 1"),
        _text("evidence", link.evidence, LONGEST_WORDS),
        _time("expires_at", link.expires_at),
    ]


def _editor_list(chosen: EditorList) -> list[Text | None]:
    return [
        Text("{name} are more than {most}", name="items", most=MOST_ITEMS) if len(chosen.items) > MOST_ITEMS else None,
        Text("items hold one twice") if len(set(chosen.items)) < len(chosen.items) else None,
        _id("placement", chosen.placement) if chosen.placement else None,
        *(_id("item", item) for item in chosen.items[:MOST_ITEMS]),
    ]


def _exposure(exposure: Exposure, latest: datetime | None) -> list[Text | None]:
    return [
        _id("exposure_id", exposure.exposure_id),
        _id("list_id", exposure.list_id),
        _id("placement", exposure.placement) if exposure.placement else None,
        _id("item", exposure.item) if exposure.item else None,
        None
        if 0 <= exposure.position <= LARGEST_POSITION
        else Text("position is not between 0 and {most}", most=LARGEST_POSITION),
        _time("occurred_at", exposure.occurred_at, latest),
    ]


def _account(name: str, account: Account) -> Iterable[Text | None]:
    return [_id(f"user of {name}", account.user)]


def _attributes(attributes: Mapping[str, str]) -> Iterable[Text | None]:
    if len(attributes) > MOST_ATTRIBUTES:
        return [Text("{name} are more than {most}", name="attributes", most=MOST_ATTRIBUTES)]
    return [
        problem
        for name, value in attributes.items()
        for problem in (_id(Text("an attribute's name"), name), _text(Text("an attribute's value"), value))
    ]


def _id(name: str, text: str) -> Text | None:
    problem = id_problem(text)
    return None if problem is None else Text("{name} {problem}", name=name, problem=problem)


def _text(name: str, text: str, longest: int = 4_096) -> Text | None:
    problem = text_problem(text, longest)
    return None if problem is None else Text("{name} {problem}", name=name, problem=problem)


def _time(name: str, moment: datetime | None, latest: datetime | None = None) -> Text | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        return Text("{name} names no time zone", name=name)
    if moment < EARLIEST:
        return Text("{name} is before 1970", name=name)
    return Text("{name} is in the future", name=name) if latest is not None and moment > latest else None
