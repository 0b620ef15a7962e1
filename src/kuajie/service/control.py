"""The process's own key, by which commands of its user reach it; see `workflows.control`."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from kuajie.service.calls import Service
from kuajie.workflows.access import OPERATOR_SCOPES
from kuajie.workflows.control import Control, offer, withdraw
from kuajie.workflows.keys import new_key

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where one answers, not where one listens


@contextmanager
def controlled(service: Service, bound: socket.socket) -> Iterator[None]:
    """Let commands find the service as long as it runs."""
    token, key = new_key("", "secret", service.clock(), scopes=OPERATOR_SCOPES)
    service.doorkeeper.admit(key)
    host, port = bound.getsockname()[:2]
    host = EVERYWHERE.get(host, host)
    root = service.workspace.root
    offer(root, Control(url=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", key=token))
    try:
        yield
    finally:
        withdraw(root)
