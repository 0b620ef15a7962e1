"""`kuajie train`: the newest snapshot -> a model version that serves."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import BudgetOption, DeviceOption, JsonOption, LangOption, WorkspaceOption, device_of
from kuajie.cli.screen import Screen
from kuajie.core.durations import seconds_of

if TYPE_CHECKING:
    from kuajie.core.recommender import FitOptions
    from kuajie.workflows.workspace import Workspace


def train(
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Fit the blend that serves again, without choosing.")
    ] = False,
    from_version: Annotated[
        str | None, typer.Option("--from-version", metavar="VERSION", help="Fit the blend of this version again.")
    ] = None,
    budget: BudgetOption = None,
    tracker: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:FOLDER",
            help="Write trainings down: tensorboard, wandb or mlflow in a folder (extra trackers).",
        ),
    ] = None,
    device: DeviceOption = "cpu",
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Choose a blend of models on validation data, and fit it.

    The budget of choosing stands in the section [training] of kuajie.toml. With --incremental the models and settings
    of the version that serves are fitted on the newest snapshot, which takes seconds.

    \b
    Example:
      kuajie train
      kuajie train --incremental
      kuajie train --budget 30m --tracker tensorboard:runs
      kuajie train --workspace my-workspace --json
    """
    from kuajie.models.deep.trackers import open_tracker
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    if budget is not None:
        opened = opened.with_budget(seconds_of(budget))
    screen = Screen(lang, opened.config.workspace.language, json=json)
    if incremental or from_version is not None:
        run_refit(screen, opened, from_version)
    else:
        options = replace(opened.fit_options, device=device_of(device))
        run_train(screen, opened, options if tracker is None else replace(options, tracker=open_tracker(tracker)))


def run_refit(screen: Screen, workspace: "Workspace", from_version: str | None) -> None:
    """Fit a blend again and say so."""
    from kuajie.api import refit

    result = refit(workspace, model=from_version)
    screen.data({"version": result.version, "fit_seconds": result.fit_seconds, "how": result.how, "note": result.note})
    screen.say(
        "Model {version} serves now; the blend of {based_on}, fitted in {fit} s.",
        version=result.version.model_version,
        based_on=result.version.based_on,
        fit=f"{result.fit_seconds:.1f}",
    )
    if result.note is not None:
        screen.warn(result.note)


def run_train(screen: Screen, workspace: "Workspace", options: "FitOptions | None" = None) -> None:
    """Train and show what was chosen."""
    from kuajie.bootstrap import model_store
    from kuajie.cli.show import show_choice
    from kuajie.data.dataset import JointDataset
    from kuajie.data.snapshot import latest_snapshot
    from kuajie.workflows.train import train as fit

    dataset = JointDataset.open(latest_snapshot(workspace.warehouse).path, workspace.config.strength)
    with screen.progress() as progress:
        result = fit(
            dataset,
            model_store(workspace),
            options or workspace.fit_options,
            config=workspace.config.training,
            progress=progress,
        )
    summaries = {target: result.choice.summary(target) for target in result.choice.mixes}
    screen.data(
        {
            "version": result.version,
            "chosen": summaries,
            "choose_seconds": result.choose_seconds,
            "fit_seconds": result.fit_seconds,
        }
    )
    several = len(workspace.config.domains) > 1
    show_choice(screen, summaries, partial(workspace.title, language=screen.language), gated=several)
    for sentence in result.choice.skipped:
        screen.warn(sentence)
    screen.say()
    screen.say(
        "Model {version} serves now; chosen in {choose} s, fitted in {fit} s.",
        version=result.version.model_version,
        choose=f"{result.choose_seconds:.1f}",
        fit=f"{result.fit_seconds:.1f}",
    )
