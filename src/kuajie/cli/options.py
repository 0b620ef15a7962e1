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
ModelsOption = Annotated[
    str | None,
    typer.Option(
        "--models",
        help="Names, separated by commas; NAME:target and NAME:source restrict what a model sees.",
        show_default="auto and simple baselines",
    ),
]
MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="NAMES",
        help="Columns of the tables: hr@k, recall@k, precision@k, ndcg@k, map@k, mrr, auc, for any k.",
        show_default="ndcg@10,hr@10,mrr,recall@20",
    ),
]
SlicesOption = Annotated[
    bool,
    typer.Option("--slices", help="Show NDCG@10 by overlap, by known history and by popularity of the item too."),
]


def names_of(text: str | None) -> list[str]:
    """The names in a list that is separated by commas; none where nothing was said."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
