"""One writing process for one SQLite file."""

import os
import sys
from pathlib import Path
from typing import Self

from kuajie.core.errors import TakenError
from kuajie.core.files import refusals_named


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
        with refusals_named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            _lock(file)
        except OSError:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            os.close(file)
            raise TakenError(
                "{database} is being written by another process ({holder}). SQLite has one writer: stop the other one, "
                "or name a MySQL or PostgreSQL database in [store] of kuajie.toml, which many processes may share.",
                database=self.path.with_suffix(""),
                holder=f"pid {holder}" if holder else "unknown",
            ) from None
        os.truncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file
        return self

    def release(self) -> None:
        """Let somebody else write. The file stays: removing it would let two processes lock two files."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, 1_000, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
