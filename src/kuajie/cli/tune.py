"""`kuajie tune`: search one model's hyperparameters on validation rows."""

from pathlib import Path
from typing import Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen

SHOWN = 10


def tune(
    model: Annotated[str, typer.Argument(help="A model, or NAME:target or NAME:source.", metavar="MODEL")],
    settings: Annotated[
        list[str],
        typer.Option("--try", metavar="KEY=VALUES", help="KEY=1,2,3 or KEY=LOW..HIGH, :log after it; repeat for more."),
    ],
    target: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="Recommend from this domain.", show_default="every domain")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Configs to try, where there is a range.")] = 30,
    seconds: Annotated[float, typer.Option(min=1, help="No trial starts after so many.")] = 300.0,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Search the settings of one model by NDCG@10 on held-out behaviour.

    Values alone: every combination is tried. With a range, Optuna proposes.

    \b
    Example:
      kuajie tune itemknn --try k=50,100,200 --try shrinkage=0,5,20
      kuajie tune itemknn:target --target courses --try shrinkage=0..50 --try alpha=0.3..0.7 --trials 40
    """
    from kuajie.data.dataset import JointDataset
    from kuajie.data.snapshot import latest_snapshot
    from kuajie.workflows.tune import TuneBudget, parse_setting
    from kuajie.workflows.tune import tune as search
    from kuajie.workflows.workspace import Workspace

    space = dict(parse_setting(text) for text in settings)
    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    dataset = JointDataset.open(latest_snapshot(opened.warehouse).path, opened.config.strength)
    with screen.progress() as progress:
        found = search(
            dataset.interactions(),
            model,
            space,
            target,
            budget=TuneBudget(trials, seconds),
            seed=opened.config.workspace.seed,
            options=opened.arena_options,
            progress=progress,
        )
    best = found.best
    ordered = sorted(found.trials, key=lambda trial: -trial.value)
    screen.data(
        {
            "best": best.config.model_dump(mode="json"),
            "ndcg@10": best.value,
            "trials": [
                {"config": t.config.model_dump(mode="json"), "ndcg@10": t.value, "seconds": t.seconds} for t in ordered
            ],
            "skipped": list(found.skipped),
        }
    )
    screen.table(
        ["NDCG@10", "fit seconds", *space],
        [
            (f"{t.value:.4f}", f"{t.seconds:.1f}", *(t.config.model_dump().get(key, "") for key in space))
            for t in ordered[:SHOWN]
        ],
        numbers=0,
    )
    for sentence in found.skipped:
        screen.warn(sentence)
