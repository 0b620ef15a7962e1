"""Handlers for the addresses that an organisation is told at."""

import logging

from kuajie.core.errors import ConfigError
from kuajie.core.records import Delivery, Webhook
from kuajie.core.texts import Text
from kuajie.service.bodies import decoded
from kuajie.service.calls import Call, Reply
from kuajie.service.refusals import Refusal, not_found, wrong
from kuajie.service.wire import (
    DeliveryList,
    DeliveryShown,
    Removed,
    WebhookList,
    WebhookMade,
    WebhookRequest,
    WebhookShown,
)
from kuajie.workflows.webhooks import Outbound, register, secret_of

log = logging.getLogger("kuajie.service")


async def add_webhook(call: Call) -> Reply:
    """An address that is told what happens."""
    asked, outbound, service = decoded(call.body, WebhookRequest), _outbound(call), call.service
    try:
        master = await service.ask(outbound.master)
    except ConfigError as error:
        log.error("webhooks cannot be signed: %s", error)
        raise Refusal(
            503, Text("this service cannot tell anybody"), Text("Tell its operators; its log says more.")
        ) from None
    made = await service.ask(
        register,
        service.store.webhooks,
        outbound.sender,
        master,
        call.caller.organisation,
        asked.url,
        asked.kinds,
        asked.description,
        service.clock(),
    )
    if isinstance(made, Text):
        raise wrong(made)
    service.notices.forget()
    return Reply(WebhookMade(webhook=_shown(made), secret=secret_of(master, made.webhook_id)))


async def list_webhooks(call: Call) -> Reply:
    """The addresses of the caller."""
    found = await call.service.ask(call.service.store.webhooks.webhooks, call.caller.organisation)
    return Reply(WebhookList(webhooks=[_shown(each) for each in found]))


async def remove_webhook(call: Call) -> Reply:
    """An address is told nothing more."""
    webhook = await _own(call)
    await call.service.ask(call.service.store.webhooks.remove_webhook, webhook.webhook_id)
    call.service.notices.forget()
    return Reply(Removed(removed=webhook.webhook_id))


async def list_deliveries(call: Call) -> Reply:
    """What is on its way to an address."""
    webhook = await _own(call)
    found = await call.service.ask(call.service.store.webhooks.deliveries, webhook.webhook_id)
    return Reply(DeliveryList(deliveries=[_delivery(each) for each in found]))


def _outbound(call: Call) -> Outbound:
    if call.service.outbound is None:
        raise not_found(Text("this service tells nobody"))
    return call.service.outbound


async def _own(call: Call) -> Webhook:
    """The webhook in the path, if it is the caller's; whose else it may be is not said."""
    name = call.path["id"]
    known = len(name) <= 128 and name.isascii() and name.isprintable()
    webhook = await call.service.ask(call.service.store.webhooks.webhook, name) if known else None
    if webhook is None or webhook.organisation_id != call.caller.organisation:
        raise not_found(Text("there is no webhook '{webhook}'", webhook=name[:100]))
    return webhook


def _shown(webhook: Webhook) -> WebhookShown:
    disabled, failing = webhook.disabled_at is not None, webhook.failing_since is not None
    return WebhookShown(
        webhook_id=webhook.webhook_id,
        url=webhook.url,
        kinds=webhook.kinds,
        description=webhook.description,
        created_at=webhook.created_at,
        state="disabled" if disabled else "failing" if failing else "working",
        failing_since=webhook.failing_since,
        disabled_at=webhook.disabled_at,
        disabled_because=webhook.disabled_because,
        lost=webhook.lost,
    )


def _delivery(delivery: Delivery) -> DeliveryShown:
    return DeliveryShown(
        delivery_id=delivery.delivery_id,
        kind=delivery.kind,
        created_at=delivery.created_at,
        state=delivery.state,
        tries=delivery.tries,
        next_at=delivery.next_at if delivery.state == "waiting" else None,
        settled_at=delivery.settled_at,
        status=delivery.status,
        problem=delivery.problem,
    )
