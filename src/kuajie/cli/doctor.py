"""`kuajie doctor`: is everything in a workspace as it should be?"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.clock import system_clock
from kuajie.core.texts import worded

if TYPE_CHECKING:
    from kuajie.workflows.stores import Store
    from kuajie.workflows.workspace import Workspace


def doctor(workspace: WorkspaceOption = Path(), json: JsonOption = False, lang: LangOption = None) -> None:
    """Check a workspace, its store and what a service needs around it; exit 1 if something is broken.

    Nothing is changed. A running service may go on.

    \b
    Example:
      kuajie doctor
      kuajie doctor --workspace my-workspace --json
    """
    from kuajie.bootstrap import cache, model_store, operational_store, store_exists
    from kuajie.workflows.doctor import examine
    from kuajie.workflows.surroundings import surroundings
    from kuajie.workflows.workspace import Workspace

    screen = Screen(lang, json=json)

    def store_of(opened: "Workspace") -> "Store | None":
        return operational_store(opened, write=False) if store_exists(opened) else None

    findings = examine(workspace, model_store, store_of)
    if findings[0].ok:
        opened = Workspace.open(workspace)
        findings += surroundings(opened, store_of, cache, _ready, system_clock())
    healthy = all(finding.ok for finding in findings)
    screen.data(
        {
            "ok": healthy,
            "findings": [{"name": each.name, "ok": each.ok, "detail": str(each.detail)} for each in findings],
        }
    )
    screen.table(
        ["what was looked at", "", "what was found"],
        [
            (screen.t(each.name), screen.t("good" if each.ok else "BROKEN"), worded(each.detail, screen.t))
            for each in findings
        ],
    )
    if not healthy:
        raise typer.Exit(1)


def _ready(url: str) -> str | None:
    """The model that a service answers with; None where it is not ready.

    Raises:
        OSError: nobody answers as a service does.
    """
    from kuajie.client import Client, ServiceError

    with Client(url, timeout=3, attempts=1) as client:
        try:
            told = client.ready()
        except ServiceError as error:
            raise OSError(str(error)) from None
    return told.model_version if told.ready else None
