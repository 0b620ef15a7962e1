"""Hostile requests of twenty kinds over every route of the table, byte by byte: no 5xx, no hang, no partial write."""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from kuajie.service.routes import ROUTES, Route
from kuajie.storage.sql.tables import metadata
from kuajie.workflows.workspace import Workspace

from .conftest import operator_of, with_sqlite
from .wired import Address, Answer, asked, wired

MARK = "\ue000"
"""Where the nasty value goes; no example holds it."""


def with_mark(value: Any, rng: random.Random) -> Any:
    """The value with one leaf, chosen by chance, replaced by the mark."""
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(value))
        return {**value, key: with_mark(value[key], rng)}
    if isinstance(value, list) and value:
        place = rng.randrange(len(value))
        return [*value[:place], with_mark(value[place], rng), *value[place + 1 :]]
    return MARK


class Shot:
    """One request that is made wrong somewhere."""

    def __init__(self, route: Route, rng: random.Random, operator: str) -> None:
        self.route, self.rng = route, rng
        example = json.loads(json.dumps(route.example or {}).replace("car_parts", "car"))
        self.values = example
        self.path = route.path.replace("{domain}", "courses").replace("{id}", quote("课1"))
        if route.media == "text/event-stream":
            self.path += "?seconds=0"
        self.headers = [b"Host: 127.0.0.1", b"Content-Type: application/json"]
        if route.scope == "admin":
            self.headers.append(b"Authorization: Bearer " + operator.encode())
        self.body = json.dumps(example).encode() if route.request else b""
        self.length: bytes | None = b"%d"

    def put(self, raw: bytes) -> None:
        """A JSON literal in place of a leaf of the body; without a body, its text in the path or the query."""
        if self.route.request:
            self.body = json.dumps(with_mark(self.values, self.rng)).encode().replace(b'"\\ue000"', raw, 1)
            return
        text = quote(raw.strip(b'"')[:2_000], safe="")
        if "{" in self.route.path and self.rng.random() < 0.7:
            name = self.rng.choice(["{domain}", "{id}"])
            self.path = self.route.path.replace(name, text or "%20").replace("{domain}", "courses").replace("{id}", "1")
        else:
            self.path += f"?{self.rng.choice(['k', 'target', 'x'])}={text}"

    def text(self, text: str) -> None:
        self.put(json.dumps(text, ensure_ascii=self.rng.random() < 0.5).encode("utf-8", "surrogatepass"))

    @property
    def sent(self) -> bytes:
        line = f"{self.route.method} ".encode() + self.path.encode("utf-8", "surrogatepass") + b" HTTP/1.1"
        lines = [line, *self.headers]
        if self.length is not None:
            lines.append(b"Content-Length: " + self.length.replace(b"%d", str(len(self.body)).encode()))
        return b"\r\n".join((*lines, b"", b"")) + self.body


def some(*raws: bytes) -> Callable[[Shot], None]:
    return lambda shot: shot.put(shot.rng.choice(raws))


def texts(*choices: str) -> Callable[[Shot], None]:
    return lambda shot: shot.text(shot.rng.choice(choices))


def twice(shot: Shot) -> None:
    key = shot.rng.choice(sorted(shot.values) or ["a"])
    shot.body = shot.body[:1] + json.dumps(key).encode() + b":1," + shot.body[1:]


def deep(shot: Shot) -> None:
    depth = shot.rng.choice([33, 500, 100_000])
    opening, closing = shot.rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    shot.put(opening * depth + b"1" + closing * shot.rng.choice([0, depth]))


def path_trick(shot: Shot) -> None:
    tricks = (
        "/../../etc/passwd", "/%2e%2e/%2e%2e/x", "//v1/events", "/v1/./events", "/%00", "/v1/events%00", "/v1/events/",
        "/v1/events;a=b", "/v1/events%2f..", "http://evil.example/v1/events", "/v1/items/courses/..%2f..%2fx/similar",
        "/v1/items//1/similar", "/%ff", "/%e4%b8", "/v1/people/courses/%0d%0aX:%20y/profile", "*", "/v1/events?%", "/%",
        "/v1/items/courses/" + "a/" * 400 + "similar", "/" + "a" * 60_000, "/v1/中文", "/v1/events#x",
    )  # fmt: skip
    shot.path = shot.rng.choice(tricks)


def emptied(shot: Shot) -> None:
    if shot.route.request and shot.rng.random() < 0.5:
        shot.body = shot.rng.choice([b"", b" ", b"{}", b"[]", b"null", b'""', b"0"])
    else:
        shot.put(shot.rng.choice([b'""', b"[]", b"{}", b"null"]))


def content_type(shot: Shot) -> None:
    kinds = (
        b"text/plain", b"application/json; charset=utf-16", b"multipart/form-data; boundary=x", b"",
        b"application/x-www-form-urlencoded", b"application/json, text/plain", b"\xff\xfe", b"image/svg+xml",
        b"a" * 5_000, b"application/jsonx",
    )  # fmt: skip
    shot.headers[1] = b"Content-Type: " + shot.rng.choice(kinds)
    if shot.rng.random() < 0.2:
        del shot.headers[1]


def framing(shot: Shot) -> None:
    shot.length, more = shot.rng.choice(
        (
            (b"-1", b""), (b"+%d", b""), (b"0x10", b""), (b"99999999999999999999", b""), (b"%d, %d", b""), (b"", b""),
            (b"%d\r\nContent-Length: 1", b""), (b"2000000", b""), (b"1", b""), (None, b""),
            (None, b"Transfer-Encoding: chunked"), (b"%d", b"Transfer-Encoding: chunked"), (b"%d", b"Expect: 200-ok"),
            (None, b"Transfer-Encoding: gzip, chunked"), (b"%d", b"Content-Encoding: gzip"), (b"%d", b"Upgrade: h2c"),
            (b"%d", b"Transfer-Encoding : chunked"), (b"%d", b"Expect: 100-continue"), (b"%d", b"Connection: close"),
        )
    )  # fmt: skip
    if more:
        shot.headers.append(more)
    if more == b"Transfer-Encoding: chunked":
        size = shot.rng.choice([b"ffffffffffffffffff", b"-1", b"zz", b"%x" % len(shot.body)])
        shot.body = size + b"\r\n" + shot.body + b"\r\n0\r\n\r\n"


def header(shot: Shot) -> None:
    shot.headers.append(
        shot.rng.choice(
            (
                b"X: a\r\nSet-Cookie: b=c", b"X: a\nY: b", b"X: a\rY: b", b"X\x00: a", b"X: \x00", b": a", b"X : a",
                b" X: a", b"Origin: \xe4",
                b"Accept-Language: " + b"zh," * 5_000, b"Accept-Language: \xe4\xb8\xad", b"Authorization: Bearer",
                b"Authorization: Bearer \xff\xff", b"Authorization: Basic YTpi", b"Origin: http://[::1",
                b"Host: evil.example", b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-For: " + b"1.1.1.1," * 2_000,
                b"Accept-Encoding: gzip;q=nan", b"Range: bytes=0-1", b"If-Match: *", b"X: " + b"a" * 100_000,
                b"\r\n".join(b"X-%d: a" % number for number in range(500)), b"Cookie: a=b" * 100,
            )
        )
    )  # fmt: skip


def types(shot: Shot) -> None:
    if shot.route.request and shot.rng.random() < 0.3:
        shot.body = shot.body.replace(b"{", b'{"admin":true,', 1)
    else:
        shot.put(shot.rng.choice([b"true", b"-1", b"[[]]", b'{"a":{}}', b"1.5", b'"x"', b"-0.0", b"1e-400"]))


TIMES = (
    "2026-13-01", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59+23:59", "2026-01-01T00:00:00+99:00", "明天", "1e18",
    "0001-01-01T00:00:00+14:00", "2016-12-31T23:59:60Z", "2026-01-01T24:00:00Z", "now", "+002026-01-01T00:00:00Z",
    "2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00.1234567890123Z",
)  # fmt: skip
KINDS: dict[str, Callable[[Shot], None]] = {
    "NaN": some(b"NaN", b"Infinity", b"-Infinity", b"nan"),
    "too large a float": some(b"1e400", b"-1e400", b"1e308", b"1.7976931348623157e308"),
    "too large for 64 bits": some(b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616"),
    "thousands of digits": some(b"9" * 5_000, b"-" + b"1" * 20_000, b"0." + b"1" * 20_000, b"1e" + b"9" * 1_000),
    "NUL and controls": texts("a\x00b", "\x00", "a\x1b[31mb", "\x7f", "\x85", "a\nb"),
    "half surrogates": some(b'"\\ud800"', b'"a\\udfff"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\\ud83d"'),
    "normal forms": texts("é", "e\u0301", "ﬁ", "Å", "Å", "가", "가"),
    "emoji": texts("👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🚗" * 32, "❤️", "\U0010ffff"),
    "right to left": texts("\u202eabc\u202c", "שלום", "\u200f\u200e", "\u2066a\u2069", "\ufeff"),
    "keys twice": twice,
    "deep nesting": deep,
    "bad UTF-8": some(b'"\xff"', b'"\xc0\xaf"', b'"\xf8\x88\x80\x80\x80"', b'"\xe4\xb8"', b"\xff\xfe", b'"\x80"'),
    "SQL": texts(
        "'; DROP TABLE events; --", '" OR 1=1 --', "%", "_", "\\", "a' UNION SELECT 1", "x'00'", ":a", "%(a)s"
    ),
    "templates": texts("{{7*7}}", "${7*7}", "<%= 7 %>", "{0.__class__}", "{domain}", "%s%n", "<script>", "$ref"),
    "path tricks": path_trick,
    "times": texts(*TIMES),
    "empty": emptied,
    "content types": content_type,
    "framing": framing,
    "headers": header,
    "long ids": texts("a" * 129, "长" * 43, "a" * 128, "a" * 100_000, "長" * 300_000, " " * 128, "\u3000"),
    "types": types,
}


def counts(store: Any) -> Counter[str]:
    """Rows of every table."""
    with store.reader.connection() as connection:
        return Counter(
            {
                name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }
        )


def judge(answer: Answer, media: str, what: str) -> None:
    assert answer.status < 500, (what, answer)
    assert answer.seconds < 5, (what, answer.seconds)
    if answer.status == 0:
        assert not answer.body, what
        return
    assert "set-cookie" not in answer.headers
    if answer.status == 200 and media != "application/json":
        assert answer.headers["content-type"].startswith(media), what
        return
    assert answer.headers["content-type"] == "application/json", (what, answer)
    said = answer.data
    assert "Traceback" not in str(said)
    if answer.status not in {200, 422}:
        assert said["error"], what
        assert said["do"], what
        assert not any(ord(letter) < 32 for letter in said["error"]), what


def bombard(address: Address, store: Any, operator: str, each: int, seed: int) -> Counter[int]:
    """Every kind at every route; what is stored is what was said to be."""
    seen: Counter[int] = Counter()
    for route in ROUTES:
        for name, kind in KINDS.items():
            for number in range(each):
                shot = Shot(route, random.Random(f"{seed} {route.name} {name} {number}"), operator)
                kind(shot)
                before = counts(store)
                answer = asked(address, shot.sent)
                what = f"{route.name}: {name} {number}: {shot.sent[:300]!r}"
                judge(answer, "text/plain" if route.response is str else route.media, what)
                seen[answer.status] += 1
                changed = {table for table, rows in counts(store).items() if rows != before[table]} - LATER
                told = answer.data.get("accepted", 1) if answer.status == 200 and changed else 0
                if not told:
                    assert changed <= {"bad_events"}, (what, changed, answer.body[:300])
                if answer.status not in {0, 200, 422}:
                    assert not changed, (what, changed)
    return seen


LATER = {"ranked_lists", "counters"}
"""Lists are stored after their answer."""


@pytest.fixture
def impatient(workspace: Workspace) -> Workspace:
    config = workspace.root / "kuajie.toml"
    section = "[service]\nheader_seconds = 1.0\nbody_seconds = 1.0\n"
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    return Workspace.open(workspace.root)


def bombarded(workspace: Workspace, each: int, least: int) -> None:
    service = with_sqlite(workspace)
    service.demo = service.insist = True  # some requests make keys
    with wired(service) as address:
        seen = bombard(address, service.store, operator_of(service), each, seed=3)
        asked_for = json.dumps({"domain": "courses", "user": "0007", "target": "car"}).encode()
        head = b"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        answer = asked(address, head + b"Content-Length: %d\r\n\r\n" % len(asked_for) + asked_for)
        assert answer.status == 200
        assert answer.data["items"], "the service is as before"
    assert sum(seen.values()) >= least
    assert seen[200] > least / 50, "what is harmless is answered"
    assert seen[400] > least / 4
    assert seen[401] < least / 20, "only who sends a bad key is asked for one"


def test_hostile_requests_everywhere(impatient: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request of each kind at each route."""
    bombarded(impatient, 1, 280)


@pytest.mark.slow
def test_2000_hostile_requests_everywhere(impatient: Workspace) -> None:
    bombarded(impatient, 8, 2_000)


def test_there_are_twenty_kinds() -> None:
    assert len(KINDS) >= 20
