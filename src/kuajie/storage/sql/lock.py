"""One writing process for one SQLite file."""

import os
from pathlib import Path
from typing import Self

from kuajie.core.errors import TakenError
from kuajie.core.locks import open_locked


class WriterLock:
    """Held as long as the process writes; the system lets go of it when the process dies."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.lock")
        self._file: int | None = None

    def take(self) -> Self:
        """Become the writer.

        Raises:
            TakenError: another process, or another store of this one, is the writer.
            ResourceError: the disk refuses.
        """
        file = open_locked(self.path)
        if file is None:
            holder = self.path.read_text(encoding="ascii", errors="replace")[:32].strip()
            raise TakenError(
                "{database} is being written by another process ({holder}). SQLite has one writer: stop the other one, "
                "or name a MySQL or PostgreSQL database in [store] of kuajie.toml, which many processes may share.",
                database=self.path.with_suffix(""),
                holder=f"pid {holder}" if holder else "unknown",
            )
        os.truncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file
        return self

    def release(self) -> None:
        """Let somebody else write. The file stays: removing it would let two processes lock two files."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
