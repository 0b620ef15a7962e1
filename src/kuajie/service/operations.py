"""Handlers for operators: metrics and keys."""

import logging
from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from kuajie.core.errors import UsageError
from kuajie.service.bodies import decoded
from kuajie.service.calls import Call, Reply
from kuajie.service.keys import KeyDesk
from kuajie.service.metrics import CONTENT_TYPE
from kuajie.service.refusals import not_found
from kuajie.service.wire import KeyList, KeyRequest, KeyShown, RotateRequest

log = logging.getLogger("kuajie.keys")
T = TypeVar("T", bound=KeyShown)


async def metrics(call: Call) -> Reply:
    """Everything that is counted, of all workers."""
    service = call.service
    service.metrics.refresh(service)
    text = await service.ask(service.metrics.exposition)
    return Reply(Response(text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}))


async def make_key(call: Call) -> Reply:
    """A new key."""
    made = await _change(call, "made", _desk(call).make_key, decoded(call.body, KeyRequest))
    return Reply(made)


async def keys(call: Call) -> Reply:
    """All keys."""
    return Reply(KeyList(keys=await call.service.ask(_desk(call).keys)))


async def rotate_key(call: Call) -> Reply:
    """A new key like another."""
    key_id = await _known(call)
    return Reply(
        await _change(call, "rotated", _desk(call).rotate_key, key_id, decoded(call.body, RotateRequest).hours)
    )


async def revoke_key(call: Call) -> Reply:
    """A key that opens nothing any more."""
    return Reply(await _change(call, "revoked", _desk(call).revoke_key, await _known(call)))


async def _change(call: Call, what: str, change: Callable[..., T], *arguments: object) -> T:
    """Change keys, let this process know at once, and leave a line for the audit."""
    key = await call.service.ask(change, *arguments)
    call.service.doorkeeper.forget()
    log.info("key %s %s by %s", key.key_id, what, call.caller.key_id)
    return key


async def _known(call: Call) -> str:
    """The key that the path names.

    Raises:
        Refusal: there is none.
    """
    key_id = call.path["id"]
    if await call.service.ask(call.service.store.access.key, key_id) is None:
        raise not_found(UsageError("there is no key '{key}'", key=key_id[:100]).text)
    return key_id


def _desk(call: Call) -> KeyDesk:
    service = call.service
    return KeyDesk(service.store.access, service.workspace.config.domains, service.clock)
