"""A network that fails: a TCP proxy in front of a server, which can freeze, slow down, cut and refuse.

    with Proxy(server.port) as proxy:
        url = proxy.url(server.new_database())
        proxy.freeze()

Threads pass the data on; nothing of it is changed.
"""

import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

import sqlalchemy as sa

RESET = struct.pack("ii", 1, 0)
"""Closing with this linger time sends a reset."""


class Proxy:
    """Passes everything on, until told otherwise.

    Args:
        target: port on 127.0.0.1.

    Attributes:
        port: where it listens.
        delay: seconds that each piece of data is held back.
    """

    def __init__(self, target: int) -> None:
        self.delay = 0.0
        self._target = target
        self._flows, self._refuses = threading.Event(), False
        self._flows.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()

    def url(self, url: str) -> str:
        """The same database, through here."""
        return sa.make_url(url).set(port=self.port).render_as_string(hide_password=False)

    def freeze(self) -> None:
        """Connections stay and new ones are accepted, but nothing arrives any more."""
        self._flows.clear()

    def thaw(self) -> None:
        """What was held back arrives, and everything after it."""
        self._flows.set()

    def reset(self) -> None:
        """Cut every connection in the middle."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.shutdown(socket.SHUT_RD)  # wakes who reads, and tells the other side nothing yet
                end.close()

    def refuse(self) -> None:
        """Cut every connection, and every new one at once."""
        self._refuses = True
        self.reset()

    def accept(self) -> None:
        """New connections are welcome again."""
        self._refuses = False

    @property
    def connections(self) -> int:
        """That are open."""
        with self._lock:
            return len(self._pairs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._refuses = True
        self.thaw()
        _close(self._listener)
        self._thread.join(10)
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), name="proxy", daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self.delay:
                    time.sleep(self.delay)
                self._flows.wait()
                sink.sendall(data)
        for end in (source, sink):
            _close(end)
        with self._lock:
            self._pairs = [pair for pair in self._pairs if source not in pair]


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
