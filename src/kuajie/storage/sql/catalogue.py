"""What the sides know: items, people, links, triples, editor's lists, consents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kuajie.core.records import Account, Consent, EditorList, Item, Link, Traits, Triple
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.tables import consents, editor_lists, items, links, people, triples
from kuajie.storage.sql.times import from_json, from_micros, from_optional, to_json, to_micros, to_optional
from kuajie.storage.sql.upserts import existing, upsert
from kuajie.storage.sql.writer import Transaction, Writer
from kuajie.workflows.stores import Change

MOST_KEYS = 500
Attributes = dict[str, str]


@dataclass(frozen=True)
class SqlCatalogue:
    """`workflows.stores.CatalogueStore`."""

    reader: Reader
    writer: Writer

    def put_items(self, items: Sequence[Item]) -> None:
        """See `CatalogueStore.put_items`."""
        self.writer.write(_put_items, items, len(items))

    def items(self, domain: str, ids: Sequence[str]) -> dict[str, Item]:
        """See `CatalogueStore.items`."""
        rows = self._some(items, (items.c.domain == domain, items.c.item_id), ids)
        return {row.item_id: _item(row) for row in rows}

    def items_after(self, sequence: int, most: int = 1_000) -> list[Change[Item]]:
        """See `CatalogueStore.items_after`."""
        return [Change(row.sequence, _item(row)) for row in self._after(items, sequence, most)]

    def put_people(self, people: Sequence[Traits]) -> None:
        """See `CatalogueStore.put_people`."""
        self.writer.write(_put_people, people, len(people))

    def people(self, accounts: Sequence[Account]) -> dict[Account, Traits]:
        """See `CatalogueStore.people`."""
        rows = self._of_accounts(people, accounts)
        return {
            Account(domain=row.domain, user=row.user_id): Traits(
                account=Account(domain=row.domain, user=row.user_id), attributes=from_json(row.attributes, Attributes)
            )
            for row in rows
        }

    def put_links(self, links: Sequence[Link]) -> None:
        """See `CatalogueStore.put_links`."""
        self.writer.write(_put_links, links, len(links))

    def links_of(self, accounts: Sequence[Account]) -> list[Link]:
        """See `CatalogueStore.links_of`."""
        found: dict[int, Link] = {}
        for end in ((links.c.domain_a, links.c.user_a), (links.c.domain_b, links.c.user_b)):
            for domain, users in _by_domain(accounts).items():
                for row in self._some(links, (end[0] == domain, end[1]), users):
                    found[row.sequence] = link_of_row(row)
        return [found[sequence] for sequence in sorted(found)]

    def links_after(self, sequence: int, most: int = 1_000) -> list[Change[Link]]:
        """See `CatalogueStore.links_after`."""
        return [Change(row.sequence, link_of_row(row)) for row in self._after(links, sequence, most)]

    def put_triples(self, triples: Sequence[Triple]) -> None:
        """See `CatalogueStore.put_triples`."""
        self.writer.write(_put_triples, triples, len(triples))

    def put_editor_list(self, chosen: EditorList) -> None:
        """See `CatalogueStore.put_editor_list`."""
        self.writer.write(_put_editor_lists, chosen)

    def editor_list(self, target: str, placement: str = "") -> EditorList | None:
        """See `CatalogueStore.editor_list`."""
        query = sa.select(editor_lists).where(
            editor_lists.c.target == target, editor_lists.c.placement.in_([placement, ""])
        )
        with self.reader.connection() as connection:
            found = {row.placement: row for row in connection.execute(query)}
        row = found.get(placement) or found.get("")
        if row is None:
            return None
        return EditorList(target=row.target, placement=row.placement, items=from_json(row.items, tuple[str, ...]))

    def editor_lists(self) -> list[EditorList]:
        """See `CatalogueStore.editor_lists`."""
        query = sa.select(editor_lists).order_by(editor_lists.c.target, editor_lists.c.placement)
        with self.reader.connection() as connection:
            return [
                EditorList(target=row.target, placement=row.placement, items=from_json(row.items, tuple[str, ...]))
                for row in connection.execute(query)
            ]

    def put_consents(self, consents: Sequence[Consent]) -> list[bool]:
        """See `CatalogueStore.put_consents`."""
        return self.writer.write(_put_consents, consents, len(consents))

    def consents_after(self, sequence: int, most: int = 1_000) -> list[Change[Consent]]:
        """See `CatalogueStore.consents_after`."""
        return [Change(row.sequence, consent_of_row(row)) for row in self._after(consents, sequence, most)]

    def _after(self, table: sa.Table, sequence: int, most: int) -> list[sa.Row[Any]]:
        query = sa.select(table).where(table.c.sequence > sequence).order_by(table.c.sequence).limit(most)
        with self.reader.connection() as connection:
            return list(connection.execute(query))

    def _of_accounts(self, table: sa.Table, accounts: Sequence[Account]) -> list[sa.Row[Any]]:
        return [
            row
            for domain, users in _by_domain(accounts).items()
            for row in self._some(table, (table.c.domain == domain, table.c.user_id), users)
        ]

    def _some(
        self, table: sa.Table, where: tuple[sa.ColumnElement[bool], sa.ColumnElement[str]], values: Sequence[str]
    ) -> list[sa.Row[Any]]:
        """Rows that fulfil a condition and hold one of the values in a column."""
        fixed, column = where
        unique = list(dict.fromkeys(values))
        with self.reader.connection() as connection:
            return [
                row
                for start in range(0, len(unique), MOST_KEYS)
                for row in connection.execute(
                    sa.select(table).where(fixed, column.in_(unique[start : start + MOST_KEYS]))
                )
            ]


def _by_domain(accounts: Sequence[Account]) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for account in accounts:
        users.setdefault(account.domain, []).append(account.user)
    return users


def _flat(batches: Sequence[Sequence[Any]], row: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return [row(value) for batch in batches for value in batch]


def _put_items(transaction: Transaction, batches: Sequence[Sequence[Item]]) -> list[None]:
    def row(item: Item) -> dict[str, Any]:
        return {
            "domain": item.domain,
            "item_id": item.item,
            "title": item.title,
            "title_en": item.title_en,
            "category": item.category,
            "brand": item.brand,
            "price": item.price,
            "attributes": to_json(item.attributes),
            "sequence": transaction.number(),
        }

    upsert(transaction.connection, items, _flat(batches, row))
    return [None] * len(batches)


def _put_people(transaction: Transaction, batches: Sequence[Sequence[Traits]]) -> list[None]:
    def row(traits: Traits) -> dict[str, Any]:
        return {
            "domain": traits.account.domain,
            "user_id": traits.account.user,
            "attributes": to_json(traits.attributes),
            "sequence": transaction.number(),
        }

    upsert(transaction.connection, people, _flat(batches, row))
    return [None] * len(batches)


def _put_links(transaction: Transaction, batches: Sequence[Sequence[Link]]) -> list[None]:
    def row(link: Link) -> dict[str, Any]:
        a, b = sorted((link.a, link.b), key=lambda end: (end.domain, end.user))
        return {
            "domain_a": a.domain,
            "user_a": a.user,
            "domain_b": b.domain,
            "user_b": b.user,
            "confidence": link.confidence,
            "evidence": link.evidence,
            "expires_at": to_optional(link.expires_at),
            "sequence": transaction.number(),
        }

    upsert(transaction.connection, links, _flat(batches, row))
    return [None] * len(batches)


def _put_triples(transaction: Transaction, batches: Sequence[Sequence[Triple]]) -> list[None]:
    arrived = dict.fromkeys((t.domain, t.head, t.relation, t.tail) for batch in batches for t in batch)
    known = existing(transaction.connection, triples, list(arrived))
    names = ("domain", "head", "relation", "tail")
    rows = [
        {**dict(zip(names, key, strict=True)), "sequence": transaction.number()} for key in arrived if key not in known
    ]
    if rows:
        transaction.connection.execute(triples.insert(), rows)
    return [None] * len(batches)


def _put_editor_lists(transaction: Transaction, lists: Sequence[EditorList]) -> list[None]:
    last = {(chosen.target, chosen.placement): chosen for chosen in lists}
    for (target, placement), chosen in last.items():
        if not chosen.items:
            where = (editor_lists.c.target == target, editor_lists.c.placement == placement)
            transaction.connection.execute(editor_lists.delete().where(*where))
    rows = [
        {"target": target, "placement": placement, "items": to_json(chosen.items)}
        for (target, placement), chosen in last.items()
        if chosen.items
    ]
    upsert(transaction.connection, editor_lists, rows)
    return [None] * len(lists)


def _put_consents(transaction: Transaction, batches: Sequence[Sequence[Consent]]) -> list[list[bool]]:
    """Of two the later one stays; a tie goes to the one that came last."""
    newest: dict[tuple[str, str], Consent] = {}
    changed: dict[tuple[str, str], int | None] = {}
    verdicts = []
    for batch in batches:
        counted = []
        for consent in batch:
            key = (consent.account.domain, consent.account.user)
            if key not in changed:
                where = (consents.c.domain == key[0], consents.c.user_id == key[1])
                changed[key] = transaction.connection.execute(sa.select(consents.c.changed_at).where(*where)).scalar()
            known, moment = changed[key], to_micros(consent.changed_at)
            counted.append(known is None or moment >= known)
            if counted[-1]:
                newest[key], changed[key] = consent, moment
        verdicts.append(counted)
    rows = [
        {
            "domain": domain,
            "user_id": user,
            "personalised": int(consent.personalised),
            "changed_at": to_micros(consent.changed_at),
            "sequence": transaction.number(),
        }
        for (domain, user), consent in newest.items()
    ]
    upsert(transaction.connection, consents, rows)
    return verdicts


def _item(row: sa.Row[Any]) -> Item:
    return Item(
        domain=row.domain,
        item=row.item_id,
        title=row.title,
        title_en=row.title_en,
        category=row.category,
        brand=row.brand,
        price=row.price,
        attributes=from_json(row.attributes, Attributes),
    )


def link_of_row(row: sa.Row[Any]) -> Link:
    """A stored link."""
    return Link(
        a=Account(domain=row.domain_a, user=row.user_a),
        b=Account(domain=row.domain_b, user=row.user_b),
        confidence=row.confidence,
        evidence=row.evidence,
        expires_at=from_optional(row.expires_at),
    )


def consent_of_row(row: sa.Row[Any]) -> Consent:
    """A stored consent."""
    return Consent(
        account=Account(domain=row.domain, user=row.user_id),
        personalised=bool(row.personalised),
        changed_at=from_micros(row.changed_at),
    )
