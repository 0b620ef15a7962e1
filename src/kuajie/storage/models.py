"""Model versions as folders of one folder.

The file `serving` names the one that serves, `served` the last three, `pinned` those that must stay.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kuajie.core.errors import ArtifactError, UsageError
from kuajie.core.files import refusals_named, write_file
from kuajie.core.names import suggest
from kuajie.core.recommender import Recommender
from kuajie.core.records import ModelVersion
from kuajie.core.space import ItemSpace
from kuajie.core.statistics import Statistics
from kuajie.core.texts import Text
from kuajie.storage.artifacts import load_model, read_manifest, save_model
from kuajie.storage.sums import load_sums, save_sums
from kuajie.workflows.ports import StoredModel

SERVING, SERVED, PINNED = "serving", "served", "pinned"
KEPT = 3
"""Versions that can be gone back to."""


@dataclass(frozen=True)
class ModelFolder:
    """`workflows.ports.ModelStore` on disk."""

    folder: Path

    def save(self, model: Recommender, space: ItemSpace, version: ModelVersion, *, serve: bool = True) -> None:
        """See `ModelStore.save`."""
        save_model(model, space, self.folder / version.model_version, version)
        if serve:
            self._point(version.model_version)

    def keep_sums(self, model_version: str, sums: dict[str, Statistics]) -> None:
        """See `ModelStore.keep_sums`."""
        save_sums(self.folder / self._known(model_version), sums)

    def sums(self, model_version: str) -> dict[str, Statistics]:
        """See `ModelStore.sums`."""
        return load_sums(self.folder / self._known(model_version))

    def load(self, model_version: str | None = None) -> StoredModel:
        """See `ModelStore.load`."""
        name = model_version or self._served()
        if name is None:
            raise UsageError("there is no trained model in {folder}. Run: kuajie train", folder=self.folder)
        return load_model(self.folder / self._known(name))

    def serving(self) -> str | None:
        """See `ModelStore.serving`."""
        pointer = self.folder / SERVING
        return pointer.read_text(encoding="utf-8", errors="replace").strip() if pointer.is_file() else None

    def activated_at(self) -> datetime | None:
        """See `ModelStore.activated_at`."""
        try:
            return datetime.fromtimestamp((self.folder / SERVING).stat().st_mtime, UTC)
        except OSError:
            return None

    def _served(self) -> str | None:
        """What `serving` names, which must be there."""
        name = self.serving()
        if name is not None and name not in self._names():
            raise ArtifactError(
                "{pointer} names the model version '{name}', which is not there. Run: kuajie models --serve VERSION",
                pointer=self.folder / SERVING,
                name=name[:80],
            )
        return name

    def serve(self, model_version: str) -> None:
        """See `ModelStore.serve`."""
        self.load(model_version)
        self._point(model_version)

    def served(self) -> list[str]:
        """See `ModelStore.served`."""
        there = set(self._names())
        return [name for name in dict.fromkeys([self.serving() or "", *self._list(SERVED)]) if name in there][:KEPT]

    def pinned(self) -> list[str]:
        """See `ModelStore.pinned`."""
        there = set(self._names())
        return [name for name in self._list(PINNED) if name in there]

    def pin(self, model_version: str, *, keep: bool = True) -> None:
        """See `ModelStore.pin`."""
        others = [name for name in self.pinned() if name != self._known(model_version)]
        write_file(self.folder / PINNED, "".join(f"{name}\n" for name in [*others, *[model_version] * keep]))

    def remove(self, model_version: str) -> None:
        """See `ModelStore.remove`; no other process ever sees a part of a version."""
        folder = self.folder / self._known(model_version)
        if model_version in {self.serving(), *self.pinned()}:
            raise UsageError(
                "the model version '{name}' serves or is pinned, and is not removed. Activate another, or: "
                "kuajie models unpin {name}",
                name=model_version,
            )
        with refusals_named(folder):
            for left in self.folder.glob(".*.gone"):  # by whoever was killed here
                shutil.rmtree(left, ignore_errors=True)
            shutil.rmtree(folder.rename(folder.with_name(f".{model_version}.gone")), ignore_errors=True)

    def versions(self) -> list[ModelVersion]:
        """See `ModelStore.versions`."""
        readable = [read for read in map(self._read, self._names()) if isinstance(read, ModelVersion)]
        return sorted(readable, key=lambda version: (version.created_at, version.model_version))

    def damaged(self) -> dict[str, Text]:
        """See `ModelStore.damaged`."""
        read = {name: self._read(name) for name in self._names()}
        return {name: result for name, result in read.items() if isinstance(result, Text)}

    def _read(self, name: str) -> ModelVersion | Text:
        try:
            return read_manifest(self.folder / name).version
        except ArtifactError as error:
            return error.text

    def _known(self, name: str) -> str:
        """A name that there is.

        Raises:
            UsageError: there is not.
        """
        if name not in self._names():
            raise UsageError(
                "there is no model version '{name}' in {folder}{hint}",
                name=name,
                folder=self.folder,
                hint=suggest(name, self._names()),
            )
        return name

    def _list(self, file: str) -> list[str]:
        path = self.folder / file
        return path.read_text(encoding="utf-8", errors="replace").split() if path.is_file() else []

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith("."))

    def _point(self, model_version: str) -> None:
        earlier = [name for name in self.served() if name != model_version]
        write_file(self.folder / SERVED, "".join(f"{name}\n" for name in [model_version, *earlier][:KEPT]))
        write_file(self.folder / SERVING, model_version + "\n")
