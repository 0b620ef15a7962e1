"""The service on a socket of this process, and requests byte by byte."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn

from kuajie.service.app import make_app
from kuajie.service.calls import Service
from kuajie.service.routes import ROUTES, Route
from kuajie.service.server import options

Address = tuple[str, int]
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@contextmanager
def wired(service: Service, routes: Sequence[Route] = ROUTES, http: type | None = None) -> Iterator[Address]:
    """A running server; everything ends with it."""
    config = uvicorn.Config(make_app(service, routes), **options(service.workspace.config.service))
    if http is not None:
        config.http = config.http_protocol_class = http
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as bound:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([bound])))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield bound.getsockname()
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@dataclass(frozen=True)
class Answer:
    """What came back; status 0: the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def data(self) -> Any:
        return json.loads(self.body)


def asked(address: Address, request: bytes, patience: float = 10.0) -> Answer:
    """Send bytes on a connection of their own and read one answer."""
    began = time.monotonic()
    with socket.create_connection(address) as connection:
        connection.settimeout(patience)
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
            connection.sendall(request)
        return read(connection, began)


def read(connection: socket.socket, began: float) -> Answer:
    """One answer of a connection."""
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            part = connection.recv(65_536)
            if not part:
                return Answer(0, {}, received, time.monotonic() - began)
            received = (received + part).removeprefix(CONTINUE)
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            body += connection.recv(65_536)
    except ConnectionResetError:
        return Answer(0, {}, received, time.monotonic() - began)
    return Answer(int(first.split()[1]), headers, body, time.monotonic() - began)
