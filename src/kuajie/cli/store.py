"""`kuajie store`: copies of the operational store, and its quarantine."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.clock import system_clock
from kuajie.core.errors import UsageError
from kuajie.core.ids import CONTROL

if TYPE_CHECKING:
    from kuajie.workflows.workspace import Workspace

ACTIONS = {"backup": True, "restore": True, "quarantine": False, "replay": False}
"""What can be done, and whether it needs a file."""


def store(
    action: Annotated[str, typer.Argument(metavar="backup|restore|quarantine|replay", help="What to do.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Of backup and restore: the copy.", show_default=False)
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Of the quarantine: rows of this domain alone.", show_default="all rows")
    ] = None,
    newest: Annotated[int, typer.Option(min=0, max=1_000, help="Of the quarantine: how many rows to show.")] = 20,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Copy the SQLite store while the service runs, or put a copy in its place while it does not.

    A copy holds everything that was acknowledged before it began. Servers have tools of their own: mysqldump
    --single-transaction, pg_dump.

    quarantine shows the rows that were sent as events and are none, with their reasons. replay tries them again by
    the rules of now: those that are right are stored and leave it. An SQLite store is replayed while no service
    writes it.

    \b
    Example:
      kuajie store backup /backups/kuajie-2026-11-26.db
      kuajie store restore /backups/kuajie-2026-11-26.db
      kuajie store quarantine --domain courses
      kuajie store replay
    """
    from kuajie.workflows.workspace import Workspace

    if action not in ACTIONS or ACTIONS[action] != (file is not None):
        raise UsageError(
            "say: kuajie store backup FILE, kuajie store restore FILE, kuajie store quarantine, or kuajie store replay"
        )
    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    if file is not None:
        _copy(screen, opened, action, file)
        return
    _refuse_unknown(opened, domain)
    if action == "quarantine":
        _show(screen, opened, domain, newest)
    else:
        _replay(screen, opened, domain)


def _copy(screen: Screen, workspace: "Workspace", action: str, file: Path) -> None:
    from kuajie.bootstrap import store_file
    from kuajie.storage.sql.backup import back_up, restore

    place = store_file(workspace)
    if place is None:
        raise UsageError("the store is on a server. Copy it with the server's own tools: mysqldump, pg_dump.")
    if action == "backup":
        size = back_up(place, file)
        screen.data({"file": str(file), "bytes": size})
        screen.say("{file}: {size:,} bytes, checked.", file=file, size=size)
    else:
        restore(file, place)
        screen.data({"restored": str(place)})
        screen.say("{store} is what {file} was. Import and train before you serve it.", store=place, file=file)


def _refuse_unknown(workspace: "Workspace", domain: str | None) -> None:
    from kuajie.bootstrap import store_exists

    domains = workspace.config.domains
    if domain is not None and domain not in domains:
        raise UsageError(
            "there is no domain '{domain}'; there are {domains}", domain=domain, domains=", ".join(domains)
        )
    if not store_exists(workspace):
        raise UsageError("there is no store yet; the service makes it: kuajie serve")


def _show(screen: Screen, workspace: "Workspace", domain: str | None, newest: int) -> None:
    from kuajie.bootstrap import operational_store
    from kuajie.workflows.receive import quarantine

    store = operational_store(workspace, write=False)
    try:
        found = quarantine(store.events, domain, newest)
    finally:
        store.close()
    screen.data(
        {
            "rows": found.rows,
            "reasons": [{"domain": named, "reason": reason, "rows": rows} for named, reason, rows in found.reasons],
            "newest": found.newest,
        }
    )
    screen.say("{rows:,} rows are in the quarantine.", rows=found.rows)
    if found.reasons:
        screen.head("By reason")
        rows = ((each, named or "-", _printable(screen.t(reason))) for named, reason, each in found.reasons)
        screen.table(["rows", "domain", "reason"], rows)
    if found.newest:
        screen.head("The newest (--json shows what was sent)")
        screen.table(
            ["received", "domain", "event", "reason"],
            (
                (
                    row.received_at.strftime("%Y-%m-%d %H:%M:%S"),
                    row.bad.domain or "-",
                    row.bad.event_id or "-",
                    _printable(screen.t(row.bad.reason)),
                )
                for row in found.newest
            ),
        )


def _replay(screen: Screen, workspace: "Workspace", domain: str | None) -> None:
    from kuajie.bootstrap import operational_store
    from kuajie.workflows.receive import EventRules, replay

    rules = EventRules(frozenset(workspace.config.domains), workspace.config.cleaning)
    store = operational_store(workspace)
    try:
        done = replay(store.events, rules, system_clock(), domain)
    finally:
        store.close()
    stay = {"wrong": done.wrong, "no_events": done.no_events}
    screen.data({"rows": done.looked_at, "stored": done.stored, "duplicates": done.duplicates, **stay})
    screen.say("{rows:,} rows were tried again.", rows=done.looked_at)
    screen.say("{stored:,} are right now and stored; they left the quarantine.", stored=done.stored)
    screen.say("{duplicates:,} had been stored already; they left it, too.", duplicates=done.duplicates)
    screen.say("{wrong:,} are still wrong and stay.", wrong=done.wrong)
    screen.say("{rows:,} cannot be read as events and stay.", rows=done.no_events)


def _printable(reason: str) -> str:
    """A reason may quote what was sent, which must not steer the terminal."""
    return re.sub(CONTROL, "\ufffd", reason)
