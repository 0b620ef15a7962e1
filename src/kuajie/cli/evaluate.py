"""`kuajie evaluate`: an honest comparison on the workspace's own data, and the report."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import (
    JsonOption,
    LangOption,
    MetricsOption,
    ModelsOption,
    SlicesOption,
    WorkspaceOption,
    names_of,
)
from kuajie.cli.screen import Screen
from kuajie.core.texts import Text

if TYPE_CHECKING:
    from kuajie.workflows.serving import Server
    from kuajie.workflows.workspace import Workspace


def evaluate(
    models: ModelsOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Ask for everything from this day on (UTC).",
            show_default="the newest item of each person",
        ),
    ] = None,
    folds: Annotated[
        int, typer.Option(min=1, help="Cross-validate small data: fit and choose again for each part of the people.")
    ] = 1,
    candidates: Annotated[
        str, typer.Option(metavar="full|sampled-999|sampled-99", help="What a held-out item is ranked among.")
    ] = "full",
    metrics: MetricsOption = None,
    slices: SlicesOption = False,
    rerank: Annotated[
        str | None,
        typer.Option("--rerank", help="Re-rankers, separated by commas, whose curves go into the report."),
    ] = None,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Compare models on held-out behaviour, in every direction, and write the report.

    \b
    Example:
      kuajie evaluate
      kuajie evaluate --models auto,itemknn,itemknn:target,popularity --since 2026-01-01
      kuajie evaluate --folds 5 --metrics ndcg@10,precision@10,map@10,auc --slices
      kuajie evaluate --rerank mmr,calibration
    """
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    run_evaluate(
        screen,
        opened,
        names_of(models),
        since and since.replace(tzinfo=UTC),
        candidates,
        folds=folds,
        metrics=names_of(metrics),
        slices=slices,
        rerank=names_of(rerank),
    )


def run_evaluate(
    screen: Screen,
    workspace: "Workspace",
    models: list[str],
    since: datetime | None = None,
    candidates: str = "full",
    *,
    folds: int = 1,
    metrics: Sequence[str] = (),
    slices: bool = False,
    rerank: Sequence[str] = (),
) -> None:
    """Compare, show the results, write the report."""
    from kuajie import api
    from kuajie.cli.show import show_results, show_tradeoff
    from kuajie.workflows.evaluate import DEFAULT_MODELS
    from kuajie.workflows.reporting import write_reports

    dataset = api.newest_dataset(workspace)
    with screen.progress() as progress:
        result = api.evaluate(
            workspace,
            models or DEFAULT_MODELS,
            since=since,
            folds=folds,
            candidates=candidates,
            metrics=metrics,
            dataset=dataset,
            progress=progress,
        )
        curves = api.tradeoff(workspace, rerank, dataset=dataset, progress=progress) if rerank else None
    values = result.to_json() | ({} if curves is None else {"tradeoff": curves.to_json()})
    screen.data(values)
    screen.line(result.protocol)
    if result.candidates != "full":
        screen.say("Ranked among sampled items: for comparison with tables that did the same, not with others.")
    title = partial(workspace.title, language=screen.language)
    show_results(screen, values["domains"], title, metrics, slices, values["twin_items"])
    if curves is not None:
        show_tradeoff(screen, values["tradeoff"], title)
    for name, reason in result.skipped.items():
        screen.warn(Text("{model}: {reason}", model=name, reason=reason))
    page = write_reports(workspace, dataset, values, serving(screen, workspace), screen.language)
    screen.say()
    screen.say("The report is in {path}.", path=page)


def serving(screen: Screen, workspace: "Workspace") -> "Server | None":
    """The model that serves; None where there is none, or where it is damaged, which is said."""
    from kuajie.api import open_server
    from kuajie.bootstrap import model_store
    from kuajie.core.errors import ArtifactError

    try:
        serves = model_store(workspace).serving()
        return open_server(workspace, language=screen.language) if serves else None
    except ArtifactError as error:  # the comparison needs no stored model: it is not lost with one
        screen.warn(error.text)
        return None
