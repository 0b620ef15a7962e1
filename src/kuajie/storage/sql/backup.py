"""Copies of an SQLite store: made while the service writes, and put in its place when it does not.

A copy is one moment of the store: everything that was acknowledged before it began is in it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kuajie.core.errors import StoreError, UsageError
from kuajie.core.files import make_private, refusals_named, sync
from kuajie.storage.sql.lock import WriterLock

BESIDE = ("-wal", "-shm", "-journal")
"""Files that belong to one database file and would spoil another."""


def back_up(database: Path, copy: Path) -> int:
    """Copy a store, whoever writes it meanwhile; returns the size of the copy.

    Raises:
        UsageError: there is something at `copy` already.
        StoreError: the store is damaged.
        ResourceError: the disk refuses.
    """
    if copy.exists():
        raise UsageError("{place} exists already. Choose another name, or remove it first.", place=copy)
    with _draft(copy) as draft:
        with _refusals(database), closing(_opened(database)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)  # in one step: who writes meanwhile does not make it begin anew
            target.execute("PRAGMA journal_mode = DELETE")
        check(draft)
    return copy.stat().st_size


def restore(copy: Path, database: Path) -> None:
    """Put a copy in the place of the store.

    Raises:
        StoreError: the copy is none, or is damaged; the store is as it was.
        TakenError: a service writes the store.
        ResourceError: the disk refuses.
    """
    lock = WriterLock(database).take()
    try:
        with _draft(database) as draft:
            with _refusals(copy), closing(_opened(copy)) as source, closing(sqlite3.connect(draft)) as target:
                source.backup(target)
            check(draft)
            for end in BESIDE:
                database.with_name(database.name + end).unlink(missing_ok=True)
    finally:
        lock.release()


def check(file: Path) -> None:
    """Refuse what is no whole store.

    Raises:
        StoreError: so it is.
    """
    with _refusals(file), closing(_opened(file)) as connection:
        said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if said != "ok" or not {"alembic_version", "events", "counters"} <= tables:
        raise StoreError("{file} is damaged, or no store of kuajie. Nothing was changed.", file=file)


def _opened(file: Path) -> sqlite3.Connection:
    if not file.is_file():
        raise UsageError("there is no file {file}", file=file)
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=10)


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """A file beside `place` that takes its name and its mode at the end, whole and on disk."""
    draft = place.with_name(f".{place.name}.draft")
    with refusals_named(place):
        draft.unlink(missing_ok=True)
        make_private(draft)
        if place.exists():
            draft.chmod(place.stat().st_mode & 0o777)
        try:
            yield draft
            sync(draft)
            draft.replace(place)
            sync(place.parent)
        finally:
            for end in ("", *BESIDE):
                draft.with_name(draft.name + end).unlink(missing_ok=True)


@contextmanager
def _refusals(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError("the store {place} refused: {cause}. Nothing was changed.", place=file, cause=error) from None
