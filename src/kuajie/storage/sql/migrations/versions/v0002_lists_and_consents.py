"""Lists know their placement and tags; changes of consents are numbered, so that every process hears of them.

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

PLACEMENT = (
    sa.String(128)
    .with_variant(sa.String(128, collation="C"), "postgresql")
    .with_variant(Utf8Bytes(128), "mysql", "mariadb")
)
TAGS = sa.Text().with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Add the columns, number the consents that there are, index the numbers."""
    connection = op.get_bind()
    _add("ranked_lists", sa.Column("placement", PLACEMENT))
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
    exact = PLACEMENT.copy()
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
