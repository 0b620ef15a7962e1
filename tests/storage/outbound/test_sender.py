"""Sending is pinned to what was checked: no rebinding, no redirect, no proxy, no answer without end."""

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from kuajie.storage.outbound.sender import PinnedSender, Resolver, resolve

from .conftest import Certificate, Receiver

HEADERS = {"Content-Type": "application/json", "Webhook-Id": "msg_1"}
BODY = '{"城":"上海"}'.encode()
UNREACHABLE = "the URL names no host that can be reached from outside"


def here(**more: object) -> PinnedSender:
    return PinnedSender((443, 8443), 3.0, **{"loopback": True, **more})  # type: ignore[arg-type]


def names(*answers: Sequence[str]) -> tuple[Resolver, list[str]]:
    """A resolver with an answer for each question, and what it was asked."""
    asked: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        found = answers[min(len(asked), len(answers)) - 1]
        if not found:
            raise socket.gaierror("no such name")
        return found

    return resolver, asked


def test_what_is_sent(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    answer = here().send(f"http://127.0.0.1:{receiver.port}/钩?a=b", HEADERS, BODY)
    assert (answer.status, answer.good, answer.problem) == (204, True, "")
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    lines = head.decode("ascii").split("\r\n")
    assert lines[0] == "POST /%E9%92%A9?a=b HTTP/1.1"
    assert set(lines[1:]) == {
        f"Host: 127.0.0.1:{receiver.port}", "Content-Type: application/json", "Webhook-Id: msg_1",
        f"Content-Length: {len(BODY)}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "status", "wait"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, None),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 500, None),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", 503, 120.0),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n", 429, None),
        (b"HTTP/1.1 410 Gone\r\n\r\n", 410, None),
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n", 302, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx", 200, None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200, None),
    ],
)
def test_answers(receiver: Receiver, said: bytes, status: int, wait: float | None) -> None:
    receiver.answer = said
    answer = here().send(f"http://127.0.0.1:{receiver.port}/", HEADERS, BODY)
    assert (answer.status, answer.wait, answer.good) == (status, wait, status == 200)
    assert len(receiver.requests) == 1, "no redirect is followed, nothing is sent twice"


@pytest.mark.parametrize("said", [b"", b"\x00\xff" * 40 + b"\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/9.9"])
def test_answers_that_are_none(receiver: Receiver, said: bytes) -> None:
    receiver.answer = said
    answer = here().send(f"http://127.0.0.1:{receiver.port}/", HEADERS, BODY)
    assert answer.status is None
    assert answer.problem.startswith("it could not be reached (")


def test_an_answer_without_end_is_not_read(receiver: Receiver) -> None:
    def endless(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    receiver.script = endless
    began = time.monotonic()
    assert here().send(f"http://127.0.0.1:{receiver.port}/", HEADERS, BODY).status == 200
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("slow", ["silent", "drips", "drips headers"])
def test_who_is_slow_is_given_up_in_time(receiver: Receiver, slow: str) -> None:
    def script(connection: socket.socket, _: bytes) -> None:
        if slow == "silent":
            time.sleep(4)
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + (b"X-" if "headers" in slow else b"Content-Length: 9999\r\n\r\n"))
        for _ in range(40):
            connection.sendall(b"x")
            time.sleep(0.1)

    receiver.script = script
    began = time.monotonic()
    answer = replace(here(), seconds=0.7).send(f"http://127.0.0.1:{receiver.port}/", HEADERS, BODY)
    assert time.monotonic() - began < 2.5
    if slow != "drips":  # its status came in time
        assert (answer.status, answer.problem) == (None, "it did not answer within 0.7 s")


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"], ["127.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"],
        ["1.1.1.1", "192.168.0.1"], ["fe80::1%eth0"], [], ["nonsense"],
    ],
)  # fmt: skip
def test_names_of_addresses_that_are_not_public_are_not_spoken_to(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(socket, "create_connection", never)
    resolver, _ = names(addresses)
    sender = PinnedSender((443,), 1.0, resolver=resolver)
    assert sender.problem("https://hooks.example/") == UNREACHABLE
    assert sender.send("https://hooks.example/", HEADERS, BODY).problem == UNREACHABLE


def test_a_name_that_means_something_else_later_is_checked_again_and_resolved_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    resolver, asked = names(["1.1.1.1"], ["127.0.0.1"])
    sender = PinnedSender((443,), 1.0, resolver=resolver)
    assert sender.problem("https://hooks.example/") is None
    assert sender.send("https://hooks.example/", HEADERS, BODY).problem == UNREACHABLE
    assert connected == []
    resolver, asked = names(["1.1.1.1", "2606:4700::1111", "8.8.8.8"], ["127.0.0.1"])
    answer = PinnedSender((443,), 1.0, resolver=resolver).send("https://hooks.example/", HEADERS, BODY)
    assert answer.problem == "it could not be reached (ConnectionRefusedError)"
    assert (asked, connected) == (["hooks.example:443"], [("1.1.1.1", 443), ("2606:4700::1111", 443)])


def test_loopback_is_allowed_alone(receiver: Receiver) -> None:
    resolver, _ = names(["10.0.0.1"])
    assert here(resolver=resolver).problem("http://hooks.example/") == "the URL must begin with https://"
    assert here(resolver=resolver).problem("https://hooks.example/") == UNREACHABLE
    public, _ = names(["1.1.1.1"])
    assert here(resolver=public).problem("http://hooks.example/") == "the URL must begin with https://"
    assert here(resolver=public).problem("https://hooks.example:22/") == "the URL must begin with https://"
    assert here().problem(f"http://localhost:{receiver.port}/") is None
    assert PinnedSender((443,), 1.0).problem(f"http://127.0.0.1:{receiver.port}/") == "the URL must begin with https://"
    assert PinnedSender((443,), 1.0).problem("https://127.0.0.1/") == UNREACHABLE


def test_tls_is_checked_against_the_name_at_the_pinned_address(receiver: Receiver, certificate: Certificate) -> None:
    seen: list[str | None] = []
    certificate.server.sni_callback = lambda _, name, __: seen.append(name)
    receiver.context = certificate.server
    resolver, asked = names(["127.0.0.1"])
    sender = PinnedSender(
        (443, receiver.port), 3.0, resolver=resolver, context=certificate.client, permitted=lambda _: True
    )
    assert sender.send(f"https://hooks.example:{receiver.port}/x", HEADERS, BODY).status == 204
    assert seen == ["hooks.example"]
    assert asked == [f"hooks.example:{receiver.port}"]
    other = sender.send(f"https://other.example:{receiver.port}/x", HEADERS, BODY)
    assert other.status is None
    assert other.problem.startswith("its certificate is not valid for its name (")
    stranger = replace(sender, context=ssl.create_default_context())
    assert "certificate" in stranger.send(f"https://hooks.example:{receiver.port}/", HEADERS, BODY).problem
    assert len(receiver.requests) == 1


def test_a_handshake_without_end_is_given_up(receiver: Receiver, certificate: Certificate) -> None:
    resolver, _ = names(["127.0.0.1"])
    sender = PinnedSender(
        (receiver.port,), 0.7, resolver=resolver, context=certificate.client, permitted=lambda _: True
    )
    receiver.script = lambda connection, _: time.sleep(4)
    began = time.monotonic()
    answer = sender.send(f"https://hooks.example:{receiver.port}/", HEADERS, BODY)
    assert (answer.status, time.monotonic() - began < 2.5) == (None, True)


def test_the_systems_resolver() -> None:
    assert "127.0.0.1" in resolve("localhost", 80)
    with pytest.raises(OSError, match=r".*"):
        resolve("no-such-host.invalid", 80)
