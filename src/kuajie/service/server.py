"""Running the application on uvicorn: one process, or several over a database that several may write."""

import json
import logging
import os
import signal
import socket
import sys
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kuajie.bootstrap import service_of
from kuajie.service.app import make_app
from kuajie.service.calls import Service
from kuajie.workflows.workspace import ServiceConfig, Workspace

if TYPE_CHECKING:
    from types import FrameType

VARIABLE = "KUAJIE_SERVE"
"""What worker processes are told to serve, as JSON."""
HEADER_SECONDS = "KUAJIE_HEADER_SECONDS"


class PunctualProtocol(HttpToolsProtocol):
    """HTTP on a connection that is closed when its headers do not arrive in time; uvicorn itself waits for ever."""

    late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start to wait."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """Start to wait for the headers of the next request."""
        super().on_message_begin()
        if self.late is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """They are here."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.late = self.loop.call_later(float(os.environ.get(HEADER_SECONDS, "10")), self._give_up)

    def _stop_waiting(self) -> None:
        if self.late is not None:
            self.late.cancel()
            self.late = None

    def _give_up(self) -> None:
        self.late = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()


def factory() -> Starlette:
    """The application of a worker process."""
    told = json.loads(os.environ[VARIABLE])
    return make_app(open_service(Workspace.open(Path(told["workspace"])), demo=told["demo"]))


def open_service(workspace: Workspace, *, demo: bool) -> Service:
    """The service of a workspace, ready to answer."""
    parts = service_of(workspace)
    return Service(
        workspace=workspace,
        store=parts.store,
        cache=parts.cache,
        deployment=parts.deployment,
        tail=parts.tail,
        demo=demo,
        outbound=parts.outbound,
    )


def options(config: ServiceConfig) -> dict[str, Any]:
    """How uvicorn runs."""
    return {
        "http": PunctualProtocol,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": True,
        "timeout_keep_alive": 30,
        "timeout_graceful_shutdown": int(config.drain_seconds) or 1,
        "backlog": 2_048,
    }


class AnnouncedServer(uvicorn.Server):
    """A server that says when it answers."""

    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self.announce()


def listening(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        OSError: the address is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def serve(service: Service, bound: socket.socket, announce: Callable[[], None]) -> None:
    """Serve in this process until it is told to stop, then let requests end.

    Args:
        service: what is served.
        bound: where.
        announce: called when it answers.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    config = service.workspace.config.service
    os.environ[HEADER_SECONDS] = str(config.header_seconds)
    try:
        app = make_app(service)
    except BaseException:
        service.close()
        raise
    server = AnnouncedServer(uvicorn.Config(app, **options(config)))
    server.announce = announce

    def drained(number: int, frame: "FrameType | None") -> None:
        """Uvicorn raises the signal again when it has stopped; there is nothing left to do."""

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, drained)
    server.run([bound])


def serve_with_workers(workspace: Workspace, host: str, port: int, workers: int, *, demo: bool) -> None:
    """Serve in several processes until told to stop."""
    config = workspace.config.service
    os.environ[VARIABLE] = json.dumps({"workspace": str(workspace.root.resolve()), "demo": demo})
    os.environ[HEADER_SECONDS] = str(config.header_seconds)
    target = "kuajie.service.server:factory"
    uvicorn.run(target, factory=True, workers=workers, host=host, port=port, **options(config))
