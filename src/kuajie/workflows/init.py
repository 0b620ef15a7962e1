"""Init: a new workspace, empty."""

from importlib.resources import files
from pathlib import Path

from kuajie.core.errors import UsageError
from kuajie.core.files import refusals_named, write_file
from kuajie.workflows.workspace import FILE


def init_empty(folder: Path) -> Path:
    """A workspace with a commented `kuajie.toml` to fill in, and a place for the sources; returns the file.

    Raises:
        UsageError: there is a workspace already.
        ResourceError: the disk refuses.
    """
    refuse_existing(folder)
    template = files("kuajie.workflows").joinpath("templates", FILE).read_text(encoding="utf-8")
    with refusals_named(folder):
        (folder / "sources").mkdir(parents=True, exist_ok=True)
    write_file(folder / FILE, template)
    return folder / FILE


def refuse_existing(folder: Path) -> None:
    """Never write over a workspace.

    Raises:
        UsageError: there is one.
    """
    if (folder / FILE).exists():
        raise UsageError(f"{folder} is a workspace already. Choose another folder, or remove {folder / FILE} first.")
