"""What operators see: ids of requests, metrics, logs; and that none of it holds personal data."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kuajie.core.errors import StoreError
from kuajie.core.records import Verdict
from kuajie.service.logs import JsonFormatter, RequestLog, log_as_json
from kuajie.service.metrics import Metrics
from kuajie.service.observing import Observer, Seen
from kuajie.service.routes import ROUTES
from kuajie.service.tracing import NoTracing
from kuajie.service.workers import FOLDER

from .conftest import Running
from .test_process import ENVIRONMENT

SECRET = "张三13800138000"


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Numbers:
    """What /metrics says, by name and labels."""

    def __init__(self, running: Running, token: str | None = None) -> None:
        answer = running.ask("GET", "/metrics", token=token)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        self.text = answer.text
        self.samples = samples(answer.text)

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples.get((f"kuajie_{name}", frozenset(labels.items())), 0.0)


@pytest.fixture
def logged(fast: Running) -> io.BytesIO:
    """Everything that the log of requests holds."""
    stream = io.BytesIO()
    fast.service.log._least, fast.service.log._stream = 0, stream
    return stream


def lines(stream: io.BytesIO, log: RequestLog) -> list[dict[str, Any]]:
    log.flush()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_is_found_by_its_id(fast: Running, logged: io.BytesIO) -> None:
    given = fast.ask("GET", "/health/live", **{"X-Request-Id": "order-2026.11_26"})
    assert given.headers["x-request-id"] == "order-2026.11_26"
    for forged in ("short", "a b c d e f g h", "x" * 65, "<script>alert(1)", "../../../etc", "1234567\t"):
        made = fast.ask("GET", "/health/live", **{"X-Request-Id": forged}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{20}", made)
    failed = fast.ask("POST", "/v1/recommend", {"domain": "courses"})
    assert failed.json()["request_id"] == failed.headers["x-request-id"]
    assert fast.ask("GET", "/nowhere").json()["request_id"]
    ids = [line["request_id"] for line in lines(logged, fast.service.log)]
    assert len(set(ids)) == len(ids) == 9
    assert failed.json()["request_id"] in ids


def test_requests_are_counted_by_route_and_never_by_path(fast: Running) -> None:
    fast.recommend("0007")
    fast.ask("GET", f"/v1/people/courses/{SECRET}/profile")
    fast.ask("GET", f"/v1/items/courses/{SECRET}/similar")
    fast.ask("GET", f"/{SECRET}")
    fast.ask("PATCH", "/v1/recommend")
    fast.client.request("SPY", "/v1/recommend")
    told = Numbers(fast)
    assert told("requests_total", route="/v1/recommend", method="POST", status="2xx") == 1
    assert told("requests_total", route="/v1/people/{domain}/{id}/profile", method="GET", status="2xx") == 1
    assert told("requests_total", route="/v1/items/{domain}/{id}/similar", method="GET", status="4xx") == 1
    assert told("requests_total", route="none", method="GET", status="4xx") == 1
    assert told("requests_total", route="none", method="other", status="4xx") == 1, "no label for each word sent"
    assert told("request_seconds_count", route="/v1/recommend", method="POST") == 1
    assert 0 < told("request_seconds_sum", route="/v1/recommend", method="POST") < 30
    assert told("requests_in_progress") == 1, "the one that asks"
    assert SECRET not in told.text
    assert told("start_timestamp_seconds") <= time.time()
    assert told("resident_memory_bytes") > 1 << 20


def test_what_became_of_events_and_lists_is_counted(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    fast.event(1, "新人", "课1")
    fast.event(1, "新人", "课1")
    rows = [{"event_id": f"b{n}", "domain": d, "user": "u", "item": "课1", "kind": "view"} for n, d in enumerate("ab")]
    good = [{**rows[0], "event_id": f"g{n}", "domain": "courses"} for n in range(3)]
    fast.post("/v1/events", {"events": [*rows, *good]})
    fast.recommend("新人")
    fast.recommend("谁都不是")
    fast.recommend("新人", personalised=False)
    told = Numbers(fast)
    assert [told("events_total", verdict=name) for name in ("accepted", "duplicate", "rejected")] == [4, 1, 2]
    assert told("answers_total", fallback="none", degraded="false", personalised="true") == 1
    assert told("answers_total", fallback="popular", degraded="false", personalised="false") == 2
    assert told("histories_total", found="store") == 2
    assert told("histories_total", found="memory") == 1

    def full(*_: object) -> None:
        raise StoreError("full")

    monkeypatch.setattr(fast.service.store.shown, "submit_lists", full)
    monkeypatch.setattr(fast.service.store.events, "submit", full)
    fast.recommend("新人")
    fast.service.lists.lost += 3
    assert fast.post("/v1/events", rows[0], status=503)["request_id"]
    told = Numbers(fast)
    assert told("lists_lost_total") == 3
    assert told("lists_waiting") >= 1
    assert told("refused_total", reason="store") == 1


def test_what_is_told_to_come_again_is_counted_by_reason(fast: Running, token: Callable[..., str]) -> None:
    secret, operator = token("courses"), token("car", scopes=("operations",))
    fast.recommend(token=secret)
    fast.service.at_work = 10_000
    fast.recommend(token=secret, status=503)
    fast.service.at_work = 0
    take = fast.service.bucket.take
    fast.service.bucket.take = lambda _: 1.0  # type: ignore[method-assign]
    fast.recommend(token=secret, status=429)
    fast.service.bucket.take = take  # type: ignore[method-assign]
    told = Numbers(fast, operator)
    assert (told("refused_total", reason="busy"), told("refused_total", reason="rate")) == (1, 1)
    assert fast.ask("GET", "/metrics", token=secret).status_code == 403
    assert fast.ask("GET", "/metrics").status_code == 401, "a proxy on this machine would let everybody in"


def test_the_model_and_the_store_are_told_of(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = fast.service.deployment.now
    names = {"model_version": deployed.model_version, "snapshot_id": deployed.dataset.snapshot.manifest.snapshot_id}
    told = Numbers(fast)
    assert told("model_info", **names) == 1
    assert abs(told("model_loaded_timestamp_seconds") - time.time()) < 60
    assert (told("model_refused"), told("store_failing"), told("store_queued_rows")) == (0, 0, 0)
    seen = told("tail_read_timestamp_seconds")
    assert abs(seen - time.time()) < 10

    def down(*_: object, **__: object) -> None:
        raise StoreError("down")

    monkeypatch.setattr(fast.service.store.events, "after", down)
    until = time.monotonic() + 5
    while not fast.service.tail.failing and time.monotonic() < until:
        time.sleep(0.05)
    told = Numbers(fast)
    assert told("store_failing") == 1
    fast.recommend("0012")
    assert Numbers(fast)("answers_total", fallback="none", degraded="true", personalised="true") == 1


def test_the_log_has_one_line_a_request_and_no_person_in_it(
    fast: Running, logged: io.BytesIO, token: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    secret, admin = token("courses"), token("car", scopes=("operations", "admin"))
    asked = 0
    for route in ROUTES:
        path = route.path.replace("{domain}", "courses").replace("{id}", SECRET)
        body = json.loads(json.dumps(route.example or {}).replace("00000042", SECRET)) if route.request else None
        for key in (secret, admin, None):
            fast.ask(route.method, f"{path}?who={SECRET}", body, key, Referer="13800138000")
            asked += 1
    event = {"event_id": SECRET, "domain": "courses", "user": SECRET, "item": SECRET, "kind": "purchase"}
    fast.post("/v1/events", {**event, "properties": {"手机": SECRET}}, secret)
    fast.recommend(SECRET, token=secret)
    fast.ask("POST", "/v1/events", {SECRET: SECRET}, secret)
    written = lines(logged, fast.service.log)
    text = logged.getvalue().decode() + caplog.text
    assert len(written) == asked + 3
    for said in (SECRET, "13800138000", secret, secret.rpartition("_")[2], admin, "who=", "testclient"):
        assert said not in text
    assert {line["route"] for line in written} == {route.path for route in ROUTES}
    last = written[-2]
    assert (last["organisation"], last["key"], last["status"]) == ("courses公司", secret.split("_")[2], 200)
    assert last["model_version"] == fast.service.deployment.now.model_version
    assert last["ms"] > 0


def test_levels(fast: Running) -> None:
    seen = Seen("12345678")
    for level, expected in (("off", []), ("errors", [503]), ("all", [200, 404, 503])):
        stream = io.BytesIO()
        log = RequestLog(level, stream)
        for status in (200, 404, 503):
            seen.status = status
            log.request("GET", seen, 0.001)
        assert [line["status"] for line in lines(stream, log)] == expected


def test_a_fault_is_logged_by_its_place_without_values(
    fast: Running, monkeypatch: pytest.MonkeyPatch, restored: None
) -> None:
    stream = io.StringIO()
    log_as_json(stream)

    def broken(*_: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(fast.service.lists, "keep", broken)
    failed = fast.ask("POST", "/v1/recommend", {"domain": "courses", "user": SECRET, "target": "car"})
    assert failed.status_code == 500
    logging.getLogger("somebody.else").warning("about %s\n%s", SECRET, SECRET)
    fault, other = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (fault["exception"], fault["request_id"]) == ("ValueError", failed.json()["request_id"])
    assert fault["at"][-1].endswith("broken")
    assert other["message"] == "about %s"
    assert SECRET not in stream.getvalue()


@pytest.fixture
def restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("kuajie").setLevel(logging.NOTSET)


def test_a_formatter_never_fails() -> None:
    record = logging.LogRecord("kuajie.x", logging.ERROR, "", 1, "%s", ("好",), None)
    assert json.loads(JsonFormatter().format(record))["message"] == "好"


WORKER = """
from kuajie.core.records import Verdict
from kuajie.service.metrics import Metrics
import os, sys
metrics = Metrics(folder=os.environ["PROMETHEUS_MULTIPROC_DIR"])
metrics.took([Verdict(id="1", status="accepted")] * 3)
metrics.answered("POST", "/v1/events", 200, 0.002)
metrics.in_progress.inc()
metrics._model.labels("v1", "s1").set(1)
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[1] == "ask":
    print(metrics.exposition().decode())
"""


def test_workers_of_one_port_answer_for_each_other(tmp_path: Path) -> None:
    def start(what: str) -> subprocess.Popen[str]:
        environment = {**ENVIRONMENT, FOLDER: str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, what],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    gone, other, asked = start("leave"), start("leave"), start("ask")
    gone.communicate("\n", timeout=20)
    told, _ = asked.communicate("\n", timeout=20)
    other.communicate("\n", timeout=20)
    seen = samples(told)
    assert seen["kuajie_events_total", frozenset({("verdict", "accepted")})] == 9
    assert seen["kuajie_requests_in_progress", frozenset()] == 2, "who has died answers nothing any more"
    assert seen["kuajie_model_info", frozenset({("model_version", "v1"), ("snapshot_id", "s1")})] == 1


def test_the_cost_of_observing() -> None:
    """Under 10 µs a request where the machine is quiet; the test allows five times that."""
    import asyncio

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def nowhere(_: Any) -> None:
        pass

    metrics = Metrics()
    observer = Observer(app, metrics, RequestLog("off"), NoTracing())
    scope = {"type": "http", "method": "POST", "headers": [(b"host", b"x")] * 8}

    async def run(answer: Any, times: int) -> float:
        begun = time.process_time()
        for _ in range(times):
            await answer(scope, None, nowhere)
        return (time.process_time() - begun) / times

    plain = min(asyncio.run(run(app, 2_000)) for _ in range(3))
    observed = min(asyncio.run(run(observer, 2_000)) for _ in range(3))
    begun = time.process_time()
    for _ in range(2_000):
        metrics.listed("", degraded=False, personalised=True)
        metrics.history("memory")
        metrics.took([Verdict(id="1", status="accepted")])
    others = (time.process_time() - begun) / 2_000
    print(f"observing {1e6 * (observed - plain):.1f} µs, counting {1e6 * others:.1f} µs", file=sys.stderr)
    assert observed - plain + others < 50e-6


def test_log_lines_go_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    seen = Seen("12345678")
    seen.status = 500
    log = RequestLog("errors")
    log.request("GET", seen, 0.001)
    log.close()
    assert json.loads(capfd.readouterr().err)["status"] == 500
    assert os.environ.get(FOLDER) is None


def test_the_page_of_operations_explains_every_metric(fast: Running) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(kuajie_\w+)` \|", page, flags=re.MULTILINE))
    told = {line.split()[2] for line in Numbers(fast).text.splitlines() if line.startswith("# TYPE")}
    assert explained == {name for name in told if not name.endswith("_created")}


def test_a_reader_that_sleeps_delays_no_answer() -> None:
    from kuajie.service.logs import MOST_LINES

    asleep, awake = threading.Event(), threading.Event()

    class Pipe(io.BytesIO):
        def write(self, lines: Any) -> int:
            asleep.set()
            awake.wait(20)
            return super().write(lines)

    stream, seen = Pipe(), Seen("12345678")
    log = RequestLog("all", stream)
    log.request("GET", seen, 0.001)
    assert asleep.wait(10)
    begun = time.monotonic()
    for _ in range(MOST_LINES + 7):
        log.request("GET", seen, 0.001)
    assert time.monotonic() - begun < 10
    assert log.lost == 7
    awake.set()
    log.close()
    assert stream.getvalue().count(b"\n") == MOST_LINES + 1
