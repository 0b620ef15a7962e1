"""Traces: spans of a request and of its parts for OpenTelemetry (extra `telemetry`); without it, nothing is imported.

    request (its route) -> history | model | store write

A caller's W3C `traceparent` is honoured. Spans name no person: routes are templates, and nothing is recorded of
exceptions but their kind.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from starlette.types import Scope

from kuajie.core.errors import MissingExtraError
from kuajie.core.texts import Text
from kuajie.service.logs import Noted

Block = AbstractContextManager[object]
NOTHING: Block = nullcontext()


class Tracing(Protocol):
    """Takes spans."""

    def request(self, scope: Scope, noted: Noted) -> Block:
        """Around one request."""

    def span(self, name: str) -> Block:
        """Around a part of the request that is being answered."""

    def close(self) -> None:
        """Send what is left."""


class NoTracing:
    """Takes none."""

    @staticmethod
    def request(scope: Scope, noted: Noted) -> Block:
        """See `Tracing.request`."""
        return NOTHING

    @staticmethod
    def span(name: str) -> Block:
        """See `Tracing.span`."""
        return NOTHING

    def close(self) -> None:
        """See `Tracing.close`."""


def tracing_of(*, wanted: bool) -> Tracing:
    """What takes spans, as configured.

    Raises:
        MissingExtraError: the extra `telemetry` is not installed.
    """
    if not wanted:
        return NoTracing()
    try:
        from kuajie.service.telemetry import Telemetry, exporting
    except ModuleNotFoundError:
        raise MissingExtraError(Text("[service] telemetry"), "opentelemetry-sdk", "telemetry") from None
    return Telemetry(exporting())
