"""`kuajie models`: list model versions, and choose the one that serves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.errors import UsageError

if TYPE_CHECKING:
    from kuajie.workflows.ports import ModelStore


def models(
    action: Annotated[
        str | None, typer.Argument(metavar="activate|rollback", help="Left out: list the versions.")
    ] = None,
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="To activate.")] = None,
    serve: Annotated[str | None, typer.Option(help="The same as activate.")] = None,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List the trained model versions of a workspace, or choose the one that serves.

    A version is checked before it serves. A running service takes it up at once.

    \b
    Example:
      kuajie models
      kuajie models activate 20260102T030405-blend
      kuajie models rollback
    """
    from kuajie.bootstrap import model_store
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    store = model_store(opened)
    chosen = serve if serve is not None else _chosen(store, action, version)
    if chosen is not None:
        store.serve(chosen)
    versions, serving, damaged = store.versions(), store.serving(), store.damaged()
    screen.data({"serving": serving, "served": store.served(), "versions": versions, "damaged": damaged})
    if not versions and not damaged:
        screen.say("There is no trained model yet. Run: kuajie train")
        return
    screen.table(
        ["version", "model", "snapshot", "created", "serves"],
        [
            (
                version.model_version,
                version.kind,
                version.snapshot_id,
                version.created_at.strftime("%Y-%m-%d %H:%M:%S"),
                "*" if version.model_version == serving else "",
            )
            for version in versions
        ],
    )
    for reason in damaged.values():
        screen.warn(reason)


def _chosen(store: "ModelStore", action: str | None, version: str | None) -> str | None:
    """The version that an action names, or None where there is no action."""
    if action is None:
        return None
    if action == "activate" and version is not None:
        return version
    if action == "rollback" and version is None:
        earlier = [name for name in store.served() if name != store.serving()]
        if not earlier:
            raise UsageError("there is no version to go back to; no other has served")
        return earlier[0]
    raise UsageError("say: kuajie models, kuajie models activate VERSION, or kuajie models rollback")
