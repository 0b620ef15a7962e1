"""`kuajie consume`: behaviour from a stream of messages into the operational store."""

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kuajie.cli.options import JsonOption, LangOption, WorkspaceOption
from kuajie.cli.screen import Screen

if TYPE_CHECKING:
    from types import FrameType


def consume(
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="redis://host:6379/0 or kafka://host:9092; else [consume] url."),
    ] = None,
    stream: Annotated[str | None, typer.Option(help="The stream's key, or the topic.")] = None,
    group: Annotated[str | None, typer.Option(help="Consumers of one group share the work.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is left, not wait for more.")] = False,
    workspace: WorkspaceOption = Path(),
    json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Take events from a Redis stream or a Kafka topic: one JSON object in each message, checked as over HTTP.

    A message is acknowledged when its event is on disk. What is no event goes to the quarantine. Stop it with Ctrl-C or
    SIGTERM. An SQLite store has one writing process: where kuajie serve runs, name the stream in [consume] instead.

    \b
    Example:
      kuajie consume --from redis://localhost:6379/0 --stream events --group kuajie
      kuajie consume --once
    """
    from kuajie.bootstrap import consumer_of, operational_store
    from kuajie.workflows.workspace import Workspace

    opened = Workspace.open(workspace)
    screen = Screen(lang, opened.config.workspace.language, json=json)
    told = {"url": source, "url_env": None} if source else {}
    config = opened.config.consume.model_copy(
        update=told | ({"stream": stream} if stream else {}) | ({"group": group} if group else {})
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    stopped = threading.Event()

    def stop(number: int, frame: "FrameType | None") -> None:
        stopped.set()

    store = operational_store(opened)
    try:
        taken = consumer_of(opened, config, store.events, stopped.wait)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        try:
            screen.say("Taking events from {stream}; Ctrl-C stops it.", stream=config.stream)
            taken.run(until_empty=once)
        finally:
            taken.source.close()
    finally:
        store.close()
    counts = {name: taken.counts[name] for name in ("accepted", "duplicate", "rejected", "again")}
    screen.data(counts)
    screen.say(
        "{accepted} accepted, {duplicate} known before, {rejected} in the quarantine; everything is stored.", **counts
    )
