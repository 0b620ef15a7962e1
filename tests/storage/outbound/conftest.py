"""Receivers of webhooks on this machine."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

Script = Callable[[socket.socket, bytes], None]
GOOD = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Receiver:
    """Answers every connection with the same bytes, or as a script says."""

    listener: socket.socket
    answer: bytes = GOOD
    script: Script | None = None
    context: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def work(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(10)
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            request = connection.recv(65_536)
            while b"\r\n\r\n" not in request or len(request.partition(b"\r\n\r\n")[2]) < length(request):
                more = connection.recv(65_536)
                if not more:
                    break
                request += more
            self.requests.append(request)
            if self.script is not None:
                self.script(connection, request)
            else:
                connection.sendall(self.answer)
        except OSError:
            pass
        finally:
            connection.close()


def length(request: bytes) -> int:
    for line in request.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Receiver(listener)
        threading.Thread(target=made.work, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


@dataclass
class Certificate:
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """For hooks.example, believed by the client."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("NOT TESTED on this machine: TLS of webhooks (openssl is missing)")
    folder: Path = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-keyout", key, "-out", crt],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(crt, key)
    client = ssl.create_default_context(cafile=crt)
    return Certificate(server, client)
