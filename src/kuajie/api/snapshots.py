"""Sources in, snapshots out."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kuajie.bootstrap import operational_store, store_exists
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Text
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import latest_snapshot
from kuajie.workflows.export import with_store
from kuajie.workflows.ingest import IngestResult, ingest
from kuajie.workflows.workspace import Workspace, WorkspaceConfig

Remark = Callable[[Text], None]
"""Told what the caller should not miss."""


def warned(text: Text) -> None:
    """A remark as a Python warning."""
    warnings.warn(str(text), stacklevel=2)


def import_data(
    workspace: Workspace, *, store: bool = True, progress: Progress = silent, remark: Remark = warned
) -> IngestResult:
    """Read, clean and link the sources of a workspace into a new snapshot.

    Args:
        workspace: names the sources.
        store: whether what the service has stored, if anything, is one more source.
        progress: told how far it is.
        remark: told what the reader should not miss; left out: a Python warning.

    Raises:
        DataError: a source cannot be read, too many rows are bad, or a domain is empty.
        ConfigError: the configuration does not fit the sources.
        ResourceError: the disk is full.
        StoreError: the operational store does not answer.
    """
    with _sources(workspace, store, remark) as (config, sequence):
        graph = workspace.config.graph
        return ingest(config, workspace.root, progress=progress, store_sequence=sequence, graph=graph)


def newest_dataset(workspace: Workspace) -> JointDataset:
    """The newest snapshot of a workspace, opened.

    Raises:
        DataError: nothing was imported yet.
        ArtifactError: it is damaged.
    """
    return JointDataset.open(latest_snapshot(workspace.warehouse).path, workspace.config.strength)


@contextmanager
def _sources(workspace: Workspace, store: bool, remark: Remark) -> Iterator[tuple[WorkspaceConfig, int | None]]:
    """What to import, and up to which change of the store."""
    if not (store and store_exists(workspace)):
        yield workspace.config, None
        return
    opened = operational_store(workspace, write=False)
    try:
        with with_store(workspace.config, opened, workspace.warehouse) as (config, exported):
            if exported.unused_links:
                remark(Text("The store holds links, which are not used: [identity] method is not links."))
            yield config, exported.sequence
    finally:
        opened.close()
