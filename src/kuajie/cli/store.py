"""`kuajie store`: copies of the operational store."""

from pathlib import Path
from typing import Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.errors import UsageError


def store(
    action: Annotated[str, typer.Argument(metavar="backup|restore", help="What to do.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy.")],
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Copy the SQLite store while the service runs, or put a copy in its place while it does not.

    A copy holds everything that was acknowledged before it began. Servers have tools of their own: mysqldump
    --single-transaction, pg_dump.

    \b
    Example:
      kuajie store backup /backups/kuajie-2026-11-26.db
      kuajie store restore /backups/kuajie-2026-11-26.db
    """
    from kuajie.bootstrap import store_file
    from kuajie.storage.sql.backup import back_up, restore
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    place = store_file(opened)
    if place is None:
        raise UsageError("the store is on a server. Copy it with the server's own tools: mysqldump, pg_dump.")
    if action == "backup":
        size = back_up(place, file)
        screen.data({"file": str(file), "bytes": size})
        screen.say("{file}: {size:,} bytes, checked.", file=file, size=size)
    elif action == "restore":
        restore(file, place)
        screen.data({"restored": str(place)})
        screen.say("{store} is what {file} was. Import and train before you serve it.", store=place, file=file)
    else:
        raise UsageError("say: kuajie store backup FILE, or kuajie store restore FILE")
