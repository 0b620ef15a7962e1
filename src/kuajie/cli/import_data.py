"""`kuajie import`: the sources of all domains -> one clean, linked snapshot."""

from pathlib import Path
from typing import TYPE_CHECKING

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen

if TYPE_CHECKING:
    from kuajie.workflows.workspace import Workspace


def import_data(workspace: WorkspaceOption = Path(), json: JsonOption = False, lang: LangOption = None) -> None:
    """Read, clean and link the sources into a snapshot.

    Bad rows go to a quarantine file with their reason; every row is accounted for.

    \b
    Example:
      kuajie import
      kuajie import --workspace my-workspace --json
    """
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    run_import(Screen(lang, opened.config.workspace.language, json=json), opened)


def run_import(screen: Screen, workspace: "Workspace") -> None:
    """Import and show the account."""
    from kuajie.cli.show import show_overlap, show_quality
    from kuajie.workflows.ingest import ingest

    with screen.progress() as progress:
        result = ingest(workspace.config, workspace.root, progress=progress)
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
