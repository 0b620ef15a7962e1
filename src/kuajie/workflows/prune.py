"""Prune: model versions and snapshots that nobody will go back to are removed.

Kept are what serves, what served last (as many as can be rolled back to), what is pinned, the newest versions, and the
snapshots of all of these.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from kuajie.core.errors import UsageError
from kuajie.core.files import refusals_named
from kuajie.data.snapshot import snapshots
from kuajie.workflows.ports import ModelStore


@dataclass(frozen=True)
class Pruned:
    """What was removed."""

    models: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()


def prune(models: ModelStore, warehouse: Path, kept: int = 3) -> Pruned:
    """Remove what is not kept; damaged versions stay for whoever wants to know why.

    Args:
        models: the versions.
        warehouse: the snapshots.
        kept: so many of the newest of either stay in any case.

    Raises:
        ResourceError: the disk refuses.
    """
    versions = models.versions()
    wanted = {*models.served(), *models.pinned(), models.serving(), *(v.model_version for v in versions[-kept:])}
    old = [version.model_version for version in versions if version.model_version not in wanted]
    removed = []
    for name in old:
        try:
            models.remove(name)
        except UsageError:  # somebody activated, pinned or removed it meanwhile
            continue
        removed.append(name)
    named = {version.snapshot_id for version in models.versions()}
    return Pruned(tuple(removed), tuple(prune_snapshots(warehouse, named, kept)))


def prune_snapshots(warehouse: Path, named: set[str], kept: int) -> list[str]:
    """Remove snapshots that no model names, but the newest and the one that the last import wrote."""
    found, latest = snapshots(warehouse)
    old = [name for name in found[: max(0, len(found) - kept)] if name not in named and name != latest]
    for name in old:
        with refusals_named(warehouse / name):
            gone = (warehouse / name).rename(warehouse / f".new-gone-{name}")  # swept where this is interrupted
            shutil.rmtree(gone, ignore_errors=True)
    return old
