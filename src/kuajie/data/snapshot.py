"""Snapshots: frozen, cleaned training data; a folder of Parquet files and `manifest.json`.

    events.parquet     person, account, item (joint number), kind, occurred_at, value, source, row[, event_id,
                       exposure_id]; by person, oldest first
    events.*.npy       what histories are made of once more, to be mapped into memory (`data.event_columns`)
    items.parquet      domain, item, title, ...; the row is the joint number
    accounts.parquet   domain, user, person, events, flag; by user and domain; the row is the account's number
    lent.parquet       borrower, lender (account numbers), confidence
    knowledge.parquet  domain, head, relation, tail; where there is a graph
    declared.parquet   domain, user, attributes (JSON object); where accounts declared something
    vectors.parquet    ready-made vectors, a column of lists each; the row is the joint number; where there are any
    store.json         {"sequence": ...}: up to which change of the operational store it holds; where it was read

Written to a temporary folder, synced, renamed; the id is a hash of everything in it. What was there before stays
until the new one is whole.
"""

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from kuajie.core.errors import ArtifactError, UsageError
from kuajie.core.files import refusals_named, sync, write_file
from kuajie.core.records import Record, Snapshot
from kuajie.data.overlap import OverlapReport
from kuajie.data.quality import QualityAccount

FORMAT = 2
MANIFEST, LATEST = "manifest.json", "latest"
EVENTS, ITEMS, ACCOUNTS, LENT_FILE, KNOWLEDGE, DECLARED, PLACES, VECTORS = (
    f"{name}.parquet" for name in ("events", "items", "accounts", "lent", "knowledge", "declared", "places", "vectors")
)
STORE = "store.json"
TEMPORARY = ".new-"
STALE_SECONDS = 86_400


class FileEntry(Record, frozen=True):
    """One file of a snapshot."""

    sha256: str
    bytes: int


class Manifest(Record, frozen=True):
    """What a snapshot says about itself.

    Attributes:
        format: version of this layout.
        kuajie: version that wrote it.
        as_of: when it was frozen; links were valid then.
        oldest, newest: times of the events; None where no event has one.
        timed: share of events with a time, of each domain.
        flagged: whether events of flagged accounts are trained on.
        files: name -> what it must be.
    """

    format: int
    kuajie: str
    as_of: datetime
    domains: tuple[str, ...]
    people: int
    linked_people: int
    accounts: int
    events: int
    items: dict[str, int]
    oldest: datetime | None
    newest: datetime | None
    timed: dict[str, float]
    flagged: str
    quality: QualityAccount
    overlap: OverlapReport
    files: dict[str, FileEntry]

    @property
    def snapshot_id(self) -> str:
        """A hash of everything in the snapshot."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


@dataclass(frozen=True)
class SnapshotFolder:
    """A snapshot that was found whole."""

    path: Path
    manifest: Manifest

    @property
    def record(self) -> Snapshot:
        """The record of it."""
        manifest = self.manifest
        return Snapshot(
            snapshot_id=manifest.snapshot_id,
            as_of=manifest.as_of,
            domains=manifest.domains,
            people=manifest.people,
            linked_people=manifest.linked_people,
            events=manifest.events,
            items=manifest.items,
        )

    @property
    def store_sequence(self) -> int:
        """The last change of the operational store that is in it; 0 where no store was read."""
        file = self.path / STORE
        return msgspec.json.decode(file.read_bytes(), type=dict[str, int])["sequence"] if file.is_file() else 0

    def read(self, name: str, columns: list[str] | None = None) -> pl.DataFrame:
        """One of the Parquet files."""
        return pl.read_parquet(self.path / name, columns=columns)


def open_snapshot(folder: Path) -> SnapshotFolder:
    """Check every file of a snapshot against its manifest.

    Raises:
        UsageError: there is no such snapshot.
        ArtifactError: it is damaged, incomplete, or of another version.
    """
    if not (folder / MANIFEST).is_file():
        raise UsageError("there is no snapshot in {folder}. Run: kuajie import", folder=folder)
    text = (folder / MANIFEST).read_bytes()
    try:
        version = msgspec.json.decode(text).get("format")
        if version != FORMAT:
            raise ArtifactError(
                "{folder}: the snapshot has format {version}, this kuajie reads {format}. Run the import again.",
                folder=folder,
                version=version,
                format=FORMAT,
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, AttributeError, UnicodeDecodeError):
        raise ArtifactError(
            "{folder}: {file} is damaged. Run the import again.", folder=folder, file=MANIFEST
        ) from None
    if manifest.snapshot_id != folder.name:
        raise ArtifactError(
            "{folder}: {file} does not belong to this snapshot, or was changed. Run the import again.",
            folder=folder,
            file=MANIFEST,
        )
    for name, entry in manifest.files.items():
        if not (folder / name).is_file():
            raise ArtifactError("{folder}: {name} is missing. Run the import again.", folder=folder, name=name)
        if _entry(folder / name) != entry:
            raise ArtifactError(
                "{folder}: {name} is damaged (its SHA-256 is not that of the manifest). Run the import again.",
                folder=folder,
                name=name,
            )
    return SnapshotFolder(folder, manifest)


def latest_snapshot(warehouse: Path) -> SnapshotFolder:
    """The snapshot that the last import wrote.

    Raises:
        UsageError: nothing was imported yet.
        ArtifactError: it is damaged.
    """
    pointer = warehouse / LATEST
    if not pointer.is_file():
        raise UsageError("nothing was imported into {warehouse} yet. Run: kuajie import", warehouse=warehouse)
    name = pointer.read_text(encoding="utf-8", errors="replace").strip()
    if not (warehouse / name / MANIFEST).is_file() or name != Path(name).name:
        raise ArtifactError(
            "{pointer} names the snapshot '{name}', which is not there. Run the import again.",
            pointer=pointer,
            name=name[:80],
        )
    return open_snapshot(warehouse / name)


class Moment(msgspec.Struct):
    """When a snapshot was frozen."""

    as_of: datetime


def snapshots(warehouse: Path) -> tuple[list[str], str | None]:
    """The names of all snapshots with a readable manifest, oldest first, and the one that `latest` names."""
    dated = []
    for path in warehouse.glob(f"[0-9a-f]*/{MANIFEST}"):
        try:
            dated.append((msgspec.json.decode(path.read_bytes(), type=Moment).as_of, path.parent.name))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            continue
    pointer = warehouse / LATEST
    latest = pointer.read_text(encoding="utf-8", errors="replace").strip() if pointer.is_file() else None
    return [name for _, name in sorted(dated)], latest


@contextmanager
def temporary_folder(warehouse: Path) -> Iterator[Path]:
    """A folder beside the snapshots that is gone afterwards, whatever happens.

    Raises:
        ResourceError: the disk is full, or refuses; whichever library met it.
    """
    with refusals_named(warehouse), _refusals_of_polars(warehouse):
        warehouse.mkdir(parents=True, exist_ok=True)
        _sweep(warehouse)
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=warehouse))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(warehouse: Path) -> None:
    """Remove what killed imports left behind a day ago or earlier."""
    for folder in warehouse.glob(f"{TEMPORARY}*"):
        if time.time() - folder.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _refusals_of_polars(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        if "No space left on device" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place)) from error
        raise


def publish(folder: Path, warehouse: Path, describe: Callable[[dict[str, FileEntry]], Manifest]) -> SnapshotFolder:
    """Seal a folder of Parquet files, move it to its place, and point `latest` to it.

    Args:
        folder: on the same disk as the warehouse; every file in it belongs to the snapshot.
        warehouse: where snapshots lie.
        describe: the manifest, given the files.
    """
    files = {path.name: _entry(path) for path in sorted(folder.iterdir())}
    manifest = describe(files)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1))
    for path in folder.iterdir():
        sync(path)
    sync(folder)
    folder.chmod(0o755)
    place = warehouse / manifest.snapshot_id
    if not place.exists():  # the very same was imported before
        folder.rename(place)
    sync(warehouse)
    write_file(warehouse / LATEST, f"{manifest.snapshot_id}\n")
    return SnapshotFolder(place, manifest)


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return FileEntry(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)
