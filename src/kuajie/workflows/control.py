"""How commands reach the service that writes the store which they would have to write: SQLite has one writer.

The service puts its address and a key of its own into a file that only its user can read, as only they can write the
database; the key is made for the process, is nowhere else, and ends with it.
"""

import os
from pathlib import Path

import msgspec

from kuajie.core.files import refusals_named

FILE = ".kuajie-serving.json"


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service answers, and the key that it takes from commands."""

    url: str
    key: str


def offer(root: Path, control: Control) -> None:
    """Let commands find the service.

    Raises:
        ResourceError: the disk refuses.
    """
    place = root / FILE
    draft = place.with_name(f"{FILE}.{os.getpid()}")
    with refusals_named(place):
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(msgspec.json.encode(control))
        draft.replace(place)


def withdraw(root: Path) -> None:
    """The service ends."""
    (root / FILE).unlink(missing_ok=True)


def offered(root: Path) -> Control | None:
    """What a service has offered, if it still runs or was killed; None where there is none."""
    try:
        return msgspec.json.decode((root / FILE).read_bytes(), type=Control)
    except (OSError, msgspec.MsgspecError):
        return None
