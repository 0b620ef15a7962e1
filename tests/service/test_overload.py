"""More than can be answered: refused at once, the least important first, and nothing is left behind."""

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn

from kuajie.service import wire
from kuajie.service.app import make_app
from kuajie.service.calls import Call, Reply
from kuajie.service.overload import Gate, is_whole
from kuajie.service.routes import ROUTES, Route
from kuajie.service.server import PunctualProtocol, options
from kuajie.workflows.workspace import Workspace

from .conftest import with_memory

SLOW = 0.004


def busy_gate(step: float) -> Gate:
    gate = Gate(clock=lambda: 0.0)
    gate.know(ROUTES)
    gate.step = step
    return gate


def fill(gate: Gate, scope: str, most: int = 1_000) -> int:
    """How many are let in at once."""
    lane, count = gate.lanes[scope], 0
    while count < most and gate.admits(lane):
        gate.enter(lane)
        count += 1
    return count


def test_every_route_with_a_scope_has_a_lane_and_health_has_none() -> None:
    gate = busy_gate(1.0)
    for route in ROUTES:
        for path in (route.path, *route.aliases):
            line = f"{route.method} {path.replace('{domain}', 'courses').replace('{id}', 'a/b')}"
            for whole in (line, f"{line}?k=1", f"{line} HTTP/1.1"):
                found = gate.lane(whole.encode())
                expected = None if route.scope is None else gate.lanes.get(route.scope, gate.lanes[""])
                assert found is expected, whole
    assert gate.lane(b"GET /nothing HTTP/1.1") is None
    assert gate.lane(b"") is None


def test_a_path_written_in_another_way_has_a_lane_too() -> None:
    gate = busy_gate(1.0)
    for path in ("/v1/%65vents", "/%76%31/events", "/v1/nothing", "http://127.0.0.1/v1/events"):
        for ending in ("", "?a=b", " HTTP/1.1"):
            assert gate.lane(f"POST {path}{ending}".encode()) is gate.lanes[""], path
    assert gate.lane(b"OPTIONS /v1/events HTTP/1.1") is gate.lanes["recommend"], "a page's event waits for it"
    assert gate.lane(b"GET /demo?a=%20 HTTP/1.1") is None


def test_a_handful_of_callers_is_never_refused() -> None:
    assert fill(busy_gate(10.0), "recommend") == 32
    assert fill(busy_gate(10.0), "events") == 32


def test_the_queue_is_as_long_as_its_patience() -> None:
    gate = busy_gate(0.000_1)
    waiting = fill(gate, "recommend")
    assert waiting == pytest.approx(gate.lanes["recommend"].patience / gate.step, abs=2)
    assert fill(gate, "") == gate.lanes[""].always, "the others are less important"
    assert fill(gate, "events") > 100, "events are more"


def test_a_measurement_follows_the_load_but_not_a_hiccup() -> None:
    now = 0.0
    gate = Gate(clock=lambda: now)
    lane = gate.lanes["recommend"]
    ticket = gate.enter(lane)
    now += 1.0
    ticket.begin()
    ticket.leave()
    assert gate.step < 0.001, "one hiccup"
    for _ in range(300):
        ticket = gate.enter(lane)
        now += 0.002
        ticket.begin()
        ticket.leave()
    assert gate.step == pytest.approx(0.002, rel=0.05)
    assert (gate.waiting, lane.waiting, lane.inside) == (0, 0, 0)


def test_a_slow_disk_bounds_the_events_inside_and_lists_go_on() -> None:
    now = 0.0
    gate = Gate(clock=lambda: now)
    events = gate.lanes["events"]
    for _ in range(200):
        tickets = [gate.enter(events) for _ in range(4)]
        for ticket in tickets:
            ticket.begin()
        now += 1.0
        for ticket in tickets:
            ticket.leave()
    for _ in range(1_000):
        if gate.admits(events):
            gate.enter(events).begin()
    assert events.inside == events.inside_always
    assert not gate.quiet
    assert gate.admits(gate.lanes["recommend"])


@pytest.mark.parametrize(
    ("request_", "whole"),
    [
        (b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"GET /v1/items/a/b/similar HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nHost: a\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length : 2\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nX: content-length\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", False),
        (b"POST /v1/events HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"POST /v1/events\r\n\r\n", False),
        (b"POST /v1/events HTTP/1.1\r\nHost: a", False),
        (b"", False),
    ],
)
def test_only_ordinary_whole_requests_are_refused_unread(request_: bytes, whole: bool) -> None:
    assert (is_whole(request_) is not None) == whole


async def lists(call: Call) -> Reply:
    """A list that takes the processor for a while."""
    time.sleep(0.3 if call.values["status"] == "no" else SLOW)
    return Reply(wire.Alive(status="ok"))


async def events(call: Call) -> Reply:
    """An event that waits for a disk."""
    await asyncio.sleep(0.01)
    return Reply(wire.Alive(status="ok"))


TABLE = (
    *(route for route in ROUTES if route.scope is None),
    Route("POST", "/v1/recommend", lists, wire.Alive, "", scope="recommend", request=(wire.Alive,)),
    Route("POST", "/v1/events", events, wire.Alive, "", scope="events", request=(wire.Alive,)),
)


@contextmanager
def flooded(workspace: Workspace) -> Iterator[tuple[tuple[str, int], Gate]]:
    """A server of slow lists in this process."""
    service = with_memory(workspace)
    service.demo = True
    config = uvicorn.Config(make_app(service, TABLE), **options(workspace.config.service))
    server = uvicorn.Server(config)
    gates: list[Gate] = []

    class Watched(PunctualProtocol):
        def __init__(self, config, server_state, app_state, _loop=None) -> None:
            super().__init__(config, server_state, app_state, _loop)
            assert self.gate is not None
            gates.append(self.gate)

    config.http = config.http_protocol_class = Watched
    with socket.create_server(("127.0.0.1", 0), backlog=512) as bound:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([bound])))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = bound.getsockname()
        ask(address, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        try:
            yield address, gates[0]
        finally:
            server.should_exit = True
            thread.join(20)


def whole(path: str, *more: str, body: bytes = b'{"status":"ok"}') -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *more)
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    connection.settimeout(20)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536) or pytest.fail(f"closed after {received!r}")
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65_536)
    assert len(body) == int(headers["content-length"])
    return int(first.split()[1]), headers, body


def ask(address: tuple[str, int], request: bytes) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(address) as connection:
        connection.sendall(request)
        return answer(connection)


def test_a_page_can_read_a_refusal(workspace: Workspace) -> None:
    with flooded(workspace) as (address, gate):
        gate.waiting, gate.step, gate.lanes["recommend"].waiting = 1_000, 1.0, 1_000
        for more in ((), ("Origin: https://shop.example",)):
            request = whole("/v1/recommend", "Accept-Language: zh", *more)
            with socket.create_connection(address) as connection:
                connection.sendall(request[:50])
                time.sleep(0.1)
                connection.sendall(request[50:])
                pieces = answer(connection)
            for status, headers, body in (ask(address, request), pieces):
                assert (status, json.loads(body)["error"], headers["retry-after"]) == (503, "服务现在太忙", "1")
                assert headers.get("access-control-allow-origin") == ("*" if more else None)
                assert headers.get("access-control-expose-headers") == ("Retry-After" if more else None)
        gate.waiting = gate.lanes["recommend"].waiting = 0


def settled(gate: Gate) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not gate.waiting and not any(lane.waiting or lane.inside for lane in gate.lanes.values()):
            return True
        time.sleep(0.02)
    return False


def test_a_flood_is_refused_and_nothing_else(workspace: Workspace) -> None:
    with flooded(workspace) as (address, gate), ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(address)) for _ in range(300)]
        chinese = whole("/v1/recommend", "Accept-Language: zh-CN")
        codes: Counter[int] = Counter()
        for _ in range(2):  # the second time over the same connections
            blocking = stack.enter_context(socket.create_connection(address))
            blocking.sendall(whole("/v1/recommend", body=b'{"status":"no"}'))
            time.sleep(0.05)
            for connection in connections:
                connection.sendall(chinese)
            event = ask(address, whole("/v1/events"))
            health = ask(address, b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (event[0], health[0]) == (200, 200), "they go before lists"
            for connection in connections:
                status, headers, body = answer(connection)
                codes[status] += 1
                if status == 503:
                    assert headers["retry-after"] == "1"
                    assert headers["content-type"] == "application/json"
                    said = json.loads(body)
                    assert (said["error"], said["do"]) == ("服务现在太忙", "请稍后重试。")
        assert codes.keys() == {200, 503}
        assert codes[200] >= 64
        assert codes[503] >= 64
        assert settled(gate)
        assert ask(address, whole("/v1/recommend"))[0] == 200


def test_requests_in_pieces_and_in_rows_are_counted_right(workspace: Workspace) -> None:
    with flooded(workspace) as (address, gate), ExitStack() as stack:
        flood = [stack.enter_context(socket.create_connection(address)) for _ in range(150)]
        for connection in flood:
            request = whole("/v1/recommend")
            connection.sendall(request[:50])
        time.sleep(0.1)
        blocking = stack.enter_context(socket.create_connection(address))
        blocking.sendall(whole("/v1/recommend", body=b'{"status":"no"}'))
        time.sleep(0.05)
        for connection in flood:
            connection.sendall(request[50:])
        codes = Counter(answer(connection)[0] for connection in flood)
        assert codes.keys() == {200, 503}
        for connection in flood:
            connection.sendall(whole("/v1/recommend") * 3)  # pipelined
        time.sleep(0.02)
        for connection in flood:
            connection.close()  # nobody waits for the answers
        assert settled(gate), "what nobody waits for does not count as waiting"
        assert ask(address, whole("/v1/recommend"))[0] == 200
