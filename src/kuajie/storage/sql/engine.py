"""How each database is spoken to, so that all answer alike: durable, in UTC, by bytes, and never for too long.

There are two engines: one for the writer's single connection, one for everybody who reads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kuajie.core.errors import ConfigError, MissingExtraError
from kuajie.core.texts import Text
from kuajie.storage.sql.address import shown
from kuajie.storage.sql.patience import opener

EXTRAS = {"mysql": ("pymysql", "mysql"), "mariadb": ("pymysql", "mysql"), "postgresql": ("psycopg", "postgres")}
CONNECT_SECONDS = 3


@dataclass(frozen=True)
class Limits:
    """How long and how much.

    Attributes:
        connections: that readers may use at once.
        wait_seconds: for a free one.
        statement_seconds: longest statement.
        lock_seconds: longest wait for another process that writes.
    """

    connections: int = 8
    wait_seconds: float = 2.0
    statement_seconds: int = 5
    lock_seconds: int = 4


@dataclass(frozen=True)
class Engines:
    """The two engines of a store."""

    url: sa.URL
    writing: sa.Engine
    reading: sa.Engine

    @property
    def place(self) -> str:
        """The database as people know it."""
        return shown(self.url)

    @property
    def backend(self) -> str:
        """sqlite, mysql, mariadb or postgresql."""
        return self.url.get_backend_name()

    def dispose(self) -> None:
        """Close every connection."""
        self.writing.dispose()
        self.reading.dispose()


def connect(url: sa.URL, limits: Limits) -> Engines:
    """The engines; nothing is opened yet.

    Raises:
        MissingExtraError: the driver is not installed.
        ConfigError: no such driver.
    """
    backend = url.get_backend_name()
    options: dict[str, Any] = {"hide_parameters": True, "connect_args": _arguments(backend, limits)}
    if backend != "sqlite":
        options |= {"pool_pre_ping": True, "pool_recycle": 1_800}
    try:
        writing = sa.create_engine(url, pool_size=1, max_overflow=3, pool_timeout=limits.wait_seconds, **options)
        reading = sa.create_engine(
            url, pool_size=limits.connections, max_overflow=0, pool_timeout=limits.wait_seconds, **options
        )
    except ModuleNotFoundError:
        raise MissingExtraError(
            Text("a store on {database}", database=backend), *EXTRAS.get(backend, (url.drivername, backend))
        ) from None
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        raise ConfigError(
            "[store] database: there is no driver '{driver}'. Correct the URL.", driver=url.drivername
        ) from None
    if backend == "sqlite":
        sa.event.listen(writing, "connect", _sqlite_connected(limits, reading=False))
        sa.event.listen(reading, "connect", _sqlite_connected(limits, reading=True))
        sa.event.listen(writing, "begin", _begin_immediate)
        return Engines(url, writing, reading)
    opens = opener(backend, CONNECT_SECONDS, limits.statement_seconds)
    if opens is not None:
        for engine in (writing, reading):
            sa.event.listen(engine, "do_connect", opens)
    return Engines(
        url,
        writing.execution_options(isolation_level="READ COMMITTED"),
        reading.execution_options(isolation_level="AUTOCOMMIT"),
    )


def _arguments(backend: str, limits: Limits) -> dict[str, Any]:
    """What the driver is told when it connects."""
    if backend == "sqlite":
        return {"timeout": limits.lock_seconds, "check_same_thread": False}
    if backend == "postgresql":
        return {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "kuajie",
            "tcp_user_timeout": limits.statement_seconds * 1_000,
            "keepalives_idle": 10,
            "options": f"-c statement_timeout={limits.statement_seconds * 1_000} "
            f"-c lock_timeout={limits.lock_seconds * 1_000} -c synchronous_commit=on -c timezone=UTC "
            "-c client_encoding=UTF8",
        }
    return {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": limits.statement_seconds,
        "write_timeout": limits.statement_seconds,
        "charset": "utf8mb4",
        "sql_mode": "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
        "init_command": f"SET SESSION innodb_lock_wait_timeout={limits.lock_seconds}, time_zone='+00:00'",
    }


def _sqlite_connected(limits: Limits, *, reading: bool) -> Callable[[Any, object], None]:
    pragmas = [
        f"busy_timeout = {limits.lock_seconds * 1_000}",
        "foreign_keys = ON",
        "synchronous = FULL",
        "cache_size = -65536",  # KiB
        *(["query_only = ON"] if reading else ["journal_mode = WAL", "wal_autocheckpoint = 8000"]),
    ]

    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 # a driver's own connection
        connection.isolation_level = None  # the driver begins nothing by itself
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return connected


def _begin_immediate(connection: sa.Connection) -> None:
    """Take the right to write at once: a transaction that starts by reading could not get it later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
