"""`kuajie loop`: events -> snapshot -> train -> activate, again and again."""

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen
from kuajie.core.errors import JobError, UsageError
from kuajie.core.language import message

if TYPE_CHECKING:
    from kuajie.workflows.schedule import Round
    from kuajie.workflows.workspace import Workspace

OUTCOMES = {
    "claimed": message("about to begin"),
    "running": message("running"),
    "activated": message("a new model serves"),
    "trained": message("a new model is ready and does not serve"),
    "imported": message("a new snapshot is there"),
    "skipped": message("nothing to do"),
    "refused": message("the new model must not serve"),
    "failed": message("failed"),
}


def loop(
    once: Annotated[bool, typer.Option("--once", help="One round now, then end.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --once: also without new events.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Show what became of the last rounds, and end.")] = False,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Bring what people do into the model by a schedule: import, train, compare, activate.

    The schedule stands in the section [loop] of kuajie.toml; kuajie serve follows it by itself, this command does so
    without serving, on another machine too. One round runs at a time. A model that its canaries refuse, or that finds
    less of what people did since than the one that serves, does not take its place.

    \b
    Example:
      kuajie loop --once
      kuajie loop --workspace my-workspace
      kuajie loop --show --json
    """
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    if show:
        _show(screen, opened)
    elif once:
        _once(screen, opened, force=force)
    else:
        _follow(screen, opened)


def _show(screen: Screen, workspace: "Workspace") -> None:
    from kuajie.workflows.schedule import LoopLog

    rounds = LoopLog(workspace.models).rounds()
    screen.data({"rounds": rounds})
    if not rounds:
        screen.say("The loop has not run yet. Run: kuajie loop --once")
        return
    screen.table(
        ["began", "what became of it", "model", "reason"],
        [
            (f"{each.started_at:%Y-%m-%d %H:%M:%S}", screen.t(OUTCOMES[each.outcome]), each.model_version, each.reason)
            for each in rounds
        ],
    )


def _once(screen: Screen, workspace: "Workspace", *, force: bool) -> None:
    from kuajie.api import loop_once
    from kuajie.workflows.looper import NICENESS

    if os.environ.get(NICENESS, "").isdecimal() and hasattr(os, "nice"):
        os.nice(int(os.environ[NICENESS]))
    with screen.progress() as progress:
        done = loop_once(workspace, force=force, progress=progress)
    screen.data(done)
    _tell(screen, done)
    if done.bad:
        raise JobError("the round {outcome}: {reason}", outcome=done.outcome, reason=done.reason)


def _tell(screen: Screen, done: "Round") -> None:
    screen.say(
        "{time} {outcome} {version} {reason}",
        time=f"{done.started_at:%Y-%m-%d %H:%M:%S}",
        outcome=screen.t(OUTCOMES[done.outcome]),
        version=done.model_version,
        reason=done.reason,
    )
    for target, values in done.metrics.items():
        listed = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        screen.line(f"  {target}: {listed}")


def _follow(screen: Screen, workspace: "Workspace") -> None:
    """Follow the schedule until told to stop; a round that runs then is ended, and changes nothing."""
    from kuajie.workflows.looper import LOOK_SECONDS, Looper

    if not workspace.config.loop.scheduled:
        raise UsageError(
            'there is no schedule. Say every_minutes = 60, or at = "03:30", in the section [loop] of kuajie.toml, or '
            "run one round: kuajie loop --once"
        )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    looper = Looper(workspace)
    screen.say("The loop follows its schedule (Ctrl-C stops it).")
    while not stopped.wait(LOOK_SECONDS):
        done = looper.look()
        if done is not None:
            _tell(screen, done)
    looper.stop()
    screen.say("Stopped.")
