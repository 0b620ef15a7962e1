"""Lists know their placement and tags, there are signals, and changes of consents are numbered for every process.

Revision: 0002
"""

# Every step looks first whether it was made, because MySQL cannot undo half a migration.

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from kuajie.storage.sql.tables import Utf8Bytes

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _exact(characters: int = 128, size: int = 128) -> sa.String:
    text = sa.String(characters)
    return text.with_variant(sa.String(characters, collation="C"), "postgresql").with_variant(
        Utf8Bytes(size), "mysql", "mariadb"
    )


TAGS = sa.Text().with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")


metadata = sa.MetaData()
signals = sa.Table(
    "signals",
    metadata,
    sa.Column("signal_id", _exact(), primary_key=True),
    sa.Column("list_id", _exact(), nullable=False),
    sa.Column("domain", _exact(64, 256), nullable=False),
    sa.Column("item_id", _exact(), nullable=False),
    sa.Column("kind", _exact(16, 16), nullable=False),
    sa.Column("occurred_at", sa.BigInteger, nullable=False),
    sa.Index("signals_list", "list_id"),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)


def upgrade() -> None:
    """Make the table, add the columns, number the consents that there are, index the numbers."""
    connection = op.get_bind()
    metadata.create_all(connection, checkfirst=True)
    _add("ranked_lists", sa.Column("placement", _exact()))
    _add("ranked_lists", sa.Column("tags", TAGS))
    _add("consents", sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"))
    _number_consents(connection)
    indexes = {index["name"] for index in sa.inspect(connection).get_indexes("consents")}
    if "consents_sequence" not in indexes:
        op.create_index("consents_sequence", "consents", ["sequence"])


def _add(table: str, column: sa.Column[object]) -> None:
    if column.name not in {known["name"] for known in sa.inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)


def _number_consents(connection: sa.Connection) -> None:
    exact = _exact()
    consents = sa.table(
        "consents", sa.column("domain", exact), sa.column("user_id", exact), sa.column("sequence", sa.BigInteger)
    )
    counters = sa.table("counters", sa.column("name", exact), sa.column("value", sa.BigInteger))
    counter = counters.c.name == "changes"
    last = connection.execute(sa.select(counters.c.value).where(counter)).scalar_one()
    keys = sa.select(consents.c.domain, consents.c.user_id).where(consents.c.sequence == 0)
    for last, key in enumerate(connection.execute(keys).all(), last + 1):  # noqa: B020 - `last` is kept
        of_key = (consents.c.domain == key.domain, consents.c.user_id == key.user_id)
        connection.execute(consents.update().where(*of_key).values(sequence=last))
    connection.execute(counters.update().where(counter).values(value=last))
