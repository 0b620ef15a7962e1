"""Running the application on uvicorn: one process, or several over a database that several may write."""

import gc
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from threadpoolctl import threadpool_limits

from kuajie.bootstrap import service_of
from kuajie.service.app import make_app
from kuajie.service.calls import Service
from kuajie.service.logs import RequestLog, log_as_json
from kuajie.service.metrics import FOLDER, Metrics
from kuajie.service.overload import GatedProtocol
from kuajie.service.streams import ENDS
from kuajie.service.tracing import tracing_of
from kuajie.workflows.workspace import ServiceConfig, Workspace

if TYPE_CHECKING:
    from types import FrameType

SWITCH_SECONDS = 0.0005
"""How soon a thread that computes lets others run; Python's 5 ms are longer than a request takes."""
VARIABLE = "KUAJIE_SERVE"
"""What worker processes are told to serve, as JSON."""
HEADER_SECONDS = "KUAJIE_HEADER_SECONDS"


class JoiningTransport:
    """A transport that sends what is written in one turn of the loop together: headers and body in one packet."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send soon."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        """Send, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._transport.writelines(held)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)


class PunctualProtocol(GatedProtocol):
    """HTTP on a connection that is closed when its headers do not arrive in time; uvicorn itself waits for ever."""

    late: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start to wait."""
        super().connection_made(JoiningTransport(transport, self.loop))  # type: ignore[arg-type]
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

    def shutdown(self) -> None:
        """Stop: an answer may be finished, a stream ends now."""
        super().shutdown()
        scope: dict[str, Any] | None = self.scope  # type: ignore[assignment] # None before the first request
        end = (scope or {}).get(ENDS)
        if end is not None:
            end()

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
    log_as_json()
    service = open_service(Workspace.open(Path(told["workspace"])), demo=told["demo"])
    service.insist = told["insist"]
    share_the_processor()
    return make_app(service)


def share_the_processor() -> None:
    """Settings of a process that answers many small questions; call it when the model is loaded.

    Threads of BLAS would only wait for each other, and the garbage collector need not look at the catalogue.
    """
    threadpool_limits(limits=1, user_api="blas")
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


def open_service(workspace: Workspace, *, demo: bool) -> Service:
    """The service of a workspace, ready to answer."""
    config = workspace.config.service
    tracing = tracing_of(wanted=config.telemetry)
    parts = service_of(workspace)
    return Service(
        workspace=workspace,
        store=parts.store,
        cache=parts.cache,
        deployment=parts.deployment,
        tail=parts.tail,
        demo=demo,
        metrics=Metrics(folder=os.environ.get(FOLDER)),
        log=RequestLog(config.log),
        tracing=tracing,
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
    log_as_json()
    share_the_processor()
    config = service.workspace.config.service
    os.environ[HEADER_SECONDS] = str(config.header_seconds)
    server = AnnouncedServer(uvicorn.Config(make_app(service), **options(config)))
    server.announce = announce

    def drained(number: int, frame: "FrameType | None") -> None:
        """Uvicorn raises the signal again when it has stopped; there is nothing left to do."""

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, drained)
    server.run([bound])


def serve_with_workers(workspace: Workspace, host: str, port: int, workers: int, *, demo: bool, insist: bool) -> None:
    """Serve in several processes until told to stop."""
    config = workspace.config.service
    os.environ[VARIABLE] = json.dumps({"workspace": str(workspace.root.resolve()), "demo": demo, "insist": insist})
    os.environ[HEADER_SECONDS] = str(config.header_seconds)
    os.environ[FOLDER] = numbers = tempfile.mkdtemp(prefix="kuajie-metrics-")
    target = "kuajie.service.server:factory"
    try:
        uvicorn.run(target, factory=True, workers=workers, host=host, port=port, **options(config))
    finally:
        shutil.rmtree(numbers, ignore_errors=True)
