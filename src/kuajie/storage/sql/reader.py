"""Reading: short, on a connection of its own, never inside the writer's transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from kuajie.storage.sql.refusals import refusals


@dataclass(frozen=True)
class Reader:
    """Where the ports read.

    Attributes:
        engine: of the connections for reading.
        place: the database as people know it.
    """

    engine: sa.Engine
    place: str

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection for some statements, each of which sees all that is committed.

        Raises:
            BusyError: none is free.
            StoreError: the database does not answer.
        """
        with refusals(self.place):
            try:
                with self.engine.connect() as connection:
                    yield connection
            except sa.exc.DBAPIError as error:
                if error.connection_invalidated:
                    self.engine.dispose()  # the others of the pool have died with it
                raise
