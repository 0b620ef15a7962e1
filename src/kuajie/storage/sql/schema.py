"""Migrations: they travel inside the package and run when a store is opened for writing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from kuajie.core.errors import StoreError
from kuajie.storage.sql.engine import Engines
from kuajie.storage.sql.refusals import refusals
from kuajie.storage.sql.tables import metadata

LOCK_NAME, LOCK_NUMBER = "kuajie-migrations", 0x6B75616A6965  # "kuajie"
_alembic = threading.Lock()
"""Alembic keeps the migration that runs in module variables."""


def newest() -> str:
    """The migration that this kuajie needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 # the package ships at least one
    return head


def version(connection: sa.Connection) -> str:
    """The migration that a database is at; empty where it has none of our tables."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(engines: Engines) -> None:
    """Bring a database to the newest migration; processes that start together wait for each other.

    Raises:
        StoreError: it refuses, or a newer kuajie made it.
    """
    with refusals(engines.place), engines.writing.connect() as connection, _alone(connection, engines.backend):
        known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
        current = version(connection)
        connection.commit()
        if current and current not in known:
            raise StoreError(
                "the store {place} was made by a newer kuajie (migration {found}). Install that kuajie, or name "
                "another database.",
                place=engines.place,
                found=current,
            )
        if current == newest():
            return
        config = _config()
        config.attributes["connection"] = connection
        with _alembic:
            command.upgrade(config, "head")
        connection.commit()


def differences(connection: sa.Connection) -> list[str]:
    """What a database has that the tables do not say, or the other way round, in words."""
    context = MigrationContext.configure(connection, opts={"compare_type": False})
    return [str(change[0] if isinstance(change, tuple) else change) for change in compare_metadata(context, metadata)]


@contextmanager
def _alone(connection: sa.Connection, backend: str) -> Iterator[None]:
    """Whoever migrates a server's database does it alone; an SQLite file has one writer anyway."""
    if backend == "sqlite":
        yield
        return
    if backend == "postgresql":
        take, release = sa.func.pg_advisory_lock(LOCK_NUMBER), sa.func.pg_advisory_unlock(LOCK_NUMBER)
    else:
        take, release = sa.func.get_lock(LOCK_NAME, 30), sa.func.release_lock(LOCK_NAME)
    connection.execute(sa.select(take))
    try:
        yield
    finally:
        connection.execute(sa.select(release))
        connection.commit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config
