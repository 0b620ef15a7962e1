"""`kuajie tradeoff`: what re-rankers move, and what it costs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption, names_of
from kuajie.cli.screen import Screen
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from kuajie.cli.show import Titles


def tradeoff(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A split folder as for kuajie benchmark.", show_default="the workspace's newest snapshot"),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option("--rerank", help="Re-rankers, separated by commas.", show_default="all that have a strength"),
    ] = None,
    model: Annotated[
        str, typer.Option(help="The model whose lists are re-ranked, as in kuajie benchmark.")
    ] = "itemknn",
    factor: Annotated[
        int, typer.Option(min=2, max=100, help="A list of ten is chosen from ten times so many candidates.")
    ] = 10,
    most_loss: Annotated[
        float, typer.Option(min=0, max=1, help="Part of NDCG@10 that the chosen strength may cost on validation rows.")
    ] = 0.02,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Lists that hold items of all domains; calibration is to their mix.")
    ] = False,
    rows: Annotated[int, typer.Option(min=1, help="Held-out rows of each domain, at most.")] = 10_000,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Draw the curve of each re-ranker: the metric that it moves, and NDCG@10, over its strength.

    Strengths are chosen on validation rows; test rows say what the chosen one does.

    \b
    Example:
      kuajie tradeoff --rerank mmr,calibration
      kuajie tradeoff splits/books_music --model ease --rerank mmr,dpp,fairness --json
    """
    from kuajie.cli.show import show_tradeoff
    from kuajie.workflows.tradeoff import GOALS, tradeoff_of_folder
    from kuajie.workflows.workspace import Workspace

    kinds = names_of(rerank) or tuple(GOALS)
    how: dict[str, Any] = {"factor": factor, "most_loss": most_loss, "most_rows": rows, "model": model, "mixed": mixed}
    title: Titles = str
    if folder is not None:
        screen = Screen(lang, json=json)
        with screen.progress() as progress:
            result = tradeoff_of_folder(folder, kinds=kinds, progress=progress, **how)
    else:
        from kuajie import api

        opened = Workspace.open(workspace)
        screen = Screen(lang, opened.config.workspace.language, json=json)
        title = partial(opened.title, language=screen.language)
        with screen.progress() as progress:
            result = api.tradeoff(opened, kinds, progress=progress, **how)
    values = result.to_json()
    screen.data(values)
    show_tradeoff(screen, values, title)
    for kind, reason in result.skipped.items():
        screen.warn(Text("{model}: {reason}", model=kind, reason=reason))
