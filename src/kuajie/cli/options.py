"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="The workspace folder.", show_default="the current folder")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]
LangOption = Annotated[
    str | None,
    typer.Option(
        "--lang", metavar="zh|en", help="Language of the output.", show_default="the workspace's, else the system's"
    ),
]
