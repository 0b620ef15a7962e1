"""Handlers that take in: events, exposures, feedback, and what the sides describe. Per-row verdicts, durable or 503."""

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any, TypeVar

import msgspec

from kuajie.core.errors import StoreError
from kuajie.core.language import translator
from kuajie.core.records import (
    Account,
    BadEvent,
    Consent,
    Event,
    Exposure,
    Item,
    Link,
    RankedList,
    Traits,
    Triple,
    Verdict,
)
from kuajie.core.texts import Text
from kuajie.service.bodies import decoded, unfit
from kuajie.service.calls import Call, Reply
from kuajie.service.notices import consents_changed, feedback_recorded, note_bad
from kuajie.service.refusals import not_stored, wrong
from kuajie.service.wire import MOST_ROWS, ExposureBatch, ExposureRow, FeedbackBatch, FeedbackRow, Verdicts
from kuajie.workflows.described import problem_of
from kuajie.workflows.live import answering_user

T = TypeVar("T", Item, Traits, Link, Triple, Consent)
UNKNOWN_LIST = Text("the list is not known")
NOT_YOURS = Text("domain is not one of yours")


async def events(call: Call) -> Reply:
    """Behaviour: one event, or a batch."""
    rows = raw_rows(call.body, call.values, "events") if _is_batch(call.values, "events") else [call.body]
    service, now = call.service, call.service.clock()
    read = [service.rules.read(row, now, call.caller.domains) for row in rows]
    return told(await store_rows(call, read), call.language)


async def feedback(call: Call) -> Reply:
    """Answers to what was shown: events that carry their exposure."""
    batch = decoded(call.body, FeedbackBatch)
    lists = await _lists(call, [row.list_id for row in batch.feedback])
    service, now = call.service, call.service.clock()
    read: list[Event | BadEvent] = []
    for row in batch.feedback:
        ranked = lists.get(row.list_id)
        if ranked is None or row.item not in {each.item for each in ranked.items}:
            problem = UNKNOWN_LIST if ranked is None else Text("the item is not in the list")
            read.append(_bad(row, problem))
            continue
        person = await service.person(service.deployment.now, ranked.account)
        read.append(service.rules.check(_event(row, ranked, person.accounts), now))
    verdicts = await store_rows(call, read)
    await feedback_recorded(call, read, verdicts, [lists.get(row.list_id) for row in batch.feedback])
    return told(
        [
            msgspec.structs.replace(verdict, id=row.event_id)
            for verdict, row in zip(verdicts, batch.feedback, strict=True)
        ],
        call.language,
    )


async def exposures(call: Call) -> Reply:
    """What was seen of lists."""
    batch = decoded(call.body, ExposureBatch)
    lists = await _lists(call, [row.list_id for row in batch.exposures])
    verdicts: list[Verdict] = []
    good: list[tuple[int, Exposure]] = []
    for place, row in enumerate(batch.exposures):
        ranked = lists.get(row.list_id)
        exposure = None if ranked is None else _exposure(call, row, ranked)
        problem = UNKNOWN_LIST if ranked is None else Text("the list has no such position") if exposure is None else ""
        problem = problem or (problem_of(exposure) if exposure is not None else None) or ""
        verdicts.append(Verdict(id=row.exposure_id, status="rejected", reason=problem))
        if exposure is not None and not problem:
            good.append((place, exposure))
    if good:
        stored = await call.service.ask(call.service.store.shown.save_exposures, [each for _, each in good])
        for (place, _), verdict in zip(good, stored, strict=True):
            verdicts[place] = msgspec.structs.replace(verdict, id=batch.exposures[place].exposure_id)
    return told(verdicts, call.language)


async def items(call: Call) -> Reply:
    """Items, new or changed; they are recommended from the next snapshot on."""
    return (await _put(call, "items", Item, lambda each: [each.domain], lambda each: each.item))[0]


async def people(call: Call) -> Reply:
    """What accounts have declared."""
    return (await _put(call, "people", Traits, lambda each: [each.account.domain], lambda each: each.account.user))[0]


async def triples(call: Call) -> Reply:
    """Edges of a knowledge graph."""
    return (await _put(call, "triples", Triple, lambda each: [each.domain], lambda each: each.head))[0]


async def links(call: Call) -> Reply:
    """Accounts that are one person; both sides must be the caller's."""
    reply, stored = await _put(
        call, "links", Link, lambda each: [each.a.domain, each.b.domain], lambda each: each.a.user
    )
    call.service.deployment.now.live.forget(end for link in stored for end in (link.a, link.b))
    return reply


async def consents(call: Call) -> Reply:
    """Who wants to be recommended what fits them, and who does not; it counts from this answer on."""
    reply, stored = await _put(
        call, "consents", Consent, lambda each: [each.account.domain], lambda each: each.account.user
    )
    call.service.deployment.now.live.forget(each.account for each in stored)
    await consents_changed(call, stored)
    return reply


def raw_rows(body: bytes, values: Any, name: str) -> list[bytes]:  # noqa: ANN401 - any JSON
    """The rows of a batch, each as it was sent, so that a bad one fails alone.

    Raises:
        Refusal: no batch, or too many rows.
    """
    if not _is_batch(values, name) or set(values) != {name}:
        raise wrong(Text("the body must be an object with the list '{name}' alone", name=name))
    if not 1 <= len(values[name]) <= MOST_ROWS:
        raise wrong(Text("a request holds 1 to {most} rows, got {got}", most=MOST_ROWS, got=len(values[name])))
    try:
        rows = msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]])[name]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unfit(str(error)) from None
    return [bytes(row) for row in rows]


def _is_batch(values: Any, name: str) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(values, dict) and isinstance(values.get(name), list)


async def store_rows(call: Call, read: Sequence[Event | BadEvent]) -> list[Verdict]:
    """Store rows and let histories know of them, before their sender does."""
    service = call.service
    try:
        submitted = service.store.events.submit(read, service.clock())
    except StoreError as error:
        raise not_stored(error) from None
    verdicts = await service.durable(submitted)
    note_bad(call, read)
    accepted = [
        row
        for row, verdict in zip(read, verdicts, strict=True)
        if verdict.status == "accepted" and isinstance(row, Event)
    ]
    if accepted:
        service.deployment.now.live.learn(accepted)
        service.cache.remember(accepted)
    return verdicts


def told(verdicts: list[Verdict], language: str = "en") -> Reply:
    """422 where nothing at all was right; reasons in the caller's language, as far as they are ours."""
    counted = Verdicts.of(verdicts, translator(language))
    return Reply(counted, status=422 if counted.rejected == len(verdicts) else 200)


async def _lists(call: Call, ids: Sequence[str]) -> dict[str, RankedList]:
    """The caller's own lists among some."""
    service = call.service

    def stored(missing: list[str]) -> list[RankedList | None]:
        return [service.store.shown.ranked_list(list_id) for list_id in missing]

    wanted = list(dict.fromkeys(each for each in ids if 0 < len(each) <= 128 and each.isascii() and each.isalnum()))
    found = [service.lists[each] for each in wanted if each in service.lists]
    missing = [each for each in wanted if each not in service.lists]
    if missing:
        found += [each for each in await service.ask(stored, missing) if each is not None]
    return {each.list_id: each for each in found if each.account.domain in call.caller.domains}


def _event(row: FeedbackRow, ranked: RankedList, accounts: Sequence[Account]) -> Event:
    """An answer as an event of the item's domain, of the person's account there or, without one, of its stand-in.

    Ids carry the domain of their sender, so that two senders cannot take each other's.
    """
    asked = ranked.account
    there = [each.user for each in accounts if each.domain == ranked.target]
    plain = [user for user in there if user != answering_user(asked)]
    user = asked.user if asked.domain == ranked.target else (plain or [answering_user(asked)])[0]
    return Event(
        event_id=f"{asked.domain}:{row.event_id}",
        domain=ranked.target,
        user=user,
        item=row.item,
        kind=row.kind,
        occurred_at=row.occurred_at,
        value=row.value,
        exposure_id=f"{asked.domain}:{row.exposure_id}",
    )


def _bad(row: FeedbackRow, reason: str) -> BadEvent:
    return BadEvent(reason=reason, raw=msgspec.json.encode(row).decode())


def _exposure(call: Call, row: ExposureRow, ranked: RankedList) -> Exposure | None:
    if not 0 <= row.position < len(ranked.items):
        return None
    when = row.occurred_at or call.service.clock()
    return Exposure(
        exposure_id=f"{ranked.account.domain}:{row.exposure_id}",
        list_id=row.list_id,
        placement=row.placement,
        position=row.position,
        occurred_at=when if when.tzinfo else when.replace(tzinfo=UTC),
        domain=ranked.target,
        item=ranked.items[row.position].item,
    )


async def _put(
    call: Call, name: str, kind: type[T], domains: Callable[[T], list[str]], key: Callable[[T], str]
) -> tuple[Reply, list[T]]:
    """Check rows and store the good ones together; the answer, and what was stored."""
    verdicts: list[Verdict] = []
    good: list[T] = []
    for row in raw_rows(call.body, call.values, name):
        try:
            record = msgspec.json.decode(row, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            verdicts.append(Verdict(id="", status="rejected", reason=str(error)[:500]))
            continue
        owned = all(domain in call.caller.domains for domain in domains(record))
        problem = problem_of(record) if owned else NOT_YOURS
        status = "accepted" if problem is None else "rejected"
        verdicts.append(Verdict(id=key(record), status=status, reason=problem or ""))  # type: ignore[arg-type]
        if problem is None:
            good.append(record)
    if good:
        await call.service.ask(getattr(call.service.store.catalogue, f"put_{name}"), good)
    return told(verdicts, call.language), good
