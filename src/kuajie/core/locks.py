"""One process at a time: a locked file, which the system lets go of when its process dies."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kuajie.core.files import refusals_named


def open_locked(path: Path) -> int | None:
    """The descriptor of a file that this process has locked; None where another one has it.

    Raises:
        ResourceError: the disk refuses.
    """
    with refusals_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        _lock(file)
    except OSError:
        os.close(file)
        return None
    return file


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether this process has the lock, as long as the block lasts; it never waits.

    The file stays: removing it would let two processes lock two files. On a network the file system must lock for all
    its machines, as NFS does from version 4 on.

    Raises:
        ResourceError: the disk refuses.
    """
    file = open_locked(path)
    try:
        yield file is not None
    finally:
        if file is not None:
            os.close(file)


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, 1_000, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
