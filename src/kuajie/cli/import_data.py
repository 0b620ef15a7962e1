"""`kuajie import`: the sources of all domains -> one clean, linked snapshot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen

if TYPE_CHECKING:
    from kuajie.workflows.workspace import Workspace


def import_data(
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Leave out what the service has stored; read the files alone.")
    ] = False,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Read, clean and link the sources into a snapshot.

    Where there is an operational store, all that the service has stored in it is one more source. Bad rows go to a
    quarantine file with their reason; every row is accounted for.

    \b
    Example:
      kuajie import
      kuajie import --workspace my-workspace --json
    """
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    run_import(Screen(lang, opened.config.workspace.language, json=json), opened, store=not no_store)


def run_import(screen: Screen, workspace: "Workspace", *, store: bool = True) -> None:
    """Import and show the account."""
    from kuajie import api
    from kuajie.cli.show import show_overlap, show_quality

    with screen.progress() as progress:
        result = api.import_data(workspace, store=store, progress=progress, remark=screen.warn)
    screen.data({"snapshot": result.snapshot, "quality": result.account, "overlap": result.overlap})
    show_quality(screen, result.account)
    show_overlap(screen, result.overlap)
    if result.account.quarantine:
        screen.say("The quarantined rows are in {path}.", path=workspace.warehouse / result.account.quarantine)
    screen.say()
    screen.say(
        "Snapshot {id}: {events} events of {people} people.",
        id=result.snapshot.snapshot_id,
        events=f"{result.snapshot.events:,}",
        people=f"{result.snapshot.people:,}",
    )
