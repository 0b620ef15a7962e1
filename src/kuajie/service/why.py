"""The handler of "why this?": what speaks for an item of a list, in full, as far as the caller may know it."""

import uuid
from contextlib import suppress

from kuajie.core.errors import StoreError
from kuajie.core.ids import id_problem
from kuajie.core.records import RankedItem, RankedList, Reason, Signal
from kuajie.core.texts import Text
from kuajie.service.calls import Call, Reply
from kuajie.service.refusals import not_found, wrong
from kuajie.service.shown import shown_lists
from kuajie.service.wire import WhyResponse
from kuajie.workflows.answer import explained, generalised
from kuajie.workflows.list_ids import KnownList


async def why(call: Call) -> Reply:
    """Why an item is in a list."""
    sent, item = call.path["id"], call.query.get("item", "")
    if id_problem(item) is not None:
        raise wrong(Text("say which item of the list: ?item="))
    shown = (await shown_lists(call, [(sent, "")])).get(sent)
    if not isinstance(shown, KnownList):
        raise not_found(Text("the list is not known"))
    ranked = shown.ranked
    places = [place for place, each in enumerate(ranked.items) if each.item == item]
    if not places:
        raise not_found(Text("the item is not in the list"))
    each = ranked.items[places[0]]
    _count(call, ranked, each)
    return Reply(
        WhyResponse(
            list_id=sent,
            domain=each.domain,
            item=each.item,
            title=each.title,
            position=places[0],
            fallback=ranked.fallback,
            model_version=ranked.model_version,
            propensity=each.propensity,
            reasons=_seen_by(call, each.reasons),
            paths=_seen_by(call, await _paths(call, ranked, each)),
        )
    )


def _count(call: Call, ranked: RankedList, each: RankedItem) -> None:
    """Somebody asked; that is worth knowing and says nothing about their taste, so it is no event."""
    asked = Signal(
        signal_id=uuid.uuid4().hex,
        list_id=ranked.list_id,
        domain=ranked.account.domain,
        item=each.item,
        kind="why",
        occurred_at=call.service.clock(),
    )
    with suppress(StoreError):  # the answer does not depend on it
        call.service.store.shown.submit_signals([asked])


async def _paths(call: Call, ranked: RankedList, each: RankedItem) -> tuple[Reason, ...]:
    """What speaks for an item by the history of now, if the model that ranked it still serves."""
    service, deployed = call.service, call.service.deployment.now
    if ranked.fallback or not ranked.account.user or ranked.model_version != deployed.model_version:
        return ()
    if each.item not in deployed.dataset.catalog.ids[each.domain]:  # new: the list has said all that is known
        return ()
    person = await service.person(deployed, ranked.account)
    if not person.personalised:
        return ()
    return await service.ask(explained, deployed, person, each.domain, each.item, service.clock(), call.language)


def _seen_by(call: Call, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Without the items of domains that are not the caller's."""
    if call.named is None:
        return reasons
    translate = call.service.deployment.now.engines[call.language].translate
    return generalised(reasons, call.named, call.service.workspace.title, call.language, translate)
