"""Overload: what cannot be answered soon is refused at once, cheaply, the least important first.

A process answers on one thread, so requests wait for their turn before any code of ours runs. Here they are counted
from the moment when their headers were read. `Gate` knows how long a place in that queue takes at the moment (measured)
and lets nobody in who would wait longer than their lane is patient: events longest, then lists, then everything else.
Events also wait for the disk, so what is inside of their lane is bounded the same way. So many of each lane may always
wait, so that no lane starves and a handful of callers is never refused.

A refusal must cost next to nothing, since five times the load means four refusals for each answer: where a whole
request arrived in one piece, as nearly all do, it is answered by ready bytes before it is even parsed.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kuajie.core.language import LANGUAGES, translator
from kuajie.core.texts import Text
from kuajie.service.refusals import Refusal, too_busy, wrong
from kuajie.service.wire import Failure

if TYPE_CHECKING:
    from kuajie.service.routes import Route

App = Callable[..., Awaitable[None]]
SMOOTH = 0.05
"""Weight of one measurement; the last twenty or so count."""
WILD = 4.0
"""A measurement counts as at most so many times the estimate, so that one hiccup refuses nobody."""
LEAST_STEP, FIRST_STEP = 0.000_1, 0.000_5
FEW = 8
"""So few waiting requests are no reason to look closer."""


@dataclass(eq=False)
class Lane:
    """Requests of one importance.

    Attributes:
        patience: seconds that one of them may have to wait for its turn.
        always: so many of them may wait, whatever others do: nobody starves.
        inside_patience: seconds that one may take with those that are inside; None: not bounded.
        inside_always: so many may be inside, however long they take.
        waiting: have arrived, have not begun.
        inside: have arrived, have not ended.
        share: seconds by which each that is inside delays the next.
        refused: how many were.
    """

    patience: float
    always: int
    inside_patience: float | None = None
    inside_always: int = 32
    waiting: int = 0
    inside: int = 0
    share: float = LEAST_STEP
    refused: int = 0

    def is_full(self) -> bool:
        """Whether those inside will take too long already."""
        if self.inside_patience is None or self.inside < self.inside_always:
            return False
        return self.inside * self.share > self.inside_patience


@dataclass(eq=False)
class Gate:
    """Who may come in.

    Attributes:
        clock: seconds, never going back.
        lanes: by scope of the route; "" is everything else that a key opens.
        header_seconds, body_seconds, most_connections: of `service.connections`.
        half_open: connections that owe the rest of a request, the oldest first.
        waiting: of all lanes.
        step: seconds that a place in the queue takes.
        noted: is called for every refusal.
    """

    clock: Callable[[], float] = time.perf_counter
    lanes: dict[str, Lane] = field(
        default_factory=lambda: {
            "events": Lane(0.030, always=32, inside_patience=0.040, inside_always=64),
            "recommend": Lane(0.015, always=32),
            "": Lane(0.007, always=4),
        }
    )
    header_seconds: float = 10.0
    body_seconds: float = 10.0
    most_connections: int = 4_096
    half_open: dict[Any, None] = field(default_factory=dict, repr=False)
    waiting: int = 0
    step: float = FIRST_STEP
    paths: dict[bytes, Lane] = field(default_factory=dict)
    starts: list[tuple[bytes, Lane]] = field(default_factory=list)
    noted: Callable[[], None] = lambda: None

    def know(self, routes: Iterable["Route"]) -> None:
        """Which lane each route is in; routes without a scope, such as health, are never refused."""
        for route in sorted(routes, key=lambda route: -len(route.path)):
            if route.scope is not None:
                lane = self.lanes.get(route.scope, self.lanes[""])
                for path in (route.path, *route.aliases):
                    start, brace, _ = f"{route.method} {path}".partition("{")
                    if brace:
                        self.starts.append((start.encode(), lane))
                    else:
                        self.paths[start.encode()] = lane

    def lane(self, line: bytes) -> Lane | None:
        """The lane of a request that begins with these bytes."""
        end = line.find(b" ", line.find(b" ") + 1)
        line = (line if end < 0 else line[:end]).partition(b"?")[0]
        lane = self.paths.get(line)
        if lane is not None:
            return lane
        found = next((lane for start, lane in self.starts if line.startswith(start)), None)
        return self._other(*line.partition(b" ")[::2]) if found is None else found

    def _other(self, method: bytes, path: bytes) -> Lane | None:
        """The lane of what is no route as it is written: it may be one as it is read, and costs something if not."""
        if not (b"/v1/" in path or b"%" in path or (path and not path.startswith(b"/"))):
            return None
        return self.lanes["recommend" if method == b"OPTIONS" else ""]  # pages ask before they send their events

    @property
    def quiet(self) -> bool:
        """Whether nobody needs to be looked at."""
        return self.waiting < FEW and not self.lanes["events"].is_full()

    def admits(self, lane: Lane) -> bool:
        """Whether one more would be answered soon."""
        if lane.is_full():
            return False
        return lane.waiting < lane.always or self.waiting * self.step <= lane.patience

    def enter(self, lane: Lane) -> "Ticket":
        """One more has arrived."""
        ticket = Ticket(self, lane, self.clock(), self.waiting, lane.inside)
        self.waiting += 1
        lane.waiting += 1
        lane.inside += 1
        return ticket


def _smoothed(estimate: float, seen: float) -> float:
    return max(LEAST_STEP, estimate + SMOOTH * (min(seen, WILD * estimate) - estimate))


@dataclass(eq=False, slots=True)
class Ticket:
    """One request between its headers and its answer."""

    gate: Gate
    lane: Lane
    at: float
    ahead: int
    beside: int
    begun: bool = False

    def begin(self) -> None:
        """Its turn has come."""
        gate = self.gate
        self.begun = True
        gate.waiting -= 1
        self.lane.waiting -= 1
        gate.step = _smoothed(gate.step, (gate.clock() - self.at) / (self.ahead + 1))

    def leave(self) -> None:
        """It was answered, or nobody waits for it any more."""
        if not self.begun:
            self.gate.waiting -= 1
            self.lane.waiting -= 1
        else:
            took = self.gate.clock() - self.at
            self.lane.share = _smoothed(self.lane.share, took / (self.beside + 1))
        self.lane.inside -= 1


class Admitted:
    """The application for one request that was let in."""

    def __init__(self, app: App, ticket: Ticket) -> None:
        self.app, self.ticket = app, ticket

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Answer it."""
        self.ticket.begin()
        try:
            await self.app(scope, receive, send)
        finally:
            self.ticket.leave()


def _ready(refusal: Refusal, line: str, language: str, *more: str) -> tuple[bytes, bytes]:
    """Body and head of a refusal."""
    translate = translator(language)
    body = msgspec.json.encode(Failure(error=refusal.error.say(translate), do=refusal.do.say(translate)))
    lines = (
        f"HTTP/1.1 {line}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        *more,
    )
    return body, "\r\n".join((*lines, "", "")).encode()


BUSY = too_busy()
REFUSALS = {
    language: _ready(BUSY, "503 Service Unavailable", language, f"retry-after: {BUSY.wait:.0f}")
    for language in LANGUAGES
}
WHOLE = {language: head + body for language, (body, head) in REFUSALS.items()}
TO_PAGES = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"Retry-After"))
"""What a page needs to read a refusal; it says the same to everybody."""
WHOLE_TO_PAGES = {
    language: head[:-2] + b"".join(b"%s: %s\r\n" % each for each in TO_PAGES) + b"\r\n" + body
    for language, (body, head) in REFUSALS.items()
}
BROKEN = wrong(Text("this is not HTTP as it should be"))
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,7})\r\n")
_SPECIAL = ("\r\ntransfer-encoding:", "\r\nexpect:", "\r\nupgrade:", "\r\nconnection:")
SPECIAL = tuple(name.encode() for name in _SPECIAL)
_CHINESE = re.compile(rb"\r\naccept-language: *zh")


def is_whole(data: bytes) -> bytes | None:
    """The lower-case headers, where the bytes are exactly one ordinary request that goes on to be kept alive."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2].lower()
    if not head.startswith(b" http/1.1\r\n", head.find(b" ", head.find(b" ") + 1)):
        return None
    if any(name in head for name in SPECIAL):
        return None
    announced, length = head.count(b"content-length"), _LENGTH.search(head)
    if announced != (length is not None):
        return None
    return head if len(data) == end + 4 + (int(length[1]) if length else 0) else None


class GatedProtocol(HttpToolsProtocol):
    """HTTP behind a gate, which the application hands over in its lifespan state as `gate`."""

    gate: Gate | None
    mid_request = False
    refused_at = float("-inf")

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(config, server_state, app_state, _loop)
        self.gate = app_state.get("gate")
        self.inner: App = self.app

    def data_received(self, data: bytes) -> None:
        """Refuse a whole request without looking into it, or read it."""
        gate = self.gate
        if gate is None or gate.quiet or self.mid_request or not self.is_idle():
            super().data_received(data)
            return
        lane = gate.lane(data)
        if lane is None or gate.admits(lane) or (head := is_whole(data)) is None:
            super().data_received(data)
            return
        lane.refused += 1
        gate.noted()
        ready = WHOLE_TO_PAGES if b"\r\norigin:" in head else WHOLE
        self.transport.write(ready["zh" if _CHINESE.search(head) else "en"])
        self.refused_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._keep_alive()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for long; a refusal meanwhile was a sign of life."""
        if self.loop.time() - self.refused_at < self.timeout_keep_alive:
            self._keep_alive()
        else:
            super().timeout_keep_alive_handler()

    def _keep_alive(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP is told so in JSON, as everything else is."""
        if self.transport.is_closing():
            return
        body, head = _ready(BROKEN, "400 Bad Request", "en", "connection: close")
        self.transport.write(head + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self.mid_request = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """It is whole."""
        self.mid_request = False
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Let it in, or not."""
        self.app = self._chosen()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """What was pipelined behind another request is not answered any more."""
        for _, app in self.pipeline:
            if isinstance(app, Admitted):
                app.ticket.leave()
        self.pipeline.clear()
        super().connection_lost(exc)

    def is_idle(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _chosen(self) -> App:
        gate = self.gate
        if gate is None:
            return self.inner
        lane = gate.lane(self.parser.get_method() + b" " + self.url)
        if lane is None:
            return self.inner
        if gate.quiet or gate.admits(lane):
            return Admitted(self.inner, gate.enter(lane))
        lane.refused += 1
        gate.noted()
        return refuse


async def refuse(scope: MutableMapping[str, Any], _: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """The refusal for what did not arrive in one piece."""
    asked = dict(scope["headers"])
    body, head = REFUSALS["zh" if asked.get(b"accept-language", b"").startswith(b"zh") else "en"]
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2]]
    headers = [(name, value) for name, value in lines] + list(TO_PAGES if b"origin" in asked else ())
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
