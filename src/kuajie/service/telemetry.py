"""Spans for OpenTelemetry (extra `telemetry`). Only `tracing.tracing_of` imports this, and only where it is wanted.

Where they go is said by OpenTelemetry's own variables: `OTEL_EXPORTER_OTLP_ENDPOINT` (a collector),
`OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

import kuajie
from kuajie.service.logs import Noted


def exporting() -> TracerProvider:
    """A provider that sends spans to a collector over OTLP.

    Raises:
        ModuleNotFoundError: the exporter is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=Resource.create({"service.version": kuajie.__version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Telemetry:
    """`tracing.Tracing` over a provider.

    Args:
        provider: makes and exports spans.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("kuajie", kuajie.__version__)
        self._incoming = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, scope: Scope, noted: Noted) -> Iterator[Span]:
        """See `Tracing.request`."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        parent = self._incoming.extract({name: headers[name] for name in self._incoming.fields if name in headers})
        with self._tracer.start_as_current_span(
            "request", parent, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            finally:
                _describe(span, scope["method"], noted)

    @contextmanager
    def span(self, name: str) -> Iterator[Span]:
        """See `Tracing.span`."""
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def close(self) -> None:
        """See `Tracing.close`."""
        self._provider.shutdown()


def _describe(span: Span, method: str, noted: Noted) -> None:
    span.update_name(f"{method} {noted.route or 'none'}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": noted.route,
            "http.response.status_code": noted.status,
            "kuajie.request_id": noted.request_id,
            "kuajie.organisation": noted.organisation,
            "kuajie.model_version": noted.model_version,
        }
    )
    if noted.status >= 500:
        span.set_status(Status(StatusCode.ERROR))
