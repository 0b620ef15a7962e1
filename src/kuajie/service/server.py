"""Running the application on uvicorn: one process, or several over a database that several may write."""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from threadpoolctl import threadpool_limits

from kuajie.bootstrap import service_of
from kuajie.core.errors import ResourceError
from kuajie.core.files import refusal
from kuajie.numerics.jit import start_compiler
from kuajie.service.app import make_app
from kuajie.service.calls import Service
from kuajie.service.connections import PunctualProtocol
from kuajie.service.logs import RequestLog, log_as_json
from kuajie.service.metrics import Metrics
from kuajie.service.tracing import tracing_of
from kuajie.service.workers import FOLDER, Workers
from kuajie.workflows.issuing import is_guarded
from kuajie.workflows.looper import Looper
from kuajie.workflows.workspace import ServiceConfig, Workspace

if TYPE_CHECKING:
    from types import FrameType

MORE_SECONDS = 20.0
"""Workers that were told to stop may take so much longer than their requests, to write what they hold."""
SWITCH_SECONDS = 0.0005
"""How soon a thread that computes lets others run; Python's 5 ms are longer than a request takes."""


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
        looper=Looper(workspace) if workspace.config.loop.scheduled else None,
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
        ResourceError: the address is taken, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException as error:
        bound.close()
        if not isinstance(error, OSError):
            raise
        raise ResourceError(
            "nobody can be answered at {address}: {reason}. Choose another address with --host or --port, or stop what "
            "answers there.",
            address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            reason=refusal(error),
        ) from None
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
    try:
        app = make_app(service)
    except BaseException:
        service.close()
        raise
    server = AnnouncedServer(uvicorn.Config(app, **options(service.workspace.config.service)))
    server.announce = announce

    def drained(number: int, frame: "FrameType | None") -> None:
        """Uvicorn raises the signal again when it has stopped; there is nothing left to do."""

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, drained)
    server.run([bound])


def serve_with_workers(
    workspace: Workspace, bound: socket.socket, workers: int, announce: Callable[[], None], *, demo: bool, insist: bool
) -> None:
    """Serve in several processes until told to stop; `workers.shared_numbers` is entered by then.

    Args:
        workspace: what is served.
        bound: where.
        workers: how many processes.
        announce: called when the first of them answers.
        demo: whether who has no key is answered.
        insist: whether that stays so when there is a key.

    Raises:
        JobError: they cannot start.
    """
    log_as_json()

    def made() -> Starlette:
        service = open_service(workspace, demo=demo)
        service.insist = insist
        if demo and not insist:  # this may be a worker that takes the place of another, much later
            service.demo = not is_guarded(service.store.access)
        share_the_processor()
        return make_app(service)

    def work(answers: Callable[[], None]) -> None:
        server = AnnouncedServer(uvicorn.Config(made, factory=True, **options(workspace.config.service)))
        server.announce = answers
        server.run([bound])

    start_compiler()
    Workers(work, workers, workspace.config.service.drain_seconds + MORE_SECONDS, announce).run()
