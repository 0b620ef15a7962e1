"""Writing that is all or nothing: what was there before stays until the new is complete and on disk."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp

from kuajie.core.errors import KuajieError, ResourceError, UsageError
from kuajie.core.language import message
from kuajie.core.texts import Text

REFUSALS = (
    message("Address already in use"),
    message("Cannot assign requested address"),
    message("File exists"),
    message("Is a directory"),
    message("No such file or directory"),
    message("No space left on device"),
    message("Not a directory"),
    message("Permission denied"),
    message("Read-only file system"),
    message("Too many open files"),
)
"""What operating systems say most often (`os.strerror`), so that it can be said in other languages."""


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A temporary folder beside `place` to fill; at the end it is synced and renamed to `place`.

    Leaves nothing behind when the block or the disk fails.

    Raises:
        UsageError: `place` exists already.
        ResourceError: the disk refuses.
    """
    if place.exists():
        raise UsageError("{place} exists already. Choose another name, or remove it first.", place=place)
    with refusals_named(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=f".{place.name}.", suffix=".draft", dir=place.parent))
    try:
        with refusals_named(place):
            yield draft
            for path in sorted(draft.rglob("*"), reverse=True):
                sync(path)
            sync(draft)
            draft.chmod(0o755)
            draft.rename(place)
            sync(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def filled_folder(place: Path) -> Iterator[Path]:
    """A temporary folder to fill; at the end its files take their places in `place`, replacing those of their names.

    Until then `place` stays as it was, and it does so when the block or the disk fails.

    Raises:
        ResourceError: the disk refuses.
    """
    with refusals_named(place):
        made = not place.exists()
        place.mkdir(parents=True, exist_ok=True)
        try:
            draft = Path(mkdtemp(prefix=".", suffix=".draft", dir=place))
            try:
                yield draft
                files = sorted(path for path in draft.rglob("*") if path.is_file())
                for path in files:
                    sync(path)
                for path in files:
                    goal = place / path.relative_to(draft)
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(goal)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except BaseException:
            if made:
                shutil.rmtree(place, ignore_errors=True)
            raise


def write_file(place: Path, content: bytes | str | Iterable[str]) -> None:
    """Replace a file by a complete one; parts are written one after the other.

    Raises:
        ResourceError: the disk refuses; the old file is untouched.
    """
    parts = [content] if isinstance(content, bytes | str) else content
    with refusals_named(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=place.parent, prefix=f".{place.name}.", suffix=".draft", delete=False) as file:
            draft = Path(file.name)
            try:
                file.writelines(part.encode() if isinstance(part, str) else part for part in parts)
                file.flush()
                os.fsync(file.fileno())
                draft.chmod(0o644)
                draft.replace(place)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        sync(place.parent)


def make_private(place: Path) -> None:
    """Make an empty file that only its owner may read; one that is there stays as it is, and is not even opened.

    Raises:
        OSError: the disk refuses.
    """
    with suppress(FileExistsError):
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def sync(path: Path) -> None:
    """Wait until a file or a folder's list of names is on disk; does nothing where folders cannot be synced."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refusal(error: OSError) -> Text:
    """Why the operating system refused."""
    return Text(error.strerror or str(error))


@contextmanager
def refusals_named(place: Path) -> Iterator[None]:
    """Turn the operating system's refusal into one sentence that names what was being written."""
    try:
        yield
    except KuajieError:
        raise
    except OSError as error:
        raise ResourceError(
            "{place} could not be written: {reason}. Nothing was changed; make room or choose another "
            "folder, and run again.",
            place=place,
            reason=refusal(error),
        ) from error
