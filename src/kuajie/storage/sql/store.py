"""The operational store, put together."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from kuajie.core.errors import KuajieError, StoreError
from kuajie.core.files import make_private, refusals_named
from kuajie.core.language import message
from kuajie.core.records import Account
from kuajie.storage.sql import schema
from kuajie.storage.sql.about import about
from kuajie.storage.sql.access import SqlAccess
from kuajie.storage.sql.address import file_of
from kuajie.storage.sql.catalogue import SqlCatalogue
from kuajie.storage.sql.engine import Engines, Limits, connect
from kuajie.storage.sql.events import SqlEvents
from kuajie.storage.sql.export import SqlExport
from kuajie.storage.sql.lock import WriterLock
from kuajie.storage.sql.reader import Reader
from kuajie.storage.sql.refusals import refusals
from kuajie.storage.sql.shown import SqlShown
from kuajie.storage.sql.tables import counters, events
from kuajie.storage.sql.webhooks import SqlWebhooks
from kuajie.storage.sql.writer import CHANGES, Handler, P, R, Writer
from kuajie.workflows.stores import MOST_EVENTS, About, Finding

MOST_WAITING = 20_000
"""Rows in the writer's queue before it says that it is full."""


@dataclass(frozen=True)
class SqlStore:
    """`workflows.stores.Store`."""

    engines: Engines
    writer: Writer
    lock: WriterLock | None
    events: SqlEvents
    catalogue: SqlCatalogue
    shown: SqlShown
    access: SqlAccess
    webhooks: SqlWebhooks
    export: SqlExport
    reader: Reader

    @classmethod
    def open(
        cls, url: sa.URL, *, write: bool = True, limits: Limits | None = None, most_waiting: int = MOST_WAITING
    ) -> Self:
        """Open a store; for writing it is made or migrated first.

        Args:
            url: where it is.
            write: False: another process may be the writer; nothing is made, nothing can be written.
            limits: of connections and times.
            most_waiting: rows in the queue.

        Raises:
            StoreError: it does not answer, is of another version, or another process writes it.
            ConfigError, MissingExtraError: no such driver.
        """
        engines = connect(url, limits or Limits())
        file = file_of(url)
        lock = WriterLock(file).take() if file is not None and write else None
        try:
            if write:
                if file is not None:
                    with refusals_named(file):
                        make_private(file)  # SQLite would let everybody read it; its files beside get the same mode
                schema.upgrade(engines)
            else:
                _refuse_unless_current(engines, file)
        except BaseException:
            engines.dispose()
            if lock is not None:
                lock.release()
            raise
        writer = Writer(engines.writing, engines.place, most_waiting) if write else Unwritable(engines.place)
        reader = Reader(engines.reading, engines.place)
        return cls(
            engines=engines,
            writer=writer,
            lock=lock,
            events=SqlEvents(reader, writer),
            catalogue=SqlCatalogue(reader, writer),
            shown=SqlShown(reader, writer),
            access=SqlAccess(reader, writer),
            webhooks=SqlWebhooks(reader, writer),
            export=SqlExport(reader),
            reader=reader,
        )

    def about(
        self,
        accounts: Sequence[Account],
        events_of: Sequence[Account],
        *,
        with_links: bool = True,
        most: int = MOST_EVENTS,
    ) -> About:
        """See `Store.about`."""
        return about(self.reader, accounts, events_of, with_links=with_links, most=most)

    @property
    def schema_version(self) -> str:
        """See `Store.schema_version`."""
        with self.reader.connection() as connection:
            return schema.version(connection)

    @property
    def queued_rows(self) -> int:
        """See `Store.queued_rows`."""
        return self.writer.waiting

    def check(self) -> list[Finding]:
        """See `Store.check`."""
        findings = [self._find(message("the database answers"), self._answers)]
        if not findings[0].ok:
            return findings
        findings += [
            self._find(message("its tables are those of this version"), self._is_current),
            self._find(message("its sequence of changes is whole"), self._is_counted),
        ]
        if self.engines.backend == "sqlite":
            findings.append(self._find(message("its file is not damaged"), self._is_sound))
        return findings

    def close(self) -> None:
        """See `Store.close`."""
        self.writer.close()
        self.engines.dispose()
        if self.lock is not None:
            self.lock.release()

    @staticmethod
    def _find(name: str, look: Callable[[], tuple[bool, str]]) -> Finding:
        try:
            ok, detail = look()
        except KuajieError as error:
            return Finding(name, ok=False, detail=error.text)
        return Finding(name, ok, detail)

    def _answers(self) -> tuple[bool, str]:
        with self.reader.connection() as connection:
            connection.execute(sa.select(sa.literal(1))).scalar_one()
        return True, self.engines.place

    def _is_current(self) -> tuple[bool, str]:
        with self.reader.connection() as connection:
            found = schema.version(connection)
            changes = schema.differences(connection) if found == schema.newest() else []
        return found == schema.newest() and not changes, ", ".join([found or "-", *changes])

    def _is_counted(self) -> tuple[bool, str]:
        with self.reader.connection() as connection:
            last = connection.execute(sa.select(sa.func.coalesce(sa.func.max(events.c.sequence), 0))).scalar_one()
            counted = connection.execute(sa.select(counters.c.value).where(counters.c.name == CHANGES)).scalar()
        return counted is not None and last <= counted, f"{counted}"

    def _is_sound(self) -> tuple[bool, str]:
        with self.reader.connection() as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        return said == "ok", str(said)


class Unwritable(Writer):
    """The writer of a store that was opened for reading."""

    def __init__(self, place: str) -> None:
        self._place, self._rows = place, 0

    def submit(self, handler: Handler[P, R], payload: P, size: int = 1) -> Future[R]:
        """Always refuse."""
        raise StoreError("the store {place} was opened for reading", place=self._place)

    def close(self) -> None:
        """Nothing to stop."""


def _refuse_unless_current(engines: Engines, file: Path | None) -> None:
    found = ""
    if file is None or file.is_file():  # SQLite would make it
        with refusals(engines.place), engines.reading.connect() as connection:
            found = schema.version(connection)
    if found != schema.newest():
        raise StoreError(
            "the store {place} is of another version (migration {found}, needed {needed}). Start the service once, "
            "which brings it up to date.",
            place=engines.place,
            found=found or "none",
            needed=schema.newest(),
        )
