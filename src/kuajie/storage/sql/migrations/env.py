"""Runs migrations on the connection that `storage.sql.schema` hands over; there is no other way to run them."""

from alembic import context

from kuajie.storage.sql.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
