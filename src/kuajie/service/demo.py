"""What the demo page shows of a workspace: its domains, some of their items, some of their people."""

from itertools import chain, zip_longest

import numpy as np

from kuajie.core import columns as c
from kuajie.core.histories import Histories
from kuajie.core.language import LANGUAGES
from kuajie.core.records import Account
from kuajie.service.wire import Wire
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.workspace import Workspace

ITEMS, PEOPLE, SEEN = 10, 5, 6
TRIED = 16
FEWEST, MOST = 3, 40
"""Rows that somebody to play should have."""


class Shown(Wire, frozen=True):
    """An item on a shelf."""

    item: str
    title: str
    category: str
    price: float | None


class Played(Wire, frozen=True):
    """Somebody to play: what they did in the domain, and in how many others they are known."""

    user: str
    events: int
    elsewhere: int


class Side(Wire, frozen=True):
    """One domain."""

    domain: str
    title: str
    items: list[Shown]
    people: list[Played]


class World(Wire, frozen=True):
    """Everything that the page shows at first."""

    name: str
    language: str
    model_version: str
    sides: list[Side]


def world(workspace: Workspace, deployed: Deployed, language: str) -> World:
    """The page's world in a language."""
    return World(
        name=workspace.config.workspace.name,
        language=language,
        model_version=deployed.model_version,
        sides=[
            Side(
                domain=domain,
                title=workspace.title(domain, language),
                items=shelf(deployed, domain, language),
                people=people(deployed, domain),
            )
            for domain in deployed.dataset.space.domains
        ],
    )


def shelf(deployed: Deployed, domain: str, language: str) -> list[Shown]:
    """The most popular items of each category in turn."""
    engine, catalog = deployed.engines[language], deployed.dataset.catalog
    part = catalog.space.slice(domain)
    order = part.start + np.argsort(-engine.popularity[part], kind="stable")
    categories = catalog.table[c.CATEGORY]
    rows: dict[str, list[int]] = {}
    for number in order.tolist():
        rows.setdefault(categories[number], []).append(number)
    turns = chain.from_iterable(zip_longest(*(row[:ITEMS] for row in rows.values())))
    chosen = [number for number in turns if number is not None][:ITEMS]
    return [
        Shown(
            item=catalog.name(number)[1],
            title=engine.titles[number],
            category=categories[number] if language == "zh" or categories[number].isascii() else "",
            price=catalog.table[c.PRICE][number],
        )
        for number in chosen
    ]


def people(deployed: Deployed, domain: str) -> list[Played]:
    """Some who have done a little in a domain: first those whose lists of other domains one more event changes.

    For some people the model rightly looks at the other domain alone (see the transfer gate); they would show little.
    """
    dataset = deployed.dataset
    part = dataset.space.slice(domain)
    inside = (dataset.events.item >= part.start) & (dataset.events.item < part.stop)
    counts = np.bincount(dataset.events.row[inside], minlength=dataset.n_people)
    found: list[tuple[int, Played]] = []
    for person in np.flatnonzero((counts >= FEWEST) & (counts <= MOST)).tolist():
        accounts = dataset.accounts_of(person)
        own = [account for account in accounts if account.domain == domain]
        others = {account.domain for account in accounts} - {domain}
        if own and (others or len(dataset.space.domains) == 1):
            shown = Played(user=own[0].user, events=int(counts[person]), elsewhere=len(others))
            found.append((-moved(deployed, own[0]), shown))
        if len(found) >= TRIED:
            break
    return [shown for _, shown in sorted(found, key=lambda each: each[0])][:PEOPLE]


def moved(deployed: Deployed, account: Account) -> int:
    """How many places in lists of other domains change with one more event: the most popular item of the account's."""
    dataset, engine = deployed.dataset, deployed.engines[LANGUAGES[0]]
    part = dataset.space.slice(account.domain)
    history = dataset.history_of(account)
    longer = with_one_more(history, part.start + int(np.argmax(engine.popularity[part])))

    def top(rows: Histories, target: str) -> list[str]:
        return [each.item for each in engine.recommend(account, rows, target, SEEN, explain=False).items]

    others = dataset.space.others(account.domain)
    pairs = [(top(history, other), top(longer, other)) for other in others]
    return sum(a != b for before, after in pairs for a, b in zip(before, after, strict=False))


def with_one_more(history: Histories, item: int) -> Histories:
    """A history of one row, and one item at its end."""
    return Histories(
        indptr=np.array([0, len(history.items) + 1], np.int64),
        items=np.append(history.items, np.int32(item)),
        weights=np.append(history.weights, history.weights.max(initial=1.0)),
        n_items=history.n_items,
        times=None if history.times is None or history.at is None else np.append(history.times, history.at),
        at=history.at,
        order=history.order,
        borrowed=None if history.borrowed is None else np.append(history.borrowed, False),
    )
