"""Pushed lists: who is woken, by what, how often, and that nothing is left behind."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kuajie.bootstrap import deployed, model_store
from kuajie.core.records import Account, Consent, Event, Link
from kuajie.service import push
from kuajie.service.calls import Call
from kuajie.service.push import stream
from kuajie.service.refusals import Refusal
from kuajie.service.streams import PushResponse
from kuajie.workflows.list_ids import plain
from kuajie.workflows.listening import Listeners
from kuajie.workflows.workspace import Workspace

from .conftest import PAGE, Running
from .test_process import serving

ASKED = {"domain": "courses", "user": "新人", "target": "car", "k": 5}


def event(number: object, item: str = "课1", user: str = "新人", domain: str = "courses") -> Event:
    return Event(
        event_id=f"e{number}", domain=domain, user=user, item=item, kind="purchase", occurred_at=datetime.now(UTC)
    )


def asked(running: Running, seconds: int = 300, **more: Any) -> Call:
    body = msgspec.json.encode({**ASKED, **more})
    service = running.service
    return Call(service, service.demo_caller, {}, {"seconds": str(seconds)}, body, None, "zh")


class Reader:
    """Reads a stream as a page does."""

    def __init__(self, response: PushResponse) -> None:
        self._parts = aiter(response.body_iterator)
        self._coming: asyncio.Future[Any] | None = None

    async def next(self, seconds: float = 3.0) -> Any:
        async with asyncio.timeout(seconds):
            part = await (self._coming or anext(self._parts))
        self._coming = None
        assert isinstance(part, bytes)
        assert part.endswith(b"\n\n")
        fields = dict(line.split(": ", 1) for line in part.decode().strip().split("\n") if ": " in line)
        return json.loads(fields["data"]) if "data" in fields else None

    async def silent(self, seconds: float = 0.4) -> bool:
        self._coming = self._coming or asyncio.ensure_future(anext(self._parts))
        return not (await asyncio.wait([self._coming], timeout=seconds))[0]


@asynccontextmanager
async def reading(running: Running, **more: Any) -> AsyncIterator[Reader]:
    response = await stream(asked(running, **more))
    try:
        yield Reader(response)
    finally:
        response._left()


def played(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 20))


@pytest.fixture
def hasty(fast: Running) -> Running:
    """Pushes at most ten lists a second."""
    config = fast.service.workspace.config
    service = config.service.model_copy(update={"push_seconds": 0.1})
    fast.service.workspace = replace(fast.service.workspace, config=config.model_copy(update={"service": service}))
    return fast


def test_the_first_list_is_what_recommend_answers(fast: Running, token: Callable[..., str]) -> None:
    page = token("courses", "publishable")
    answer = fast.ask("POST", "/v1/recommend/stream?seconds=0", ASKED, page, Origin=PAGE)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["access-control-allow-origin"]) == ("no-store", PAGE)
    retry, kind, number, data = answer.text.strip().split("\n")
    assert (retry, kind) == ("retry: 3000", "event: list")
    pushed = json.loads(data.removeprefix("data: "))
    assert number == f"id: {pushed['list_id']}"
    single = fast.ask("POST", "/v1/recommend", ASKED, page, Origin=PAGE).json()
    assert pushed["items"] == single["items"]
    assert set(pushed) == set(single)
    assert len(fast.service.streams) == 0


@pytest.mark.parametrize("seconds", ["-1", "601", "1e2", "x", "", "１"])
def test_wrong_calls_are_refused_before_anything_is_kept(fast: Running, seconds: str) -> None:
    assert fast.ask("POST", f"/v1/recommend/stream?seconds={seconds}", ASKED).status_code == 400
    for wrong, status in (({"user": "\x00"}, 400), ({"domain": "别的"}, 403), ({"target": "别的"}, 404)):
        assert fast.ask("POST", "/v1/recommend/stream", {**ASKED, **wrong}).status_code == status
    assert len(fast.service.streams) == len(fast.service.deployment.now.live.listeners) == 0


def test_an_event_of_any_process_brings_a_list_and_other_people_none(hasty: Running) -> None:
    service = hasty.service

    async def scene() -> None:
        async with reading(hasty) as reader:
            assert (await reader.next())["fallback"] == "popular"
            service.deployment.now.live.learn([event(0, user="另一个人")])
            service.deployment.now.live.learn([event(1)])  # by its sender
            fresh = await reader.next()
            assert fresh["fallback"] == ""
            assert fresh["items"][0]["reasons"][0]["item"] == "课1"
            service.store.events.submit([event(2, "课2")], datetime.now(UTC)).result()
            service.look()  # what another process stored
            assert "课2" in {each["reasons"][0]["item"] for each in (await reader.next())["items"]}
            service.deployment.now.live.learn([event(2, "课2")])
            service.look()
            assert await reader.silent(), "known already"
        assert len(service.deployment.now.live.listeners) == 0

    played(scene)
    assert len(service.streams) == 0


def test_many_events_are_one_list(hasty: Running) -> None:
    async def scene() -> None:
        async with reading(hasty) as reader:
            await reader.next()
            hasty.service.deployment.now.live.learn([event("first")])
            await reader.next()
            for number in range(1, 20):
                hasty.service.deployment.now.live.learn([event(number, f"课{number}")])
                await asyncio.sleep(0.001)
            named = {reason["item"] for each in (await reader.next())["items"] for reason in each["reasons"]}
            assert len(named) > 3, "all of them are in it"
            assert await reader.silent()

    played(scene)


def test_links_consents_and_models_bring_lists_too(hasty: Running) -> None:
    service = hasty.service
    me, other = Account(domain="courses", user="新人"), Account(domain="car", user="车外人")

    async def scene() -> None:
        async with reading(hasty, target="courses") as reader:
            await reader.next()
            service.deployment.now.live.learn([event(1)])
            assert (await reader.next())["personalised"]
            service.store.catalogue.put_links([Link(a=me, b=other)])
            service.look()
            service.deployment.now.live.learn([event(2, "🚗2", "车外人", "car")])
            named = {reason["item"] for each in (await reader.next())["items"] for reason in each["reasons"]}
            assert "🚗2" in named, "it listens to accounts that were joined meanwhile"
            service.store.catalogue.put_consents(
                [Consent(account=me, personalised=False, changed_at=datetime.now(UTC))]
            )
            service.deployment.now.live.forget([me])
            assert not (await reader.next())["personalised"]

    played(scene)


def test_another_model_wakes_everybody(hasty: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    service = hasty.service

    async def scene() -> None:
        async with reading(hasty) as reader:
            await reader.next()
            monkeypatch.setattr(service.deployment, "_pointer", lambda: "another")
            monkeypatch.setattr(service.deployment, "_load", lambda _: replaced)
            service.look()
            await asyncio.sleep(0.3)  # the list is the same, and is not sent
            assert await reader.silent()
            replaced.live.learn([event(1)])
            assert (await reader.next())["fallback"] == ""

    models = model_store(service.workspace)
    replaced = deployed(service.workspace, models, service.store, service.cache)
    played(scene)


def test_comments_keep_it_alive_and_it_ends_in_time(hasty: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "HEARTBEAT_SECONDS", 0.1)

    async def scene() -> None:
        response = await stream(asked(hasty, seconds=1))
        parts = [part async for part in response.body_iterator]
        assert parts[1:] == [b":\n\n"] * len(parts[1:])
        assert 3 <= len(parts) <= 11
        response._left()

    played(scene)


def test_there_are_so_many_and_half_of_them_for_one_key(fast: Running) -> None:
    streams = fast.service.streams
    streams._most = 4

    async def scene() -> None:
        first, _ = streams.enter("a"), streams.enter("a")
        with pytest.raises(Refusal) as refused:
            streams.enter("a")
        assert (refused.value.status, refused.value.wait) == (503, 10)
        others = [streams.enter("b"), streams.enter("c")]
        with pytest.raises(Refusal):
            streams.enter("d")
        streams.leave(first)
        streams.leave(first)
        streams.enter("d")
        assert len(streams) == 4
        assert others

    played(scene)
    answer = fast.ask("POST", "/v1/recommend/stream", ASKED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


def test_a_wake_may_come_after_the_loop_is_gone(fast: Running) -> None:
    async def scene() -> None:
        kept.append(fast.service.streams.enter(""))

    kept: list[Any] = []
    asyncio.run(scene())
    kept[0].wake()
    kept[0].end()


def test_listeners_are_woken_once_and_only_while_they_listen() -> None:
    listeners = Listeners()
    woken: list[str] = []
    a, b = Account(domain="courses", user="甲"), Account(domain="car", user="乙")

    def wake() -> None:
        woken.append("first")

    stop = listeners.listen([a, b], wake)
    other = listeners.listen([b], lambda: woken.append("second"))
    listeners.tell([a, b, a])
    assert sorted(woken) == ["first", "second"]
    stop()
    stop()
    listeners.tell([a, b])
    assert woken.count("first") == 1
    other()
    assert len(listeners) == 0


def test_listening_is_safe_from_many_threads() -> None:
    listeners = Listeners()
    accounts = [Account(domain="courses", user=str(n)) for n in range(20)]

    def work() -> None:
        for _ in range(200):
            stop = listeners.listen(accounts, lambda: None)
            listeners.tell(accounts)
            stop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listeners) == 0


def test_streams_need_no_threads_and_end_when_the_service_stops(workspace: Workspace) -> None:
    body = json.dumps(ASKED).encode()
    head = b"POST /v1/recommend/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with serving(workspace.root) as served:
        served.recommend("新人")
        before = threads_of(served.process.pid)
        connections = []
        for _ in range(100):
            connections.append(socket.create_connection(served.address))
            connections[-1].sendall(request)
        assert all(b"event: list" in until(each, b"\n\n") for each in connections)
        assert threads_of(served.process.pid) - before <= 8, "those that ask the store"
        for gone in connections[:50]:
            gone.close()
        served.ask(
            "/v1/events", {"event_id": "1", "domain": "courses", "user": "新人", "item": "课1", "kind": "purchase"}
        )
        assert all(b'"item":"\xe8\xaf\xbe1"' in until(each, b"\n\n") for each in connections[50:])
        began = time.monotonic()
        served.process.terminate()
        assert all(ended(each) for each in connections[50:])
        assert served.process.wait(20) == 0
        assert time.monotonic() - began < 9, "a stream does not hold up the end"


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def until(connection: socket.socket, mark: bytes) -> bytes:
    connection.settimeout(10)
    received = b""
    while mark not in received.partition(b"data:")[2]:
        part = connection.recv(65_536)
        assert part, received
        received += part
    return received


def ended(connection: socket.socket) -> bool:
    with connection:
        connection.settimeout(10)
        received = b""
        while part := connection.recv(65_536):
            received += part
    return received.endswith(b"0\r\n\r\n")


def test_lists_that_are_not_sent_are_not_kept(hasty: Running) -> None:
    service, kept = hasty.service, []
    keep = service.lists.keep

    async def scene() -> None:
        async with reading(hasty) as reader:
            first = await reader.next()
            service.deployment.now.live.learn([event(0, "没有这门课")])
            assert await reader.silent()
            assert [plain(first["list_id"])] == kept
            service.deployment.now.live.learn([event(1)])
            second = await reader.next()
            assert [plain(first["list_id"]), plain(second["list_id"])] == kept

    service.lists.keep = lambda ranked: (kept.append(ranked.list_id), keep(ranked))[1]  # type: ignore[method-assign]
    played(scene)
