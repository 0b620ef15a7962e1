"""The main job as Python functions of a workspace; `import kuajie` offers them all.

```python
workspace = kuajie.Workspace.open("my-workspace")
kuajie.import_data(workspace)
kuajie.train(workspace)
kuajie.recommend(workspace, "courses:42", "car_parts", k=5)
```
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from kuajie.bootstrap import audience_store, model_store, operational_store, store_exists
from kuajie.core.errors import ArtifactError
from kuajie.core.language import language_of
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import Scope
from kuajie.core.records import Account, RankedList
from kuajie.core.texts import Text
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import latest_snapshot
from kuajie.data.strength import strength
from kuajie.evaluation.candidates import parse_candidates
from kuajie.models import rising as trends
from kuajie.models.rising import Growth
from kuajie.profiles.audience import Audience
from kuajie.workflows import evaluate as evaluating
from kuajie.workflows import tradeoff as trading
from kuajie.workflows import train as training
from kuajie.workflows import tune as tuning
from kuajie.workflows.benchmark import benchmark
from kuajie.workflows.export import with_store
from kuajie.workflows.find import Findings
from kuajie.workflows.ingest import IngestResult, ingest
from kuajie.workflows.loop import Loop, newer_events
from kuajie.workflows.profile import PersonProfile, profile_of, profiler_of
from kuajie.workflows.refit import RefitResult, earlier_of
from kuajie.workflows.refit import refit as refit_version
from kuajie.workflows.schedule import Round
from kuajie.workflows.segment_people import segment_people as fit_segments
from kuajie.workflows.serving import Server, parse_account
from kuajie.workflows.serving import open_server as open_stored
from kuajie.workflows.workspace import Workspace, WorkspaceConfig

__all__ = [
    "Workspace",
    "benchmark",
    "evaluate",
    "import_data",
    "loop_once",
    "newest_dataset",
    "open_server",
    "profile",
    "recommend",
    "refit",
    "rising",
    "search",
    "segment_people",
    "tradeoff",
    "train",
    "tune",
]

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


def evaluate(
    workspace: Workspace,
    models: Sequence[str] = evaluating.DEFAULT_MODELS,
    *,
    since: datetime | None = None,
    folds: int = 1,
    candidates: str = "full",
    metrics: Sequence[str] = (),
    dataset: JointDataset | None = None,
    progress: Progress = silent,
) -> evaluating.EvaluationResult:
    """Compare models on held-out behaviour of the newest snapshot, in every direction.

    Args:
        workspace: whose data, seed, threads, memory and budget of `auto` count.
        models: names, with ":target" or ":source" where they see a part alone, and "auto".
        since: ask for everything from this moment on; None: the newest item of each person and domain.
        folds: cross-validate with so many folds of people.
        candidates: "full", "sampled-999" or "sampled-99".
        metrics: further ones beside those that are always reported, such as "precision@5".
        dataset: an open snapshot of the workspace; None: the newest.
        progress: told stages.

    Raises:
        UsageError: no such model, metric or mode, or folds together with `since`.
        DataError: there is no snapshot, or nobody has enough history to ask for.
        JobError: no model could be fitted.
    """
    return evaluating.evaluate(
        newest_dataset(workspace) if dataset is None else dataset,
        models,
        since=since,
        folds=folds,
        metrics=metrics,
        candidates=parse_candidates(candidates),
        seed=workspace.config.workspace.seed,
        options=workspace.arena_options,
        chooser=workspace.chooser,
        progress=progress,
    )


def tradeoff(
    workspace: Workspace,
    rerankers: Sequence[str] = tuple(trading.GOALS),
    *,
    model: str = "itemknn",
    factor: int = 10,
    most_loss: float = trading.MOST_LOSS,
    most_rows: int = trading.MOST_ROWS,
    mixed: bool = False,
    dataset: JointDataset | None = None,
    progress: Progress = silent,
) -> trading.TradeoffResult:
    """What re-rankers move and what it costs in NDCG@10, as curves over their strength, on the newest snapshot.

    Args:
        workspace: whose data, seed, threads, memory and budget of `auto` count.
        rerankers: names; each must have a strength.
        model: whose lists, as in `evaluate`.
        factor: a list of ten is chosen from ten times so many candidates.
        most_loss: part of NDCG@10 that the chosen strength may cost on validation rows.
        most_rows: held-out rows of each domain, at most.
        mixed: whether lists hold items of all domains; calibration then is to their mix in the history.
        dataset: an open snapshot of the workspace; None: the newest.
        progress: told stages.

    Raises:
        UsageError: no such model or re-ranker, or one without a strength.
        DataError: there is no snapshot, or nobody has enough history to ask for.
    """
    return trading.tradeoff_of_snapshot(
        newest_dataset(workspace) if dataset is None else dataset,
        kinds=rerankers,
        model=model,
        factor=factor,
        most_loss=most_loss,
        most_rows=most_rows,
        mixed=mixed,
        seed=workspace.config.workspace.seed,
        options=workspace.arena_options,
        chooser=workspace.chooser,
        progress=progress,
    )


def open_server(workspace: Workspace, *, model: str | None = None, language: str | None = None) -> Server:
    """Load a model with its snapshot once, to answer many: `server.recommend(account, target, k)`.

    Args:
        workspace: whose model.
        model: a version; left out: the one that serves.
        language: of titles and reasons; left out: the workspace's, else the system's.

    Raises:
        UsageError: there is no model, or no such language.
        ArtifactError: the model or its snapshot is damaged or missing.
    """
    spoken = language_of(language, workspace.config.workspace.language, environment=os.environ)
    return open_stored(workspace, model_store(workspace), spoken, model)


def recommend(
    workspace: Workspace,
    user: str,
    target: str,
    k: int = 10,
    *,
    model: str | None = None,
    language: str | None = None,
    repeats: bool = False,
) -> RankedList:
    """The k best items of a domain for one person, with reasons. `open_server` answers many without loading again.

    Args:
        workspace: whose model.
        user: who asks, as DOMAIN:ID.
        target: the domain to recommend from.
        k: how many items.
        model: a version; left out: the one that serves.
        language: of titles and reasons; left out: the workspace's, else the system's.
        repeats: whether what the person used before may be in the list.

    Raises:
        UsageError: no such account, domain or model.
        ArtifactError: the model or its snapshot is damaged or missing.
    """
    account = parse_account(user)
    return open_server(workspace, model=model, language=language).recommend(account, target, k, repeats=repeats)


def rising(
    workspace: Workspace,
    domain: str,
    field: str = "category",
    weeks: int = 12,
    level: float = 0.95,
    *,
    dataset: JointDataset | None = None,
) -> list[Growth]:
    """Which topics of a domain rise: the weekly growth of each label's share of all use, with its interval.

    Args:
        workspace: whose newest snapshot.
        domain: whose items.
        field: of the labels: "category", "brand", or an attribute.
        weeks: the newest weeks that are looked at.
        level: of the intervals, over all labels together.
        dataset: an open snapshot of the workspace; None: the newest.

    Raises:
        UsageError: fewer than four weeks, or no such domain.
        DataError: there is no snapshot, no times, or no such labels.
    """
    dataset = newest_dataset(workspace) if dataset is None else dataset
    # of histories, times are known only where every domain has them
    used = dataset.events.where(strength(dataset.events, dataset.now, dataset.strength) > 0)
    return trends.rising(used.item, used.time, dataset.space, dataset.side, domain, field, weeks, level)


def search(
    workspace: Workspace,
    query: str,
    user: str | None = None,
    targets: Sequence[str] = (),
    k: int = 10,
    *,
    model: str | None = None,
    language: str | None = None,
) -> Findings:
    """Items and knowledge that fit a question in words. `open_server` answers many without loading again.

    Args:
        workspace: whose model and snapshot.
        query: such as "first car loan".
        user: whom to rank for, as DOMAIN:ID; None: by the words and by what is popular.
        targets: domains to look in; none: all.
        k: how many items.
        model: a version; left out: the one that serves.
        language: of titles and reasons; left out: the workspace's, else the system's.

    Raises:
        UsageError: no such account, domain or model, or a query without a word.
        ArtifactError: the model or its snapshot is damaged or missing.
    """
    account = None if user is None else parse_account(user)
    return open_server(workspace, model=model, language=language).search(query, account, targets, k)


def segment_people(workspace: Workspace, *, dataset: JointDataset | None = None) -> Audience:
    """Find topics of interest and segments of everybody in the newest snapshot, and keep them for later.

    Args:
        workspace: whose section `[profiles]`, seed and threads count.
        dataset: an open snapshot of the workspace; None: the newest.

    Raises:
        DataError: there is no snapshot, or nobody has used anything.
        MissingExtraError: scikit-learn is not installed.
        ResourceError: the disk refuses.
    """
    return fit_segments(
        newest_dataset(workspace) if dataset is None else dataset,
        audience_store(workspace),
        workspace.config.profiles,
        workspace.fit_options,
    )


def profile(
    workspace: Workspace, user: str, *, dataset: JointDataset | None = None, language: str | None = None
) -> PersonProfile:
    """What is known of one person, field by field, each with its source, sureness and expiry.

    Topics and segments are those that `segment_people` found last; without them these fields are unknown.

    Args:
        workspace: whose newest snapshot, and whose operational store if there is one.
        user: who, as DOMAIN:ID.
        dataset: an open snapshot of the workspace; None: the newest.
        language: of names; left out: the workspace's, else the system's.

    Raises:
        UsageError: no such account.
        DataError: there is no snapshot.
        ArtifactError: the snapshot or the segments are damaged.
        StoreError: the operational store does not answer.
    """
    account = parse_account(user)
    dataset = newest_dataset(workspace) if dataset is None else dataset
    spoken = language_of(language, workspace.config.workspace.language, environment=os.environ)
    profiler = profiler_of(dataset, audience_store(workspace).load(), workspace.config.profiles)
    accounts = dataset.accounts_of(dataset.person_of(account))
    return profile_of(dataset, profiler, account, _declared(workspace, accounts), spoken)


def _declared(workspace: Workspace, accounts: Sequence[Account]) -> dict[Account, dict[str, str]]:
    """What accounts have told the service."""
    if not store_exists(workspace):
        return {}
    store = operational_store(workspace, write=False)
    try:
        return {account: traits.attributes for account, traits in store.catalogue.people(accounts).items()}
    finally:
        store.close()


def tune(
    workspace: Workspace,
    model: str,
    choices: tuning.Choices | None = None,
    *,
    scope: Scope = "joint",
    target: str | None = None,
    method: tuning.Method = "grid",
    trials: int = 50,
    seconds: float = 600.0,
    progress: Progress = silent,
) -> tuning.TuneResult:
    """Search the settings of one model on held-out behaviour; `result.toml()` goes into kuajie.toml.

    Args:
        workspace: whose newest snapshot, seed, threads and memory count.
        model: a family, such as "itemknn".
        choices: setting -> values, or a `Range` for Optuna; None: what `auto` varies.
        scope: what the model may see.
        target: judge on this domain alone; None: all domains.
        method: every combination, or what Optuna proposes.
        trials: of Optuna.
        seconds: no trial starts after so many.
        progress: told each trial.

    Raises:
        UsageError: no such family or domain, or a range without Optuna.
        ConfigError: a setting or value that the model does not have.
        DataError: there is no snapshot, or nobody has enough history.
        MissingExtraError: Optuna is not installed.
    """
    return tuning.tune(
        newest_dataset(workspace).interactions(),
        model,
        scope=scope,
        target=target,
        choices=choices,
        method=method,
        trials=trials,
        seconds=seconds,
        options=workspace.fit_options,
        progress=progress,
    )


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
