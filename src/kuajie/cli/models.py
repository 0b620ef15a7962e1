"""`kuajie models`: list model versions, and choose the one that serves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.errors import UsageError

if TYPE_CHECKING:
    from kuajie.workflows.ports import ModelStore
    from kuajie.workflows.prune import Pruned


def models(
    action: Annotated[
        str | None, typer.Argument(metavar="activate|rollback|pin|unpin|prune", help="Left out: list the versions.")
    ] = None,
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="To activate, pin or unpin.")] = None,
    serve: Annotated[str | None, typer.Option(help="The same as activate.")] = None,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List the trained model versions of a workspace, or choose the one that serves.

    A version is checked before it serves. A running service takes it up at once. A pinned version is never removed,
    and while it serves, the loop does not replace it. Pruning removes versions and snapshots but the one that serves,
    those that served last or are pinned, and the newest ([loop] kept).

    \b
    Example:
      kuajie models
      kuajie models activate 20260102T030405-blend
      kuajie models rollback
      kuajie models pin 20260102T030405-blend
      kuajie models prune
    """
    from kuajie.bootstrap import model_store
    from kuajie.workflows.prune import Pruned, prune
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    store = model_store(opened)
    if serve is None and action == "prune" and version is None:
        pruned = prune(store, opened.warehouse, opened.config.loop.kept)
        gone = {"models": len(pruned.models), "snapshots": len(pruned.snapshots)}
        screen.say("Removed: {models} models, {snapshots} snapshots.", **gone)
    else:
        pruned = Pruned()
        change(store, "activate" if serve is not None else action, version if serve is None else serve)
    show_models(screen, store, pruned)


def change(store: "ModelStore", action: str | None, version: str | None) -> None:
    """Pin or unpin a version, or let one serve.

    Raises:
        UsageError: no such action or version, or no version to go back to.
    """
    match action, version:
        case None, None:
            return
        case (("pin" | "unpin"), str()):
            store.pin(version, keep=action == "pin")
        case "activate", str():
            store.serve(version)
        case "rollback", None:
            store.serve(_earlier(store))
        case _:
            raise UsageError(
                "say: kuajie models, kuajie models activate|pin|unpin VERSION, kuajie models rollback|prune"
            )


def _earlier(store: "ModelStore") -> str:
    """What served before the version that serves."""
    earlier = [name for name in store.served() if name != store.serving()]
    if not earlier:
        raise UsageError("there is no version to go back to; no other has served")
    return earlier[0]


def show_models(screen: Screen, store: "ModelStore", pruned: "Pruned") -> None:
    """All versions, and what was removed."""
    versions, serving, damaged, pinned = store.versions(), store.serving(), store.damaged(), store.pinned()
    screen.data(
        {
            "serving": serving,
            "served": store.served(),
            "pinned": pinned,
            "versions": versions,
            "damaged": damaged,
            "removed": {"models": pruned.models, "snapshots": pruned.snapshots},
        }
    )
    if not versions and not damaged:
        screen.say("There is no trained model yet. Run: kuajie train")
        return
    screen.table(
        ["version", "model", "snapshot", "created", "serves", "pinned"],
        [
            (
                version.model_version,
                version.kind,
                version.snapshot_id,
                version.created_at.strftime("%Y-%m-%d %H:%M:%S"),
                "*" if version.model_version == serving else "",
                "*" if version.model_version in pinned else "",
            )
            for version in versions
        ],
    )
    for reason in damaged.values():
        screen.warn(reason)
