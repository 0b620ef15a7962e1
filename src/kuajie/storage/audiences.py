"""Audiences on disk: a folder for each, with `arrays.safetensors` and `manifest.json`, and no person's row."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import kuajie
from kuajie.core.errors import ArtifactError, KuajieError
from kuajie.core.files import new_folder
from kuajie.core.records import Record
from kuajie.profiles.audience import About, Audience
from kuajie.storage.artifacts import (
    ARRAYS,
    MANIFEST,
    ArrayEntry,
    described,
    read_arrays,
    read_sealed,
    write_manifest,
)
from kuajie.storage.tensors import first_not_finite, write_tensors

FORMAT = 2
KEPT = 3


class Manifest(Record, frozen=True):
    """What is stored."""

    format: int
    kuajie: str
    about: About
    arrays: dict[str, ArrayEntry]
    files: dict[str, str]


@dataclass(frozen=True)
class AudienceFolder:
    """`workflows.ports.AudienceStore` on disk; names sort by time."""

    folder: Path

    def save(self, audience: Audience) -> None:
        """See `AudienceStore.save`."""
        arrays = audience.arrays()
        broken = first_not_finite(arrays)
        if broken is not None:
            raise ArtifactError(
                "the segments have values in '{broken}' that are not finite; nothing is saved", broken=broken
            )
        with new_folder(self.folder / audience.about.fitted_at.strftime("%Y%m%dT%H%M%S%fZ")) as draft:
            manifest = Manifest(
                format=FORMAT,
                kuajie=kuajie.__version__,
                about=audience.about,
                arrays=described(arrays),
                files={ARRAYS: write_tensors(draft / ARRAYS, arrays)},
            )
            write_manifest(draft / MANIFEST, manifest)
        for name in self._names()[:-KEPT]:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def load(self) -> Audience | None:
        """See `AudienceStore.load`."""
        names = self._names()
        if not names:
            return None
        folder = self.folder / names[-1]
        try:
            manifest = read_sealed(folder, Manifest, FORMAT)
            return Audience.from_arrays(manifest.about, read_arrays(folder, manifest.files, manifest.arrays))
        except KuajieError as error:
            raise ArtifactError(
                "the segments cannot be used: {error} Find them anew: kuajie profile --fit", error=error
            ) from error

    def _names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith("."))
