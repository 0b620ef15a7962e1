"""Doctor: look at everything that a workspace needs, and say what is broken; nothing is changed."""

from collections.abc import Callable
from pathlib import Path

from kuajie.core.errors import KuajieError, UsageError
from kuajie.core.language import message
from kuajie.data.snapshot import latest_snapshot
from kuajie.workflows.ports import ModelStore
from kuajie.workflows.schedule import LoopLog, told
from kuajie.workflows.stores import Finding, Store
from kuajie.workflows.workspace import Workspace


def examine(
    root: Path, models_of: Callable[[Workspace], ModelStore], store_of: Callable[[Workspace], Store | None]
) -> list[Finding]:
    """What there is to find, in the order of the way of an event.

    Args:
        root: the workspace.
        models_of: opens the models.
        store_of: opens the operational store for reading; None where there is none yet.
    """
    try:
        workspace = Workspace.open(root)
    except KuajieError as error:
        return [Finding(message("the configuration can be read"), ok=False, detail=error.text)]
    findings = [Finding(message("the configuration can be read"), ok=True, detail=", ".join(workspace.config.domains))]
    findings.append(_look(message("the sources are there"), lambda: _sources(workspace)))
    findings.append(_look(message("the snapshot is whole"), lambda: _snapshot(workspace)))
    findings.append(_look(message("the model that serves is whole"), lambda: _model(workspace, models_of(workspace))))
    return findings + _loop(workspace) + _store(workspace, store_of)


def _loop(workspace: Workspace) -> list[Finding]:
    """What became of the last round, where there was one; rounds that found nothing to do say nothing."""
    rounds = [each for each in LoopLog(workspace.models).rounds() if each.outcome != "skipped"]
    if not rounds:
        return []
    return [Finding(message("the last round of the loop went well"), ok=not rounds[-1].bad, detail=told(rounds))]


def _look(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=look())
    except KuajieError as error:
        return Finding(name, ok=False, detail=error.text)


def _sources(workspace: Workspace) -> str:
    paths = [
        source.path
        for domain in workspace.config.domains.values()
        for source in (*domain.events, *domain.items, *domain.users, *domain.kg)
        if source.path is not None
    ]
    missing = [path for path in paths if not (workspace.root / path).is_file()]
    if missing:
        raise UsageError("there is no file {files}. Put it there, or correct kuajie.toml.", files=", ".join(missing))
    return str(len(paths))


def _snapshot(workspace: Workspace) -> str:
    return latest_snapshot(workspace.warehouse).record.snapshot_id


def _model(workspace: Workspace, models: ModelStore) -> str:
    """Its snapshot need not be the last one, but it must be there."""
    version = models.load().version
    if not (workspace.warehouse / version.snapshot_id).is_dir():
        raise UsageError(
            "the model {version} was trained on the snapshot {snapshot}, which is not there any more. "
            "Run: kuajie train",
            version=version.model_version,
            snapshot=version.snapshot_id,
        )
    return version.model_version


def _store(workspace: Workspace, store_of: Callable[[Workspace], Store | None]) -> list[Finding]:
    try:
        store = store_of(workspace)
    except KuajieError as error:
        return [Finding(message("the operational store can be opened"), ok=False, detail=error.text)]
    if store is None:
        return []  # the first start of the service makes it
    try:
        return store.check()
    finally:
        store.close()
