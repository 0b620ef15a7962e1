"""`kuajie import`: the sources of all domains -> one clean, linked snapshot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen

if TYPE_CHECKING:
    from kuajie.workflows.workspace import Workspace, WorkspaceConfig


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
    from kuajie.cli.show import show_overlap, show_quality
    from kuajie.workflows.ingest import ingest

    with _sources(screen, workspace, store=store) as (config, sequence), screen.progress() as progress:
        result = ingest(config, workspace.root, progress=progress, store_sequence=sequence)
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


@contextmanager
def _sources(screen: Screen, workspace: "Workspace", *, store: bool) -> "Iterator[tuple[WorkspaceConfig, int | None]]":
    """What to import, and up to which change of the store."""
    from kuajie.bootstrap import operational_store, store_exists
    from kuajie.workflows.export import with_store

    if not (store and store_exists(workspace)):
        yield workspace.config, None
        return
    opened = operational_store(workspace, write=False)
    try:
        with with_store(workspace.config, opened, workspace.warehouse) as (config, exported):
            if exported.unused_links:
                screen.warn(screen.t("The store holds links, which are not used: [identity] method is not links."))
            yield config, exported.sequence
    finally:
        opened.close()
