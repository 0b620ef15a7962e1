"""`kuajie init`: a new workspace."""

from pathlib import Path
from typing import Annotated

import typer

from kuajie.cli.options import LangOption
from kuajie.cli.screen import Screen


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.", metavar="DIR")],
    lang: LangOption = None,
) -> None:
    """Make a workspace to fill with your own data.

    \b
    Example:
      kuajie init my-workspace
    """
    from kuajie.workflows.init import init_empty

    screen = Screen(lang)
    file = init_empty(folder)
    screen.say("{file} is ready. Say in it where your files are, then run:", file=file)
    screen.say("  kuajie import --workspace {folder}", folder=folder)
