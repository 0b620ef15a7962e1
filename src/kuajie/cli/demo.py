"""`kuajie demo`: the whole main job on a generated world."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import LangOption
from kuajie.cli.screen import Screen

if TYPE_CHECKING:
    from kuajie.workflows.workspace import Workspace

SHOWN_PEOPLE = 3


def demo(
    folder: Annotated[
        Path, typer.Argument(help="The workspace to make; one that is there is used.", metavar="[DIR]")
    ] = (Path("demo")),
    scenario: Annotated[
        str, typer.Option(metavar="car-parts|auto-finance|film|car|beauty|all", help="Which world.")
    ] = "car-parts",
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same world.")] = 0,
    seconds: Annotated[float, typer.Option(min=1, help="For choosing models, in training and in comparing.")] = 20.0,
    lang: LangOption = None,
) -> None:
    """Make a world, import, train, compare, recommend both ways with reasons, tell profiles, write the report.

    \b
    Example:
      kuajie demo
      kuajie demo film-world --scenario film --lang zh
    """
    from kuajie.cli.evaluate import run_evaluate
    from kuajie.cli.import_data import run_import
    from kuajie.cli.train import run_train
    from kuajie.workflows.init import init_world
    from kuajie.workflows.workspace import FILE, Workspace

    screen = Screen(lang)
    if not (folder / FILE).exists():
        screen.head("1. A world of two companies in {folder}", folder=folder)
        with screen.progress() as progress:
            init_world(folder, scenario, seed=seed, progress=progress)
    workspace = Workspace.open(folder).with_budget(seconds)
    screen.head("2. kuajie import")
    run_import(screen, workspace)
    screen.head("3. kuajie train")
    run_train(screen, workspace)
    screen.head("4. kuajie evaluate")
    run_evaluate(screen, workspace, [], rerank=["mmr"])
    screen.head("5. kuajie recommend")
    show_people(screen, workspace)
    screen.head("6. kuajie profile")
    show_profiles(screen, workspace)
    screen.head("Go on with:")
    for command in (
        "models",
        "recommend --user DOMAIN:ID --target DOMAIN",
        "graph report",
        "tune itemknn",
        "evaluate --since 2026-09-01",
    ):
        screen.line(f"  kuajie {command} --workspace {folder}")
    screen.head("See it live, in two commands (the first goes on running; it prints what to ask):")
    screen.line(f"  kuajie serve --workspace {folder}")
    screen.line(f"  {asking(workspace)}")


def asking(workspace: "Workspace") -> str:
    """A command that asks the service for somebody."""
    from kuajie.bootstrap import model_store
    from kuajie.cli.serve import asked, sample
    from kuajie.workflows.serving import open_server

    server = open_server(workspace, model_store(workspace))
    return asked("http://127.0.0.1:8000", *sample(server.dataset))


def show_people(screen: Screen, workspace: "Workspace") -> None:
    """Recommend to some people: first those who are new to the target."""
    from kuajie.bootstrap import model_store
    from kuajie.cli.show import show_history, show_list
    from kuajie.workflows.reporting import SAMPLE_ITEMS, sample_people
    from kuajie.workflows.serving import open_server

    title = partial(workspace.title, language=screen.language)
    server = open_server(workspace, model_store(workspace), screen.language)
    for account, target in sample_people(server.dataset, workspace.config.workspace.seed)[:SHOWN_PEOPLE]:
        user = f"{account.domain}:{account.user}"
        screen.say()
        screen.line(f"$ kuajie recommend --user {user} --target {target} -k {SAMPLE_ITEMS}")
        show_history(screen, server.history(account), title)
        show_list(screen, server.recommend(account, target, SAMPLE_ITEMS))


def show_profiles(screen: Screen, workspace: "Workspace") -> None:
    """What is known of one of these people, and the segments; without the extra for it, how to get that."""
    from kuajie.api import newest_dataset
    from kuajie.cli.profile import audience_of, show_audience, show_user
    from kuajie.core.errors import MissingExtraError
    from kuajie.workflows.reporting import sample_people

    account, _ = sample_people(newest_dataset(workspace), workspace.config.workspace.seed)[0]
    user = f"{account.domain}:{account.user}"
    try:
        audience = audience_of(screen, workspace, fit=False)
        screen.line(f"$ kuajie profile --user {user}")
        show_user(screen, workspace, user, fit=False)
        screen.say()
        screen.line("$ kuajie profile --segments")
        show_audience(screen, workspace, audience, None)
    except MissingExtraError as error:
        screen.warn(error.text)
