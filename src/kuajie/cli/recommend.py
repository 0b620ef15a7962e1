"""`kuajie recommend`: ranked items of a domain for one person, with reasons."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen


def recommend(
    user: Annotated[str, typer.Option(metavar="DOMAIN:ID", help="Who asks, as that domain names them.")],
    target: Annotated[str, typer.Option(metavar="DOMAIN", help="The domain to recommend from.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="What the person used before may be in the list, such as what is used up.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="A model version.", show_default="the one that serves")] = None,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Recommend items of a domain to a person, and say why.

    \b
    Example:
      kuajie recommend --user courses:00000042 --target car_parts
      kuajie recommend --user car_parts:cp-0000042 --target courses -k 5 --json
      kuajie recommend --user car_parts:cp-0000042 --target car_parts --repeats
    """
    from kuajie.api import open_server
    from kuajie.cli.show import show_history, show_list
    from kuajie.workflows.serving import parse_account
    from kuajie.workflows.workspace import Workspace

    account = parse_account(user)
    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    server = open_server(opened, model=model, language=screen.language)
    ranked = server.recommend(account, target, k, repeats=repeats)
    screen.data(ranked)
    show_history(screen, server.history(account), partial(opened.title, language=screen.language))
    show_list(screen, ranked)
