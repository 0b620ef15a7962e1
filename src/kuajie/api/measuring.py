"""What models, re-rankers and settings are worth, on held-out behaviour."""

from collections.abc import Sequence
from datetime import datetime

from kuajie.api.snapshots import newest_dataset
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import Scope
from kuajie.data.dataset import JointDataset
from kuajie.evaluation.candidates import parse_candidates
from kuajie.workflows import evaluate as evaluating
from kuajie.workflows import tradeoff as trading
from kuajie.workflows import tune as tuning
from kuajie.workflows.workspace import Workspace


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
