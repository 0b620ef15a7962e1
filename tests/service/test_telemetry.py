"""Spans for OpenTelemetry: one of each request with its parts, under the caller's trace, and none where not wanted."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from kuajie.core.errors import MissingExtraError, StoreError
from kuajie.service.app import make_app
from kuajie.service.telemetry import Telemetry
from kuajie.service.tracing import NoTracing, tracing_of
from kuajie.workflows.workspace import Workspace

from .conftest import Running, with_memory
from .test_process import ENVIRONMENT

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(workspace: Workspace, exported: InMemorySpanExporter) -> Iterator[Running]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    service = with_memory(workspace)
    service.tracing, service.demo = Telemetry(provider), True
    with TestClient(make_app(service), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield Running(service, client)


def by_name(exported: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exported.get_finished_spans()}


def test_a_request_and_its_parts_are_one_trace(traced: Running, exported: InMemorySpanExporter) -> None:
    asked = {"domain": "courses", "user": "张三", "target": "car"}
    answer = traced.ask("POST", "/v1/recommend?who=张三", asked, traceparent=f"00-{TRACE}-{PARENT}-01")
    assert answer.status_code == 200
    spans = by_name(exported)
    assert set(spans) == {"POST /v1/recommend", "history", "model"}
    request = spans["POST /v1/recommend"]
    assert request.parent is not None
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)
    for part in ("history", "model"):
        parent = spans[part].parent
        assert parent is not None
        assert (parent.span_id, parent.trace_id) == (request.context.span_id, request.context.trace_id)
    assert request.attributes is not None
    assert request.attributes["http.route"] == "/v1/recommend"
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["kuajie.request_id"] == answer.headers["x-request-id"]
    assert request.attributes["kuajie.model_version"] == traced.service.deployment.now.model_version
    assert "张三" not in "".join(span.to_json() for span in exported.get_finished_spans())


def test_writes_and_faults_are_seen(
    traced: Running, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced.event(1, "张三", "课1")
    assert "store write" in by_name(exported)
    exported.clear()

    def broken(*_: object) -> None:
        raise StoreError("张三 was here")

    monkeypatch.setattr(traced.service.store.events, "append", broken)
    traced.post("/v1/events", {"event_id": "2", "domain": "courses", "user": "张三", "item": "课1", "kind": "view"},
                status=503)  # fmt: skip
    spans = by_name(exported)
    assert not spans["store write"].status.is_ok
    assert not spans["POST /v1/events"].status.is_ok
    assert "张三" not in "".join(span.to_json() for span in exported.get_finished_spans())


def test_a_trace_that_is_none_begins_a_new_one(traced: Running, exported: InMemorySpanExporter) -> None:
    for wrong in ("", "00-0-0-00", f"00-{'0' * 32}-{PARENT}-01", "x" * 1_000):
        traced.ask("GET", "/health/live", traceparent=wrong)
    assert all(span.parent is None for span in exported.get_finished_spans())
    assert len(exported.get_finished_spans()) == 4


def test_spans_go_to_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[tuple[str, int]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, len(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        tracing = tracing_of(wanted=True)
        with tracing.span("something"):
            pass
        tracing.close()
        server.shutdown()
        thread.join()
    assert received
    assert received[0][0] == "/v1/traces"


def test_nothing_is_imported_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(tracing_of(wanted=False), NoTracing)
    code = "import sys, kuajie.service.server; print(any(name.startswith('opentelemetry') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    monkeypatch.delitem(sys.modules, "kuajie.service.telemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtraError, match=r"kuajie\[telemetry\]"):
        tracing_of(wanted=True)
