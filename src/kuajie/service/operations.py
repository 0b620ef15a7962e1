"""Handlers for operators: metrics."""

from starlette.responses import Response

from kuajie.service.calls import Call, Reply
from kuajie.service.metrics import CONTENT_TYPE


async def metrics(call: Call) -> Reply:
    """Everything that is counted, of all workers."""
    service = call.service
    service.metrics.refresh(service)
    text = await service.ask(service.metrics.exposition)
    return Reply(Response(text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}))
