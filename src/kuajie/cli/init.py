"""`kuajie init`: a new workspace."""

from pathlib import Path
from typing import Annotated

import typer

from kuajie.cli.options import LangOption
from kuajie.cli.screen import Screen


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.", metavar="DIR")],
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="car-parts|auto-finance|film|car|beauty|all",
            help="Fill it with a generated world.",
            show_default="none: for your own data",
        ),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="small|seed|large", help="5,000, 100,000 or 1,000,000 people.")
    ] = "small",
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same world.")] = 0,
    lang: LangOption = None,
) -> None:
    """Make a workspace, for your own data or with a generated world.

    \b
    Example:
      kuajie init my-workspace
      kuajie init car-world --scenario car-parts --size seed
    """
    from kuajie.workflows.init import init_empty, init_world

    screen = Screen(lang)
    if scenario is None:
        file = init_empty(folder, screen.language)
        screen.say("{file} is ready. Say in it where your files are, then run:", file=file)
    else:
        with screen.progress() as progress:
            file = init_world(folder, scenario, size, seed, progress=progress)
        screen.say("{file} is ready. Run:", file=file)
    screen.say("  kuajie import --workspace {folder}", folder=folder)
