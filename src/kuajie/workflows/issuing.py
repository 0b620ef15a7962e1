"""Issuing keys: the rules of who gets which, the same for the command line and for the service."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from kuajie.core.errors import UsageError
from kuajie.core.ids import id_problem, text_problem
from kuajie.core.names import suggest
from kuajie.core.records import ApiKey, Organisation
from kuajie.workflows.access import OPERATOR_SCOPES, PUBLISHABLE_SCOPES, SCOPES
from kuajie.workflows.keys import new_key
from kuajie.workflows.stores import AccessStore

LONGEST_NAME = 200
ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?:[a-z0-9][a-z0-9.-]{0,252}|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[1-9][0-9]{0,4}))?"
)


@dataclass(frozen=True)
class Wish:
    """A key that is wanted.

    Attributes:
        organisation: whose; one that is new is made.
        domains: the organisation's own; none: those that it has.
        kind: publishable keys stand in web pages.
        origins: of pages that may use a publishable key.
        scopes: None: everything that its kind may, without what operators may.
        days: it opens nothing after so many.
        name: for people.
    """

    organisation: str
    domains: Sequence[str] = ()
    kind: Literal["secret", "publishable"] = "secret"
    origins: Sequence[str] = ()
    scopes: Sequence[str] | None = None
    days: int | None = None
    name: str = ""


def issue(access: AccessStore, known: Collection[str], wish: Wish, now: datetime) -> tuple[str, ApiKey]:
    """Make a key, and its organisation where that is new; returns the token, which cannot be made again.

    Args:
        access: where keys are.
        known: domains of the workspace.
        wish: what is wanted.
        now: the time.

    Raises:
        UsageError: there is no such domain, scope or page, or a domain is somebody else's.
    """
    scopes = _scopes(wish)
    _check(wish, known)
    _put_organisation(access, wish, scopes, now)
    token, key = new_key(
        wish.organisation,
        wish.kind,
        now,
        name=wish.name,
        scopes=scopes,
        origins=tuple(wish.origins),
        expires_at=now + timedelta(days=wish.days) if wish.days else None,
    )
    access.add_key(key)
    return token, key


def issued(access: AccessStore) -> list[ApiKey]:
    """All keys, by organisation, oldest first."""
    return [key for each in access.organisations() for key in access.keys(each.organisation_id)]


def is_guarded(access: AccessStore) -> bool:
    """Whether there is any key, so that nobody is answered without one."""
    return any(access.keys(each.organisation_id) for each in access.organisations())


def rotate(access: AccessStore, key_id: str, hours: int, now: datetime) -> tuple[str, ApiKey]:
    """Make a key like another, which opens nothing after some hours.

    Raises:
        UsageError: there is no such key, or it opens nothing any more.
    """
    old = access.key(key_id)
    if old is None:
        raise UsageError("there is no key '{key}'", key=key_id)
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise UsageError("the key {key} opens nothing any more. Make a new one: kuajie keys create", key=key_id)
    lifetime = None if old.expires_at is None else old.expires_at - old.created_at
    token, successor = new_key(
        old.organisation_id,
        old.kind,
        now,
        name=old.name,
        role=old.role,
        scopes=old.scopes,
        origins=old.origins,
        expires_at=None if lifetime is None else now + lifetime,
    )
    access.rotate_key(key_id, successor, now + timedelta(hours=hours))
    return token, successor


def _scopes(wish: Wish) -> tuple[str, ...]:
    publishable = wish.kind == "publishable"
    if wish.scopes is None:
        return PUBLISHABLE_SCOPES if publishable else SCOPES
    possible = PUBLISHABLE_SCOPES if publishable else (*SCOPES, *OPERATOR_SCOPES)
    for scope in wish.scopes:
        if scope not in possible:
            raise UsageError(
                "there is no scope '{scope}' for such a key; there are {names}", scope=scope, names=", ".join(possible)
            )
    return tuple(dict.fromkeys(wish.scopes))


def _check(wish: Wish, known: Collection[str]) -> None:
    for name, problem in (
        ("organisation", id_problem(wish.organisation)),
        ("name", text_problem(wish.name, LONGEST_NAME)),
    ):
        if problem is not None:
            raise UsageError("{name} {problem}", name=name, problem=problem)
    if (wish.kind == "publishable") != bool(wish.origins):
        raise UsageError("a publishable key needs origins, the pages that may use it; no other key takes them")
    for origin in wish.origins:
        if not _is_origin(origin):
            raise UsageError(
                "an origin is written https://shop.example, with a port where it is not the usual one and without a "
                "path, got '{origin}'",
                origin=origin[:200],
            )
    for domain in wish.domains:
        if domain not in known:
            raise UsageError("there is no domain '{domain}'{hint}", domain=domain[:100], hint=suggest(domain, known))


def _put_organisation(access: AccessStore, wish: Wish, scopes: Sequence[str], now: datetime) -> None:
    found = {each.organisation_id: each for each in access.organisations()}.get(wish.organisation)
    if found is not None and not wish.domains:
        return
    operators = bool(scopes) and set(scopes) <= set(OPERATOR_SCOPES)
    if not wish.domains and not operators:
        raise UsageError("the organisation {organisation} is new: name its domains", organisation=wish.organisation)
    access.put_organisation(
        Organisation(
            organisation_id=wish.organisation,
            name=wish.organisation if found is None else found.name,
            created_at=now if found is None else found.created_at,
            domains=tuple(wish.domains),
        )
    )


def _is_origin(text: str) -> bool:
    """As browsers send it."""
    found = ORIGIN.fullmatch(text)
    return found is not None and found["port"] != {"http": "80", "https": "443"}[found["scheme"]]
