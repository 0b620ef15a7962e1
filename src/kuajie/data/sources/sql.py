"""A query on any database that SQLAlchemy reaches, fetched in batches with a server-side cursor where there is one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from kuajie.core import columns as c
from kuajie.core.errors import ConfigError, DataError, MissingExtraError
from kuajie.core.texts import Text
from kuajie.data.config import SourceConfig
from kuajie.data.sources.base import Batch, FormatSpec, Request
from kuajie.data.sources.objects import column

BATCH_ROWS = 100_000
EXTRAS = {"mysql": ("pymysql", "mysql"), "mariadb": ("pymysql", "mysql"), "postgresql": ("psycopg", "postgres")}


def read_sql(request: Request) -> Iterator[Batch]:
    """Batches of the rows of a query; a password never appears in an error.

    Raises:
        DataError: the database does not answer, or refuses the query.
        ConfigError: not a URL, or its driver is not installed.
    """
    url = locate(request.source, request.name, request.path)
    try:
        engine = sa.create_engine(url)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(url.get_backend_name())
        if extra is not None:
            raise MissingExtraError(
                Text("{source}: a database of {kind}", source=request.name, kind=url.get_backend_name()), *extra
            ) from None
        raise ConfigError(
            "{source}: '{driver}' needs the package {package}. Install it.",
            source=request.name,
            driver=url.drivername,
            package=error.name,
        ) from None
    except sa.exc.ArgumentError:
        raise ConfigError(
            "{source}: SQLAlchemy knows no database '{driver}'. Install its driver, or correct the URL.",
            source=request.name,
            driver=url.drivername,
        ) from None
    try:
        with engine.connect() as connection, _result(connection, request.source.query or "") as result:
            names, first = list(result.keys()), 1
            chosen = request.choose(names)
            yield Batch(_frame([], names, chosen, first))
            while rows := result.fetchmany(BATCH_ROWS):
                yield Batch(_frame(rows, names, chosen, first))
                first += len(rows)
    except sa.exc.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise DataError(
            "{source}: the database refused: {cause}. Check the URL and the query.", source=request.name, cause=cause
        ) from None
    finally:
        engine.dispose()


@contextmanager
def _result(connection: sa.Connection, query: str) -> Iterator[sa.CursorResult[Any]]:
    """The rows of a query, fetched as they are asked for.

    Where the reader stops early, the connection is given up: MySQL would send all the other rows first.
    """
    result = connection.execution_options(stream_results=True).execute(sa.text(query))
    pending: Any = getattr(result.cursor, "_result", None)
    try:
        yield result
    except BaseException:
        connection.invalidate()
        if pending is not None and hasattr(
            pending, "unbuffered_active"
        ):  # PyMySQL would read on from the closed connection
            pending.unbuffered_active = False
        with suppress(Exception):
            result.close()
        raise
    result.close()


def _frame(rows: Sequence[Sequence[object]], names: list[str], chosen: dict[str, str], first: int) -> pl.DataFrame:
    fields = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    columns = [column(name, fields[names.index(theirs)]) for name, theirs in chosen.items()]
    return pl.DataFrame([*columns, pl.Series(c.ROW, np.arange(first, first + len(rows), dtype=np.int64))])


def locate(source: SourceConfig, name: str, root: Path) -> sa.URL:
    """The URL, from the configuration or the environment; relative SQLite files are relative to `root`.

    Raises:
        ConfigError: no such variable, or not a URL.
        DataError: the SQLite file does not exist (it would be created empty).
    """
    text = source.url or os.environ.get(source.url_env or "")
    if not text:
        raise ConfigError(
            "{source}: the environment variable {variable} is not set. Put the database's URL there.",
            source=name,
            variable=source.url_env,
        )
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise ConfigError(
            "{source}: this is not an SQLAlchemy URL such as mysql+pymysql://user@host/db.", source=name
        ) from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        file = root / url.database
        if not file.is_file():
            raise DataError(
                "{source}: there is no such file ({file}). Put it there, or correct 'url'.", source=name, file=file
            )
        url = url.set(database=str(file))
    return url


SQL = FormatSpec(read_sql)
