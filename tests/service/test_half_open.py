"""800 connections that never end what they began, while others are answered; all are closed, and nothing is kept."""

import asyncio
import selectors
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from kuajie.service import connections, wire
from kuajie.service.calls import Call, Reply
from kuajie.service.overload import Gate
from kuajie.service.routes import Route
from kuajie.service.server import PunctualProtocol
from kuajie.workflows.workspace import Workspace

from .conftest import with_memory
from .test_overload import whole
from .test_process import serving
from .wired import Address, asked, read, wired

POST = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
BEGINNINGS = {
    "nothing": b"",
    "empty lines": b"\r\n\r\n",
    "half a line": b"POST /v1/ev",
    "headers that do not end": b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
    "a body that does not come": POST + b"Content-Length: 100\r\n\r\n",
    "half a body": POST + b'Content-Length: 100\r\n\r\n{"event',
    "chunks that do not end": POST + b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"e\r\n',
    "the body of what is refused": b"POST /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n\r\n",
    "an answer, then an empty line": b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n\r\n",
    "an answer, then half a line": b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /h",
    "pipelined": b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3 + POST + b"Content-Length: 9\r\n\r\n",
}
SECONDS = {"header_seconds": 1.0, "body_seconds": 1.0}
LATEST = 1.0 + connections.LATER_SECONDS + 2.0
KEPT_ALIVE = 3


def impatient(workspace: Workspace) -> Workspace:
    config = workspace.root / "kuajie.toml"
    section = "[service]\n" + "".join(f"{name} = {value}\n" for name, value in SECONDS.items())
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    return Workspace.open(workspace.root)


class Loris:
    """Connections that begin something, and send one more byte now and then, or not."""

    def __init__(self, address: Address, stack: ExitStack, each: int, beginnings: dict[str, bytes]) -> None:
        self.opened = time.monotonic()
        self.open: dict[socket.socket, str] = {}
        self.closed_after: dict[str, list[float]] = {name: [] for name in beginnings}
        self._selector = selectors.DefaultSelector()
        stack.callback(self._selector.close)
        for name, beginning in beginnings.items():
            for _ in range(each):
                connection = stack.enter_context(socket.create_connection(address))
                connection.sendall(beginning)
                connection.setblocking(False)
                self.open[connection] = name
                self._selector.register(connection, selectors.EVENT_READ)

    def watch(self, seconds: float, *, drip: bool) -> None:
        """Until all are closed, or for so long."""
        until, dripped = time.monotonic() + seconds, time.monotonic()
        while self.open and time.monotonic() < until:
            for key, _ in self._selector.select(0.05):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                self._read(connection)
            if drip and time.monotonic() - dripped > 0.5:
                dripped = time.monotonic()
                for connection in list(self.open)[::2]:
                    try:
                        connection.send(b"1")
                    except OSError:
                        self._gone(connection)

    def _read(self, connection: socket.socket) -> None:
        try:
            if connection.recv(65_536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._gone(connection)

    def _gone(self, connection: socket.socket) -> None:
        name = self.open.pop(connection, None)
        if name is not None:
            self._selector.unregister(connection)
            self.closed_after[name].append(time.monotonic() - self.opened)


def memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096 / 2**20


def test_800_half_open_connections(workspace: Workspace) -> None:
    """Every second one sends a byte now and then."""
    half = {name: beginning for name, beginning in BEGINNINGS.items() if "answer, then an empty" not in name}
    with ExitStack() as stack:
        served = stack.enter_context(serving(impatient(workspace).root))
        served.recommend("0007")
        before = memory_mb(served.process.pid)
        loris = Loris(served.address, stack, 80, half)
        assert len(loris.open) == 800
        watcher = threading.Thread(target=loris.watch, args=(LATEST + 5,), kwargs={"drip": True})
        watcher.start()
        slowest = 0.0
        for number in range(20):
            began = time.monotonic()
            assert served.recommend(f"{number:04d}")["items"], "others are answered meanwhile"
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.05)
        assert slowest < 2
        watcher.join()
        assert not loris.open, f"still open: {set(loris.open.values())}"
        assert max(max(seconds) for seconds in loris.closed_after.values()) < LATEST + 3
        assert memory_mb(served.process.pid) - before < 60
        descriptors = len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))
        assert descriptors < 100, "nothing is left open"


def test_an_empty_line_does_not_keep_a_connection(workspace: Workspace) -> None:
    """Nor does a byte of a request that was answered before it was whole."""
    service = with_memory(impatient(workspace))
    service.demo = True

    class Hasty(PunctualProtocol):
        def __init__(self, *arguments, **more) -> None:
            super().__init__(*arguments, **more)
            self.timeout_keep_alive = KEPT_ALIVE

    names = ("an answer, then an empty line", "the body of what is refused", "empty lines")
    with wired(service, http=Hasty) as address, ExitStack() as stack:
        loris = Loris(address, stack, 3, {name: BEGINNINGS[name] for name in names})
        loris.watch(KEPT_ALIVE + 4, drip=False)
        assert not loris.open, set(loris.open.values())


async def large(call: Call) -> Reply:
    return Reply(wire.Alive(status="长" * 500_000))


def test_who_does_not_read_is_let_go(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 1.0)
    table = (Route("GET", "/health/live", large, wire.Alive, ""),)
    with wired(with_memory(workspace), table) as address, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect(address)
        deaf.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 10)  # and does not read
        time.sleep(3)
        assert ended(deaf)
        assert asked(address, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").status == 200


def ended(connection: socket.socket) -> bool:
    """Whether the other side has let go, after what it sent before."""
    connection.settimeout(5)
    try:
        while connection.recv(1 << 20):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def test_thousands_of_requests_in_one_piece_are_not_kept(workspace: Workspace) -> None:
    service = with_memory(workspace)
    service.demo = True
    with wired(service) as address, socket.create_connection(address) as greedy:
        greedy.sendall(b"GET /v1/items/courses/a/similar HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 500)
        assert ended(greedy)
        with socket.create_connection(address) as modest:
            modest.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 10)
            modest.settimeout(5)
            received = b""
            while received.count(b"200 OK") < 10:
                received += modest.recv(65_536)


def test_a_newcomer_takes_the_place_of_the_oldest_that_is_half_open(workspace: Workspace) -> None:
    service = with_memory(workspace)
    service.demo = True
    gates: list[Gate] = []

    class Few(PunctualProtocol):
        def __init__(self, *arguments, **more) -> None:
            super().__init__(*arguments, **more)
            assert self.gate is not None
            self.gate.most_connections = 20
            gates.append(self.gate)

    with wired(service, http=Few) as address, ExitStack() as stack:
        idle = stack.enter_context(socket.create_connection(address))
        idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert read(idle, 0.0).status == 200
        loris = Loris(address, stack, 40, {"half a line": BEGINNINGS["half a line"]})
        loris.watch(1.0, drip=False)
        assert len(loris.open) <= 20
        assert asked(address, whole("/v1/recommend")).status == 400, "a newcomer is answered"
        idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert read(idle, 0.0).status == 200, "who has asked before keeps the connection"
        assert len(gates[0].half_open) <= 20


def test_nothing_is_sent_to_who_has_gone() -> None:
    class Line(asyncio.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.sent, self.gone = b"", False

        def is_closing(self) -> bool:
            return self.gone

        def writelines(self, list_of_data) -> None:
            assert not self.gone
            self.sent += b"".join(list_of_data)

        def close(self) -> None:
            self.gone = True

    async def both() -> tuple[bytes, bytes]:
        lines = Line(), Line()
        for line in lines:
            joining = connections.JoiningTransport(line, asyncio.get_running_loop())
            for part in (b"head", b"body"):
                joining.write(part)
            line.gone = line is lines[1]
        await asyncio.sleep(0)
        return lines[0].sent, lines[1].sent

    assert asyncio.run(both()) == (b"headbody", b"")


def test_the_limit_of_open_files_is_known() -> None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert connections.most_connections(10) == 10
    assert connections.most_connections(10**9) == resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= soft
