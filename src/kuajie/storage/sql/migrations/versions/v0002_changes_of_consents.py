"""Consents are changes that other processes follow.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Number their changes; those of before count as seen. What was done before an interruption stays."""
    inspector = sa.inspect(op.get_bind())
    if "sequence" not in {column["name"] for column in inspector.get_columns("consents")}:
        op.add_column("consents", sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"))
    if "consents_sequence" not in {index["name"] for index in inspector.get_indexes("consents")}:
        op.create_index("consents_sequence", "consents", ["sequence"])
