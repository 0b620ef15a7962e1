"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from kuajie.core.errors import UsageError

if TYPE_CHECKING:
    from kuajie.core.recommender import Device

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

BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="DURATION",
        help="Of choosing, such as 90s, 30m or 1h30m; from 10m on, deep models of order are tried too (extra deep).",
        show_default="[training] seconds, or 90s in a benchmark",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda|auto", help="Where deep models are trained.")]


def device_of(text: str) -> "Device":
    """The device of an option.

    Raises:
        UsageError: there is no such device.
    """
    from kuajie.core.recommender import Device

    for device in get_args(Device):
        if text == device:
            return device  # type: ignore[no-any-return]
    raise UsageError("the device must be one of {known}, got '{text}'", known=", ".join(get_args(Device)), text=text)


def names_of(text: str | None) -> list[str]:
    """The names in a list that is separated by commas; none where nothing was said."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
