"""`kuajie search`: items and knowledge that fit a question in words."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen


def search(
    query: Annotated[str, typer.Argument(metavar="WORDS", help="A name, a category or a question.")],
    user: Annotated[str | None, typer.Option(metavar="DOMAIN:ID", help="Rank for this person.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN", help="Look in this domain; may be repeated.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    model: Annotated[str | None, typer.Option(help="A model version.", show_default="the one that serves")] = None,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Find items and knowledge of all domains by words, ranked for a person if one is named.

    \b
    Example:
      kuajie search "first car loan"
      kuajie search lipstick --user courses:00000042 --target beauty -k 5 --json
    """
    from kuajie.api import open_server
    from kuajie.cli.show import show_findings
    from kuajie.workflows.serving import parse_account
    from kuajie.workflows.workspace import Workspace

    account = None if user is None else parse_account(user)
    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    server = open_server(opened, model=model, language=screen.language)
    findings = server.search(query, account, target or (), k)
    screen.data(findings)
    show_findings(screen, findings, partial(opened.title, language=screen.language))
