"""Models that serve: trained, fitted again, by the loop."""

from contextlib import suppress

from kuajie.api.snapshots import import_data, newest_dataset
from kuajie.bootstrap import model_store, operational_store, store_exists
from kuajie.core.errors import ArtifactError
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Text
from kuajie.workflows import train as training
from kuajie.workflows.loop import Loop, newer_events
from kuajie.workflows.refit import RefitResult, earlier_of
from kuajie.workflows.refit import refit as refit_version
from kuajie.workflows.schedule import Round
from kuajie.workflows.serving import open_server as open_stored
from kuajie.workflows.workspace import Workspace


def train(workspace: Workspace, *, progress: Progress = silent) -> training.TrainResult:
    """Choose a blend of models on validation data of the newest snapshot, fit it, and let it serve.

    The budget is `[training]` of the workspace; `workspace.with_budget(seconds)` has another.

    Raises:
        DataError: there is no snapshot, or nothing to train on.
        ResourceError: the chosen blend does not fit into memory, or the disk refuses.
    """
    return training.train(
        newest_dataset(workspace),
        model_store(workspace),
        workspace.fit_options,
        config=workspace.config.training,
        progress=progress,
    )


def refit(workspace: Workspace, *, model: str | None = None) -> RefitResult:
    """Fit the blend of a version on the newest snapshot, without choosing anew, and let it serve.

    Args:
        workspace: whose snapshot and models.
        model: a version; left out: the one that serves.

    Raises:
        UsageError: there is no such version, or its blend does not fit the snapshot.
        DataError: there is no snapshot, or nothing to train on.
        ResourceError: it does not fit into memory, or the disk refuses.
    """
    models = model_store(workspace)
    earlier = None
    with suppress(ArtifactError):  # its snapshot is gone: everything is fitted anew
        earlier = earlier_of(open_stored(workspace, models, model_version=model), models)
    dataset = newest_dataset(workspace)
    return refit_version(dataset, models, workspace.fit_options, model_version=model, earlier=earlier)


def loop_once(workspace: Workspace, *, force: bool = False, progress: Progress = silent) -> Round:
    """One round of the loop now: import, train, compare, activate; what fails is in the round that is returned.

    Args:
        workspace: whose section `[loop]` counts.
        force: also without enough new events.
        progress: told stages.

    Raises:
        JobError: another process runs one.
        ResourceError: the disk refuses.
    """

    def newer(sequence: int, most: int) -> int:
        if not store_exists(workspace):
            return 0
        store = operational_store(workspace, write=False)
        try:
            return newer_events(store.events, sequence, most)
        finally:
            store.close()

    remarks: list[Text] = []
    loop = Loop(
        workspace,
        model_store(workspace),
        newer,
        lambda: import_data(workspace, progress=progress, remark=remarks.append),
        progress,
    )
    return loop.round(force=force)
