"""Fitted models on disk: a folder with `arrays.safetensors` and `manifest.json`.

Everything is checked before a model is handed out: format, SHA-256 of every file and of the manifest itself, shapes and
dtypes, finite numbers, and whether the model accepts its arrays and scores. Nothing that could execute is ever loaded.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import kuajie
from kuajie.core.errors import ArtifactError, CallError, ConfigError, KuajieError
from kuajie.core.files import new_folder, refusal
from kuajie.core.histories import Histories
from kuajie.core.recommender import Arrays, Recommender
from kuajie.core.records import ModelVersion, Record
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.models.registry import model_class, parse_config
from kuajie.storage.tensors import first_not_finite, map_tensors, sha256_of, write_tensors
from kuajie.workflows.ports import StoredModel

M = TypeVar("M", bound=Record)

FORMAT = 1
ARRAYS, MANIFEST = "arrays.safetensors", "manifest.json"


class ArrayEntry(Record, frozen=True):
    """One array as the manifest describes it."""

    shape: tuple[int, ...]
    dtype: str


class Manifest(Record, frozen=True):
    """What is stored, and what it must look like when read again."""

    format: int
    kuajie: str
    version: ModelVersion
    config: dict[str, Any]
    domains: tuple[str, ...]
    sizes: tuple[int, ...]
    arrays: dict[str, ArrayEntry]
    files: dict[str, str]


class Sealed(Record, frozen=True):
    """The file `manifest.json`: the manifest and the SHA-256 of its text."""

    sha256: str
    manifest: msgspec.Raw


def save_model(model: Recommender, space: ItemSpace, folder: Path, version: ModelVersion) -> Path:
    """Save a fitted model; all or nothing.

    Metrics that are not finite were not measured, and are left out.

    Raises:
        ArtifactError: the model holds NaN or infinite values.
        UsageError: the folder exists.
        ResourceError: the disk refuses.
    """
    arrays = model.arrays()
    broken = first_not_finite(arrays)
    if broken is not None:
        raise ArtifactError(
            "the fitted '{kind}' has values in '{broken}' that are not finite; it is not saved",
            kind=version.kind,
            broken=broken,
        )
    with new_folder(folder) as draft:
        manifest = Manifest(
            format=FORMAT,
            kuajie=kuajie.__version__,
            version=msgspec.structs.replace(version, metrics=_finite(version.metrics)),
            config=model.config.model_dump(mode="json"),
            domains=space.domains,
            sizes=space.sizes,
            arrays=described(arrays),
            files={ARRAYS: write_tensors(draft / ARRAYS, arrays)},
        )
        write_manifest(draft / MANIFEST, manifest)
    return folder


def write_manifest(path: Path, manifest: Record) -> None:
    """Write a manifest with the SHA-256 of its text."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    seal = hashlib.sha256(text).hexdigest().encode()
    path.write_bytes(b'{"sha256": "' + seal + b'",\n"manifest": ' + text + b"}\n")


def load_model(folder: Path) -> StoredModel:
    """Read a model and check all of it.

    Raises:
        ArtifactError: it is damaged, incomplete, or of another version.
    """
    manifest = read_manifest(folder)
    arrays = read_arrays(folder, manifest.files, manifest.arrays)
    space = ItemSpace(manifest.domains, manifest.sizes)
    try:
        config = parse_config(manifest.config, folder / MANIFEST)
        model = model_class(manifest.version.kind).from_arrays(config, space, arrays)
        _probe(model, space)
    except KuajieError as error:
        raise ArtifactError("{folder} cannot be used: {error}", folder=folder, error=error) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError) as error:
        raise ArtifactError(
            "{folder} cannot be used: its arrays do not make a '{kind}' model ({fault}: {error}). "
            "Train again, or restore the folder from a copy.",
            folder=folder,
            kind=manifest.version.kind,
            fault=type(error).__name__,
            error=error,
        ) from error
    return StoredModel(model, space, manifest.version)


def read_manifest(folder: Path) -> Manifest:
    """The checked manifest of a model alone; cheap.

    Raises:
        ArtifactError: missing, damaged, or of another version.
    """
    return read_sealed(folder, Manifest, FORMAT)


def read_sealed(folder: Path, kind: type[M], format: int) -> M:
    """The checked manifest of a folder.

    Raises:
        ArtifactError: missing, damaged, or of another version.
    """
    path = folder / MANIFEST
    try:
        sealed = msgspec.json.decode(path.read_bytes(), type=Sealed)
        if hashlib.sha256(bytes(sealed.manifest)).hexdigest() != sealed.sha256:
            raise _damaged(path, Text("its SHA-256 is not the one it was written with"))
        found = msgspec.json.decode(sealed.manifest, type=dict[str, Any])["format"]
        if found != format:
            raise ArtifactError(
                "{path} is of format {found}, this kuajie {version} reads format {format}. Install the "
                "kuajie that wrote it, or train again.",
                path=path,
                found=found,
                version=kuajie.__version__,
                format=format,
            )
        return msgspec.json.decode(sealed.manifest, type=kind)
    except OSError as error:
        raise ArtifactError(
            "{path} cannot be read: {reason}. Is {folder} a saved model?",
            path=path,
            reason=refusal(error),
            folder=folder,
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, RecursionError) as error:
        raise _damaged(path, str(error)) from None


def read_arrays(folder: Path, files: Mapping[str, str], entries: Mapping[str, ArrayEntry]) -> Arrays:
    """The checked arrays of a folder.

    Args:
        folder: with `arrays.safetensors`.
        files: name -> SHA-256, of the manifest.
        entries: shapes and types, of the manifest.

    Raises:
        ArtifactError: missing, damaged, or with values that are not finite.
    """
    if set(files) != {ARRAYS}:
        raise _damaged(folder / MANIFEST, Text("it names the files {files}", files=sorted(files)))
    path = folder / ARRAYS
    try:
        if sha256_of(path) != files[ARRAYS]:
            raise _damaged(path, Text("its SHA-256 is not the one in the manifest"))
        arrays = map_tensors(path)
    except OSError as error:
        raise ArtifactError(
            "{path} cannot be read: {reason}. The model is incomplete; train again.", path=path, reason=refusal(error)
        ) from None
    found = described(arrays)
    if found != entries:
        wrong = sorted(name for name in found.keys() | entries if found.get(name) != entries.get(name))
        raise _damaged(path, Text("shape or type of {names} is not the one in the manifest", names=", ".join(wrong)))
    broken = first_not_finite(arrays)
    if broken is not None:
        raise _damaged(path, Text("'{name}' has values that are not finite", name=broken))
    return arrays


def described(arrays: Arrays) -> dict[str, ArrayEntry]:
    """Arrays as a manifest describes them."""
    return {name: ArrayEntry(shape=array.shape, dtype=array.dtype.name) for name, array in arrays.items()}


def _probe(model: Recommender, space: ItemSpace) -> None:
    """Score two short histories, so that wrongly shaped arrays are found now and not by the first user."""
    histories = Histories.from_lists([[], [space.n_items - 1]], space.n_items)
    for domain, size in zip(space.domains, space.sizes, strict=True):
        try:
            shape = model.score(histories, domain).shape
        except ConfigError:  # a blend need not serve every domain
            continue
        if shape != (2, size):
            raise CallError(
                "scores for '{domain}' have the shape {shape} instead of {expected}",
                domain=domain,
                shape=shape,
                expected=(2, size),
            )


def _finite(metrics: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        group: {name: float(value) for name, value in values.items() if math.isfinite(value)}
        for group, values in metrics.items()
    }


def _damaged(path: Path, what: str) -> ArtifactError:
    return ArtifactError("{path} is damaged: {what}. Restore it from a copy, or train again.", path=path, what=what)
