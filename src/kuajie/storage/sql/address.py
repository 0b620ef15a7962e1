"""Where the store is: an SQLite file of the workspace, or the URL of a server."""

import os
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from kuajie.core.errors import ConfigError

DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
KNOWN = ("sqlite", "mysql", "mariadb", "postgresql")


def address(database: str, variable: str | None, root: Path, environment: Mapping[str, str] = os.environ) -> sa.URL:
    """The URL of the store.

    Args:
        database: a URL, or the name of an SQLite file relative to `root`.
        variable: name of the environment variable that holds the URL; it goes before `database`.
        root: the workspace.
        environment: where the variable is looked up.

    Raises:
        ConfigError: the variable is not set, or this is no URL of a database that we know.
    """
    text = database
    if variable is not None:
        text = environment.get(variable, "")
        if not text:
            raise ConfigError(
                "[store] names the environment variable {variable}, which is not set. Put the database's URL there.",
                variable=variable,
            )
    if "://" not in text:
        return sa.URL.create("sqlite", database=str((root / text).resolve()))
    try:
        url = sa.make_url(text)
        url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
        known = url.get_backend_name() in KNOWN
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            "[store] database is not a URL such as mysql+pymysql://user:password@host/name. Correct it."
        ) from None
    if not known:
        raise ConfigError(
            "[store] database: '{kind}' is not one of {known}. Correct the URL.",
            kind=url.get_backend_name(),
            known=", ".join(KNOWN),
        )
    if url.get_backend_name() == "sqlite":
        return url.set(database=str((root / (url.database or "kuajie.db")).resolve()))
    return url


def file_of(url: sa.URL) -> Path | None:
    """The file of an SQLite store; None for a server."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def shown(url: sa.URL) -> str:
    """What people see of a URL: no password, and no options, which may hold one."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(query={}).render_as_string(hide_password=True)
