"""Which lists exposures and feedback speak of: in memory, by their own signature, or in the store."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from kuajie.core.records import Account, Exposure, RankedList
from kuajie.service.calls import Call, Service
from kuajie.workflows.list_ids import ForgedError, KnownList, Shown, plain


async def shown_lists(call: Call, asked: Iterable[tuple[str, str]]) -> dict[str, Shown]:
    """The caller's own lists among some, by the ids that were sent; forged ones and those of others are left out.

    A list that this process made is at hand. Else its seal stands for it if the item is named, without a question to
    the store; only what has no valid seal, or names no item, must be stored.

    Args:
        call: who asks.
        asked: ids with the item that is said to be in the list; empty: none is named.

    Raises:
        Refusal: a list must be asked of the store, and it does not answer.
    """
    service, now = call.service, call.service.clock()
    found: dict[str, Shown] = {}
    missing: dict[str, str] = {}
    for sent, item in dict.fromkeys(asked):
        stored = plain(sent)
        if stored is None:
            continue
        try:
            signed = service.seals.open(sent, now)
        except ForgedError:
            continue
        at_hand = service.lists.get(stored)
        if at_hand is not None:
            found[sent] = KnownList(at_hand)
            continue
        if signed is not None:
            found[sent] = signed
        if signed is None or not item:
            missing[sent] = stored
    if missing:
        known = await service.ask(_stored, service, set(missing.values()))
        found |= {sent: KnownList(known[stored]) for sent, stored in missing.items() if stored in known}
    return {sent: shown for sent, shown in found.items() if shown.account.domain in call.caller.domains}


async def count_showings(service: Service, seen: Sequence[Exposure], whose: Mapping[str, Account]) -> None:
    """Remember what somebody has just seen, where a step of re-ranking counts it.

    Args:
        service: whose cache.
        seen: new exposures.
        whose: stored id of a list -> who was shown it.
    """
    shaping = service.deployment.now.shaping
    if shaping is None:
        return
    together: dict[tuple[Account, str], list[tuple[str, datetime]]] = {}
    for each in seen:
        account = whose.get(each.list_id)
        if account is not None and account.user:
            together.setdefault((account, each.domain), []).append((each.item, each.occurred_at))
    for (account, target), items in together.items():
        days = shaping.reads(target)[1]
        if days:
            await service.ask(service.showings.note, account, target, items, days)


def _stored(service: Service, ids: Iterable[str]) -> dict[str, RankedList]:
    lists = (service.store.shown.ranked_list(list_id) for list_id in ids)
    return {each.list_id: each for each in lists if each is not None}
