"""Webhooks and what is on its way to them.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from kuajie.storage.sql.tables import Utf8Bytes

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

metadata = sa.MetaData()


def _exact(characters: int = 128, size: int = 128) -> sa.String:
    """Text that is compared byte by byte; `size` in bytes."""
    text = sa.String(characters)
    return text.with_variant(sa.String(characters, collation="C"), "postgresql").with_variant(
        Utf8Bytes(size), "mysql", "mariadb"
    )


def _text() -> sa.Text:
    """Text of any length that is not searched for."""
    return sa.Text().with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *columns, mysql_engine="InnoDB", mysql_charset="utf8mb4")


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


def upgrade() -> None:
    """Make them."""
    metadata.create_all(op.get_bind(), checkfirst=True)
