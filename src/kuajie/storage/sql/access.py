"""Organisations and their keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kuajie.core.errors import UsageError
from kuajie.core.records import ApiKey, Organisation
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import api_keys, organisation_domains, organisations
from kuajie.storage.sql.times import from_json, from_micros, from_optional, to_json, to_micros, to_optional
from kuajie.storage.sql.upserts import upsert
from kuajie.storage.sql.writer import Transaction, Writer

Texts = tuple[str, ...]


@dataclass(frozen=True)
class Rotation:
    """A key and what takes its place."""

    key_id: str
    successor: ApiKey
    expires_at: int


@dataclass(frozen=True)
class SqlAccess:
    """`workflows.stores.AccessStore`."""

    reader: Reader
    writer: Writer

    def put_organisation(self, organisation: Organisation) -> None:
        """See `AccessStore.put_organisation`."""
        self.writer.write(_put_organisations, organisation)

    def organisations(self) -> list[Organisation]:
        """See `AccessStore.organisations`."""
        with self.reader.connection() as connection:
            rows = connection.execute(sa.select(organisations).order_by(organisations.c.organisation_id)).fetchall()
            owned = connection.execute(sa.select(organisation_domains).order_by(organisation_domains.c.domain))
            domains: dict[str, list[str]] = {}
            for row in owned:
                domains.setdefault(row.organisation_id, []).append(row.domain)
        return [
            Organisation(
                organisation_id=row.organisation_id,
                name=row.name,
                created_at=from_micros(row.created_at),
                domains=tuple(domains.get(row.organisation_id, ())),
            )
            for row in rows
        ]

    def add_key(self, key: ApiKey) -> None:
        """See `AccessStore.add_key`."""
        self.writer.write(_add_keys, key)

    def key(self, key_id: str) -> ApiKey | None:
        """See `AccessStore.key`."""
        with self.reader.connection() as connection:
            row = connection.execute(sa.select(api_keys).where(api_keys.c.key_id == key_id)).one_or_none()
        return None if row is None else _key(row)

    def keys(self, organisation_id: str) -> list[ApiKey]:
        """See `AccessStore.keys`."""
        order = (api_keys.c.created_at, api_keys.c.key_id)
        query = sa.select(api_keys).where(api_keys.c.organisation_id == organisation_id).order_by(*order)
        with self.reader.connection() as connection:
            return [_key(row) for row in connection.execute(query)]

    def revoke_key(self, key_id: str, at: datetime) -> None:
        """See `AccessStore.revoke_key`."""
        self.writer.write(_revoke_keys, (key_id, to_micros(at)))

    def rotate_key(self, key_id: str, successor: ApiKey, expires_at: datetime) -> None:
        """See `AccessStore.rotate_key`."""
        self.writer.write(_rotate_keys, Rotation(key_id, successor, to_micros(expires_at)))


def _put_organisations(transaction: Transaction, companies: Sequence[Organisation]) -> list[None]:
    for company in companies:
        _put_organisation(transaction.connection, company)
    return [None] * len(companies)


def _put_organisation(connection: sa.Connection, company: Organisation) -> None:
    owner, own = organisation_domains.c.organisation_id, company.organisation_id
    taken = sa.select(organisation_domains.c.domain).where(
        organisation_domains.c.domain.in_(company.domains), owner != own
    )
    domain = connection.execute(taken.order_by(organisation_domains.c.domain).limit(1)).scalar()
    if domain is not None:
        raise UsageError("the domain '{domain}' belongs to another organisation", domain=domain)
    row = {"organisation_id": own, "name": company.name, "created_at": to_micros(company.created_at)}
    upsert(connection, organisations, [row])
    connection.execute(organisation_domains.delete().where(owner == own))
    rows = [{"domain": domain, "organisation_id": own} for domain in dict.fromkeys(company.domains)]
    upsert(connection, organisation_domains, rows)


def _add_keys(transaction: Transaction, keys: Sequence[ApiKey]) -> list[None]:
    for key in keys:
        _add_key(transaction.connection, key)
    return [None] * len(keys)


def _add_key(connection: sa.Connection, key: ApiKey) -> None:
    if _find(connection, key.key_id) is not None:
        raise UsageError("there is a key '{key}' already", key=key.key_id)
    query = sa.select(organisations.c.organisation_id).where(organisations.c.organisation_id == key.organisation_id)
    if connection.execute(query).scalar() is None:
        raise UsageError("there is no organisation '{organisation}'", organisation=key.organisation_id)
    connection.execute(api_keys.insert(), [_key_row(key)])


def _revoke_keys(transaction: Transaction, revocations: Sequence[tuple[str, int]]) -> list[None]:
    for key_id, at in revocations:
        row = _known(transaction.connection, key_id)
        revoked_at = at if row.revoked_at is None else row.revoked_at
        change = api_keys.update().where(api_keys.c.key_id == key_id).values(revoked_at=revoked_at)
        transaction.connection.execute(change)
    return [None] * len(revocations)


def _rotate_keys(transaction: Transaction, rotations: Sequence[Rotation]) -> list[None]:
    for rotation in rotations:
        row = _known(transaction.connection, rotation.key_id)
        _add_key(transaction.connection, rotation.successor)
        expires_at = rotation.expires_at if row.expires_at is None else min(row.expires_at, rotation.expires_at)
        change = api_keys.update().where(api_keys.c.key_id == rotation.key_id).values(expires_at=expires_at)
        transaction.connection.execute(change)
    return [None] * len(rotations)


def _find(connection: sa.Connection, key_id: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(api_keys).where(api_keys.c.key_id == key_id)).one_or_none()


def _known(connection: sa.Connection, key_id: str) -> sa.Row[Any]:
    row = _find(connection, key_id)
    if row is None:
        raise UsageError("there is no key '{key}'", key=key_id)
    return row


def _key_row(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "organisation_id": key.organisation_id,
        "kind": key.kind,
        "secret_hash": key.secret_hash,
        "name": key.name,
        "role": key.role,
        "scopes": to_json(key.scopes),
        "origins": to_json(key.origins),
        "created_at": to_micros(key.created_at),
        "expires_at": to_optional(key.expires_at),
        "revoked_at": to_optional(key.revoked_at),
    }


def _key(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        organisation_id=row.organisation_id,
        kind=row.kind,
        secret_hash=row.secret_hash,
        name=row.name,
        role=row.role,
        scopes=from_json(row.scopes, Texts),
        origins=from_json(row.origins, Texts),
        created_at=from_micros(row.created_at),
        expires_at=from_optional(row.expires_at),
        revoked_at=from_optional(row.revoked_at),
    )
