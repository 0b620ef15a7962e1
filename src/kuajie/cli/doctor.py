"""`kuajie doctor`: is everything in a workspace as it should be?"""

from pathlib import Path

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.texts import worded


def doctor(workspace: WorkspaceOption = Path(), json: JsonOption = False, lang: LangOption = None) -> None:
    """Check the configuration, sources, snapshot, model and store of a workspace; exit 1 if something is broken.

    Nothing is changed. A running service may go on.

    \b
    Example:
      kuajie doctor
      kuajie doctor --workspace my-workspace --json
    """
    from kuajie.bootstrap import model_store, operational_store, store_exists
    from kuajie.workflows.doctor import examine

    screen = Screen(lang, json=json)
    findings = examine(
        workspace,
        model_store,
        lambda opened: operational_store(opened, write=False) if store_exists(opened) else None,
    )
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
