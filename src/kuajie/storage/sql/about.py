"""What is stored of a few accounts, in three statements on one connection: a person who comes back waits for it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from kuajie.core.records import Account, Consent, Event, Link
from kuajie.storage.sql.catalogue import consent_of_row, link_of_row
from kuajie.storage.sql.events import event_of_row
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import consents, events, links
from kuajie.workflows.stores import MOST_EVENTS, About

MOST_AT_ONCE = 50
"""Accounts that one statement asks for."""


def about(
    reader: Reader,
    accounts: Sequence[Account],
    events_of: Sequence[Account],
    *,
    with_links: bool = True,
    most: int = MOST_EVENTS,
) -> About:
    """See `Store.about`."""
    found_links: dict[int, Link] = {}
    found_consents: dict[Account, Consent] = {}
    found_events: dict[Account, list[Event]] = {}
    with reader.connection() as connection:
        for some in _parts(accounts):
            if with_links:
                for row in connection.execute(_links_of(len(some)), _named(some)):
                    found_links[row.sequence] = link_of_row(row)
            for row in connection.execute(_consents_of(len(some)), _named(some)):
                consent = consent_of_row(row)
                found_consents[consent.account] = consent
        for some in _parts(events_of):
            for row in connection.execute(_events_of(len(some)), {**_named(some), "most": most}):
                event = event_of_row(row)
                found_events.setdefault(Account(domain=event.domain, user=event.user), []).append(event)
    for of_account in found_events.values():
        of_account.reverse()
    return About([found_links[sequence] for sequence in sorted(found_links)], found_consents, found_events)


def _parts(accounts: Sequence[Account]) -> list[list[Account]]:
    unique = list(dict.fromkeys(accounts))
    return [unique[start : start + MOST_AT_ONCE] for start in range(0, len(unique), MOST_AT_ONCE)]


def _named(accounts: Sequence[Account]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for place, account in enumerate(accounts):
        named[f"domain{place}"], named[f"user{place}"] = account.domain, account.user
    return named


def _are(count: int, domain: sa.Column[str], user: sa.Column[str]) -> sa.ColumnElement[bool]:
    """One of the accounts; spelled out, since some planners find no index for pairs in a list."""
    return sa.or_(*(_is(place, domain, user) for place in range(count)))


def _is(place: int, domain: sa.Column[str], user: sa.Column[str]) -> sa.ColumnElement[bool]:
    return sa.and_(domain == sa.bindparam(f"domain{place}"), user == sa.bindparam(f"user{place}"))


@lru_cache(MOST_AT_ONCE)
def _consents_of(count: int) -> sa.Select[Any]:
    return sa.select(consents).where(_are(count, consents.c.domain, consents.c.user_id))


@lru_cache(MOST_AT_ONCE)
def _links_of(count: int) -> sa.CompoundSelect[Any]:
    return sa.union_all(
        sa.select(links).where(_are(count, links.c.domain_a, links.c.user_a)),
        sa.select(links).where(_are(count, links.c.domain_b, links.c.user_b)),
    )


@lru_cache(MOST_AT_ONCE)
def _events_of(count: int) -> sa.CompoundSelect[Any]:
    """The newest of each account, newest first; a part for each, so that no account's past is read whole."""
    parts = [
        sa.select(events)
        .where(_is(place, events.c.domain, events.c.user_id))
        .order_by(events.c.occurred_at.desc(), events.c.sequence.desc())
        .limit(sa.bindparam("most", type_=sa.Integer))
        .subquery(f"part{place}")
        for place in range(count)
    ]
    return sa.union_all(*(sa.select(part) for part in parts))
