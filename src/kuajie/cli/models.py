"""`kuajie models`: list model versions, and choose the one that serves."""

from pathlib import Path
from typing import Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen


def models(
    serve: Annotated[str | None, typer.Option(help="Let this version serve, after checking it.")] = None,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """List the trained model versions of a workspace.

    \b
    Example:
      kuajie models
      kuajie models --serve 20260102T030405-blend
    """
    from kuajie.bootstrap import model_store
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    store = model_store(opened)
    if serve is not None:
        store.serve(serve)
    versions, serving, damaged = store.versions(), store.serving(), store.damaged()
    screen.data({"serving": serving, "versions": versions, "damaged": damaged})
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
