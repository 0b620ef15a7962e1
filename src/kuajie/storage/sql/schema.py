"""Migrations: they travel inside the package and run when a store is opened for writing.

Alembic, which takes a while to load, is asked only where something must be migrated or compared.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from kuajie.core.errors import StoreError
from kuajie.storage.sql.engine import Engines
from kuajie.storage.sql.refusals import refusals
from kuajie.storage.sql.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

FILES = re.compile(r"v(?P<revision>\d{4})_\w+\.py")
"""Of migrations; each names the one before it, and a test holds the names against what alembic finds."""
LOCK_NAME, LOCK_NUMBER = "kuajie-migrations", 0x6B75616A6965  # "kuajie"
MIGRATIONS = Path(__file__).with_name("migrations")
CURRENT = sa.table("alembic_version", sa.column("version_num"))
_alembic = threading.Lock()
"""Alembic keeps the migration that runs in module variables."""


def newest() -> str:
    """The migration that this kuajie needs."""
    return known()[-1]


def known() -> list[str]:
    """All migrations of this kuajie, in their order."""
    names = (FILES.fullmatch(path.name) for path in (MIGRATIONS / "versions").iterdir())
    return sorted(name["revision"] for name in names if name is not None)


def version(connection: sa.Connection) -> str:
    """The migration that a database is at; empty where it has none of our tables."""
    if not sa.inspect(connection).has_table(CURRENT.name):
        return ""
    return connection.scalar(sa.select(CURRENT.c.version_num)) or ""


def upgrade(engines: Engines) -> None:
    """Bring a database to the newest migration; processes that start together wait for each other.

    Raises:
        StoreError: it refuses, or a newer kuajie made it.
    """
    with refusals(engines.place), engines.writing.connect() as connection, _alone(connection, engines.backend):
        current = version(connection)
        connection.commit()
        if current and current not in known():
            raise StoreError(
                "the store {place} was made by a newer kuajie (migration {found}). Install that kuajie, or name "
                "another database.",
                place=engines.place,
                found=current,
            )
        if current == newest():
            return
        from alembic import command

        config = _config()
        config.attributes["connection"] = connection
        with _alembic:
            command.upgrade(config, "head")
        connection.commit()


def differences(connection: sa.Connection) -> list[str]:
    """What a database has that the tables do not say, or the other way round, in words."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

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


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
