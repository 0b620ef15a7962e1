"""Init: a new workspace, empty or with a generated world."""

from importlib.resources import files
from pathlib import Path

from kuajie.core.errors import UsageError
from kuajie.core.files import refusals_named, write_file
from kuajie.core.names import suggest
from kuajie.core.progress import Progress, silent
from kuajie.core.texts import Text
from kuajie.workflows.workspace import FILE
from kuajie.worlds import SCENARIOS, SIZES, make_world


def init_empty(folder: Path, language: str = "en") -> Path:
    """A workspace with a commented `kuajie.toml` to fill in, and a place for the sources; returns the file.

    Args:
        folder: the workspace.
        language: of the comments.

    Raises:
        UsageError: there is a workspace already.
        ResourceError: the disk refuses.
    """
    refuse_existing(folder)
    template = files("kuajie.workflows").joinpath("templates", f"kuajie.{language}.toml").read_text(encoding="utf-8")
    write_file(folder / FILE, template)
    with refusals_named(folder):
        (folder / "sources").mkdir(exist_ok=True)
    return folder / FILE


def init_world(folder: Path, scenario: str, size: str = "small", seed: int = 0, *, progress: Progress = silent) -> Path:
    """A workspace with a generated world as its companies would keep it; returns `kuajie.toml`.

    The truth behind the world lies in `truth/`, which no command reads.

    Raises:
        UsageError: there is a workspace already, or no such scenario or size.
        ResourceError: the disk refuses.
    """
    refuse_existing(folder)
    for what, got, known in ((Text("scenario"), scenario, SCENARIOS), (Text("size"), size, SIZES)):
        if got not in known:
            raise UsageError("there is no {what} '{got}'{hint}", what=what, got=got, hint=suggest(got, known))
    make_world(scenario, size, seed).write(folder, progress=progress)
    return folder / FILE


def refuse_existing(folder: Path) -> None:
    """Never write over a workspace.

    Raises:
        UsageError: there is one.
    """
    if (folder / FILE).exists():
        raise UsageError(
            "{folder} is a workspace already. Choose another folder, or remove {file} first.",
            folder=folder,
            file=folder / FILE,
        )
