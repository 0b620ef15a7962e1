"""The tables of the operational store, the same on every database.

Ids are compared byte by byte: as text with the collation of bytes on SQLite and PostgreSQL, as bytes on MySQL and
MariaDB, whose binary collations of text ignore spaces at the end. Times are whole microseconds since 1970 in UTC.
Unique keys that many rows are looked up by are hashes of 16 bytes: one short column is found by its index whatever a
planner believes of a young table. Whoever changes a table writes a migration; a test compares both.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from kuajie.core.ids import LONGEST_ID

UNKNOWN_TIME = -(2**62)
"""Of an event without a time: older than all others on every database, which order nulls differently."""

metadata = sa.MetaData()


class Utf8Bytes(sa.types.TypeDecorator[str]):
    """Text that the database keeps and compares as bytes."""

    impl = sa.VARBINARY
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        """To the database."""
        return None if value is None else value.encode()

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> str | None:
        """From the database."""
        return None if value is None else value.decode()


class Blob(sa.types.UserDefinedType[bytes]):
    """Bytes that SQLite's driver takes as they are; SQLAlchemy's own type would wrap each of them."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The column's type."""
        return "BLOB"


def _exact(characters: int = LONGEST_ID, size: int = LONGEST_ID) -> sa.String:
    """Text that is compared byte by byte; `size` in bytes."""
    text = sa.String(characters)
    return text.with_variant(sa.String(characters, collation="C"), "postgresql").with_variant(
        Utf8Bytes(size), "mysql", "mariadb"
    )


def _text() -> sa.Text:
    """Text of any length that is not searched for."""
    return sa.Text().with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")


def _row_number() -> sa.types.TypeEngine[int]:
    """The key that SQLite keeps no index for."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _hash() -> sa.LargeBinary:
    """What `keys.key_of` gives."""
    return sa.LargeBinary(16).with_variant(sa.BINARY(16), "mysql", "mariadb").with_variant(Blob(), "sqlite")


def _domain() -> sa.String:
    return _exact(64, 256)  # 64 characters of any script


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *columns, mysql_engine="InnoDB", mysql_charset="utf8mb4")


counters = _table(
    "counters", sa.Column("name", _exact(), primary_key=True), sa.Column("value", sa.BigInteger, nullable=False)
)

events = _table(
    "events",
    sa.Column("sequence", _row_number(), primary_key=True, autoincrement=False),
    sa.Column("domain", _domain(), nullable=False),
    sa.Column("event_id", _exact(), nullable=False),
    sa.Column("user_id", _exact(), nullable=False),
    sa.Column("item_id", _exact(), nullable=False),
    sa.Column("kind", _exact(16, 16), nullable=False),
    sa.Column("occurred_at", sa.BigInteger, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Double),
    sa.Column("exposure_id", _exact()),
    sa.Column("properties", _text()),
    sa.Column("id_key", _hash(), nullable=False),
    sa.Column("answer_key", _hash()),
    sa.Index("events_id_key", "id_key", unique=True),
    sa.Index("events_answer_key", "answer_key", unique=True),
    sa.Index("events_user", "domain", "user_id", "occurred_at"),
)

bad_events = _table(
    "bad_events",
    sa.Column("number", _row_number(), primary_key=True, autoincrement=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("domain", _domain(), nullable=False),
    sa.Column("event_id", _exact(), nullable=False),
    sa.Column("reason", _text(), nullable=False),
    sa.Column("raw", _text(), nullable=False),
    sa.Index("bad_events_domain", "domain", "number"),
)

items = _table(
    "items",
    sa.Column("domain", _domain(), primary_key=True),
    sa.Column("item_id", _exact(), primary_key=True),
    sa.Column("title", _text(), nullable=False),
    sa.Column("title_en", _text(), nullable=False),
    sa.Column("category", _text(), nullable=False),
    sa.Column("brand", _text(), nullable=False),
    sa.Column("price", sa.Double),
    sa.Column("attributes", _text(), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Index("items_sequence", "sequence", unique=True),
)

people = _table(
    "people",
    sa.Column("domain", _domain(), primary_key=True),
    sa.Column("user_id", _exact(), primary_key=True),
    sa.Column("attributes", _text(), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Index("people_sequence", "sequence", unique=True),
)

links = _table(
    "links",
    sa.Column("domain_a", _domain(), primary_key=True),
    sa.Column("user_a", _exact(), primary_key=True),
    sa.Column("domain_b", _domain(), primary_key=True),
    sa.Column("user_b", _exact(), primary_key=True),
    sa.Column("confidence", sa.Double, nullable=False),
    sa.Column("evidence", _text(), nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Index("links_other_end", "domain_b", "user_b"),
    sa.Index("links_sequence", "sequence", unique=True),
)

triples = _table(
    "triples",
    sa.Column("domain", _domain(), primary_key=True),
    sa.Column("head", _exact(), primary_key=True),
    sa.Column("relation", _exact(), primary_key=True),
    sa.Column("tail", _exact(), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Index("triples_sequence", "sequence", unique=True),
)

editor_lists = _table(
    "editor_lists",
    sa.Column("target", _domain(), primary_key=True),
    sa.Column("placement", _exact(), primary_key=True),
    sa.Column("items", _text(), nullable=False),
)

consents = _table(
    "consents",
    sa.Column("domain", _domain(), primary_key=True),
    sa.Column("user_id", _exact(), primary_key=True),
    sa.Column("personalised", sa.SmallInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("consents_sequence", "sequence"),
)

ranked_lists = _table(
    "ranked_lists",
    sa.Column("list_id", _exact(), primary_key=True),
    sa.Column("domain", _domain(), nullable=False),
    sa.Column("user_id", _exact(), nullable=False),
    sa.Column("target", _domain(), nullable=False),
    sa.Column("model_version", _exact(), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("fallback", _exact(), nullable=False),
    sa.Column("items", _text(), nullable=False),
    sa.Column("placement", _exact()),
    sa.Column("tags", _text()),
    sa.Index("ranked_lists_created", "created_at"),
)

exposures = _table(
    "exposures",
    sa.Column("domain", _domain(), primary_key=True),
    sa.Column("exposure_id", _exact(), primary_key=True),
    sa.Column("list_id", _exact(), nullable=False),
    sa.Column("placement", _exact(), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("occurred_at", sa.BigInteger, nullable=False),
    sa.Column("item_id", _exact(), nullable=False),
    sa.Index("exposures_list", "list_id", "position"),
)

signals = _table(
    "signals",
    sa.Column("signal_id", _exact(), primary_key=True),
    sa.Column("list_id", _exact(), nullable=False),
    sa.Column("domain", _domain(), nullable=False),
    sa.Column("item_id", _exact(), nullable=False),
    sa.Column("kind", _exact(16, 16), nullable=False),
    sa.Column("occurred_at", sa.BigInteger, nullable=False),
    sa.Index("signals_list", "list_id"),
)

organisations = _table(
    "organisations",
    sa.Column("organisation_id", _exact(), primary_key=True),
    sa.Column("name", _text(), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)

organisation_domains = _table(
    "organisation_domains",
    sa.Column("domain", _domain(), primary_key=True),
    sa.Column("organisation_id", _exact(), sa.ForeignKey("organisations.organisation_id"), nullable=False, index=True),
)

api_keys = _table(
    "api_keys",
    sa.Column("key_id", _exact(), primary_key=True),
    sa.Column("organisation_id", _exact(), sa.ForeignKey("organisations.organisation_id"), nullable=False, index=True),
    sa.Column("kind", _exact(16, 16), nullable=False),
    sa.Column("secret_hash", _exact(), nullable=False),
    sa.Column("name", _text(), nullable=False),
    sa.Column("role", _exact(), nullable=False),
    sa.Column("scopes", _text(), nullable=False),
    sa.Column("origins", _text(), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("revoked_at", sa.BigInteger),
)

webhooks = _table(
    "webhooks",
    sa.Column("webhook_id", _exact(), primary_key=True),
    sa.Column("organisation_id", _exact(), nullable=False, index=True),
    sa.Column("url", _text(), nullable=False),
    sa.Column("kinds", _text(), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("key_check", _exact(), nullable=False),
    sa.Column("description", _text(), nullable=False),
    sa.Column("lost", sa.BigInteger, nullable=False),
    sa.Column("failing_since", sa.BigInteger),
    sa.Column("disabled_at", sa.BigInteger),
    sa.Column("disabled_because", _text(), nullable=False),
)

deliveries = _table(
    "deliveries",
    sa.Column("delivery_id", _exact(), primary_key=True),
    sa.Column("webhook_id", _exact(), nullable=False),
    sa.Column("kind", _exact(), nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("body", _text(), nullable=False),
    sa.Column("next_at", sa.BigInteger, nullable=False),
    sa.Column("state", _exact(16, 16), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("settled_at", sa.BigInteger),
    sa.Column("status", sa.Integer),
    sa.Column("problem", _text(), nullable=False),
    sa.Index("deliveries_due", "state", "next_at"),
    sa.Index("deliveries_webhook", "webhook_id", "state", "created_at"),
)
