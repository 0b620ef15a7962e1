"""`kuajie tune`: search the settings of one model on held-out behaviour."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from kuajie.workflows.tune import TuneResult

SHOWN = 10


def tune(
    model: Annotated[str, typer.Argument(help="A family of models, such as itemknn or als.", metavar="MODEL")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help="KEY=1,2,3, or KEY=LOW:HIGH and :log for Optuna; repeat for more.",
            show_default="what auto varies",
        ),
    ] = None,
    scope: Annotated[Literal["joint", "target", "source"], typer.Option(help="What the model may see.")] = "joint",
    target: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="Judge on this domain alone.", show_default="all domains")
    ] = None,
    method: Annotated[Literal["grid", "optuna"], typer.Option(help="Every combination, or what Optuna proposes.")] = (
        "grid"
    ),
    trials: Annotated[int, typer.Option(min=1, help="Of Optuna.")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="No trial starts after so many.")] = 600.0,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Search the settings of one model by NDCG@10 on held-out behaviour.

    It prints the lines for kuajie.toml that make the next training start from what was found.

    \b
    Example:
      kuajie tune itemknn --set k=50,100,200 --set shrinkage=0,5,20
      kuajie tune als --method optuna --set regularization=0.5:50:log --trials 30
    """
    from kuajie import api
    from kuajie.cli.settings import parse_setting
    from kuajie.workflows.workspace import Workspace

    choices = dict(parse_setting(text) for text in settings or [])
    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    with screen.progress() as progress:
        result = api.tune(
            opened,
            model,
            choices,
            scope=scope,
            target=target,
            method=method,
            trials=trials,
            seconds=seconds,
            progress=progress,
        )
    show_tuning(screen, result)


def show_tuning(screen: Screen, result: "TuneResult") -> None:
    """What was tried, best first, and the lines for kuajie.toml."""
    ordered = sorted(result.tuning.trials, key=lambda trial: -trial.value)
    plain = [(result.differing(trial.config), trial) for trial in ordered]
    screen.data(
        {
            "family": result.family,
            "settings": result.settings,
            "ndcg@10": result.tuning.best.value,
            "start": result.start,
            "trials": [{"settings": s, "ndcg@10": trial.value, "seconds": trial.seconds} for s, trial in plain],
            "skipped": result.tuning.skipped,
        }
    )
    screen.table(
        ["NDCG@10", "seconds", "settings"],
        [
            (f"{trial.value:.4f}", f"{trial.seconds:.1f}", ", ".join(f"{key} {value}" for key, value in s.items()))
            for s, trial in plain[:SHOWN]
        ],
    )
    for sentence in result.tuning.skipped:
        screen.warn(sentence)
    for key in result.unsayable:
        screen.warn(Text("{key}: the best value is none, which kuajie.toml cannot say; auto keeps its own.", key=key))
    screen.say()
    screen.say("{value} with the settings that auto starts from. For kuajie.toml:", value=f"{result.start:.4f}")
    screen.say()
    screen.line(result.toml())
