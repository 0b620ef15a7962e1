"""Handlers that take in: events, exposures, feedback, and what the sides describe. Per-row verdicts, durable or 503."""

import asyncio
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
    Traits,
    Triple,
    Verdict,
)
from kuajie.core.texts import Text
from kuajie.service.bodies import decoded, unfit
from kuajie.service.calls import Call, Reply
from kuajie.service.ids import id_of_sender
from kuajie.service.notices import consents_changed, feedback_recorded, note_bad
from kuajie.service.refusals import not_stored, wrong
from kuajie.service.shown import count_showings, shown_lists
from kuajie.service.wire import MOST_ROWS, ExposureBatch, ExposureRow, FeedbackBatch, FeedbackRow, Verdicts
from kuajie.workflows.accounts import answering_user
from kuajie.workflows.described import problem_of
from kuajie.workflows.list_ids import Shown, SignedList
from kuajie.workflows.live import SCOPE, light

T = TypeVar("T", Item, Traits, Link, Triple, Consent)
UNKNOWN_LIST = Text("the list is not known")
NOT_IN_LIST = Text("the item is not in the list")
NOT_THERE = Text("the list has no such item at this position")
NOT_STORED = Text("the list is not stored: name the item that was seen")
OF_NOBODY = Text("the list was made for nobody: name a user when you ask for it")
NOT_YOURS = Text("domain is not one of yours")
OLDER = Text("a later consent is known, and stays")


async def events(call: Call) -> Reply:
    """Behaviour: one event, or a batch."""
    rows = raw_rows(call.body, call.values, "events") if _is_batch(call.values, "events") else [call.body]
    service, now = call.service, call.service.clock()
    read = [service.rules.read(row, now, call.caller.domains) for row in rows]
    return told(await store_rows(call, read), call.language)


async def feedback(call: Call) -> Reply:
    """Answers to what was shown: events that carry their exposure."""
    batch = decoded(call.body, FeedbackBatch)
    lists = await shown_lists(call, [(row.list_id, row.item) for row in batch.feedback])
    service, now = call.service, call.service.clock()
    read: list[Event | BadEvent] = []
    for row in batch.feedback:
        shown = lists.get(row.list_id)
        domain = None if shown is None else shown.domain_of(row.item, row.domain)
        if shown is None or domain is None:
            read.append(_bad(row, UNKNOWN_LIST if shown is None else NOT_IN_LIST))
        elif not shown.account.user:
            read.append(_bad(row, OF_NOBODY))
        else:
            person = await service.person(service.deployment.now, shown.account)
            read.append(service.rules.check(_event(call, row, shown.account, domain, person.accounts), now))
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
    lists = await shown_lists(call, [(row.list_id, row.item) for row in batch.exposures])
    latest = call.service.rules.latest(call.service.clock())
    verdicts: list[Verdict] = []
    good: list[tuple[int, Exposure]] = []
    for place, row in enumerate(batch.exposures):
        shown = lists.get(row.list_id)
        exposure = None if shown is None else _exposure(call, row, shown)
        problem = "" if exposure is not None else _why_not(row, shown)
        problem = problem or (problem_of(exposure, latest) if exposure is not None else None) or ""
        verdicts.append(Verdict(id=row.exposure_id, status="rejected", reason=problem))
        if exposure is not None and not problem:
            good.append((place, exposure))
    if good:
        stored = await call.service.ask(call.service.store.shown.save_exposures, [each for _, each in good])
        for (place, _), verdict in zip(good, stored, strict=True):
            verdicts[place] = msgspec.structs.replace(verdict, id=batch.exposures[place].exposure_id)
        fresh = [each for (_, each), verdict in zip(good, stored, strict=True) if verdict.status == "accepted"]
        await count_showings(call.service, fresh, {each.list_id: each.account for each in lists.values()})
    return told(verdicts, call.language)


async def items(call: Call) -> Reply:
    """Items, new or changed; from this answer on they are recommended through items that are like them."""
    reply, stored = await _put(call, "items", Item, lambda each: [each.domain], lambda each: each.item)
    if stored:
        await call.service.learn_items()
    return reply


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
    call.service.deployment.forget(end for link in stored for end in (link.a, link.b))
    return reply


async def consents(call: Call) -> Reply:
    """Who wants to be recommended what fits them, and who does not; it counts from this answer on."""
    reply, stored = await _put(
        call, "consents", Consent, lambda each: [each.account.domain], lambda each: each.account.user
    )
    service = call.service
    await service.ask(service.fallbacks.listen, service.deployment, service.clock())
    service.deployment.forget(each.account for each in stored)
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
    service.metrics.took(verdicts)
    note_bad(call, read)
    accepted = [
        row
        for row, verdict in zip(read, verdicts, strict=True)
        if verdict.status == "accepted" and isinstance(row, Event)
    ]
    if accepted:
        light_ones = [light(event) for event in accepted]
        if service.cache.shared:  # it is far away, and histories of this process know at once
            asyncio.get_running_loop().run_in_executor(service.threads, service.cache.remember, light_ones)
        else:  # first, for a model may be swapped meanwhile, whose histories begin with the cache
            service.cache.remember(light_ones)
        service.deployment.learn(light_ones)
    return verdicts


def told(verdicts: list[Verdict], language: str = "en") -> Reply:
    """422 where nothing at all was right; reasons in the caller's language, as far as they are ours."""
    counted = Verdicts.of(verdicts, translator(language))
    return Reply(counted, status=422 if counted.rejected == len(verdicts) else 200)


def _event(call: Call, row: FeedbackRow, asked: Account, domain: str, accounts: Sequence[Account]) -> Event:
    """An answer as an event of the item's domain, of the person's account there or, without one, of its stand-in."""
    longest = call.service.rules.cleaning.max_id_bytes
    there = [each.user for each in accounts if each.domain == domain]
    plain = [user for user in there if user != answering_user(asked)]
    user = asked.user if asked.domain == domain else (plain or [answering_user(asked)])[0]
    return Event(
        event_id=id_of_sender(asked.domain, row.event_id, longest),
        domain=domain,
        user=user,
        item=row.item,
        kind=row.kind,
        occurred_at=row.occurred_at,
        value=row.value,
        exposure_id=id_of_sender(asked.domain, row.exposure_id, longest),
        properties={SCOPE: row.scope} if row.kind == "dismiss" and row.scope != "item" else {},
    )


def _bad(row: FeedbackRow, reason: str) -> BadEvent:
    return BadEvent(reason=reason, raw=msgspec.json.encode(row).decode())


def _why_not(row: ExposureRow, shown: Shown | None) -> str:
    if shown is None:
        return UNKNOWN_LIST
    return NOT_STORED if isinstance(shown, SignedList) and not row.item else NOT_THERE


def _exposure(call: Call, row: ExposureRow, shown: Shown) -> Exposure | None:
    seen = shown.seen_at(row.position, row.item, row.domain)
    if seen is None:
        return None
    domain, item = seen
    when = row.occurred_at or call.service.clock()
    return Exposure(
        exposure_id=id_of_sender(shown.account.domain, row.exposure_id, call.service.rules.cleaning.max_id_bytes),
        list_id=shown.list_id,
        placement=row.placement,
        position=row.position,
        occurred_at=when if when.tzinfo else when.replace(tzinfo=UTC),
        domain=domain,
        item=item,
    )


async def _put(
    call: Call, name: str, kind: type[T], domains: Callable[[T], list[str]], key: Callable[[T], str]
) -> tuple[Reply, list[T]]:
    """Check rows and store the good ones together; the answer, and what was stored."""
    latest = call.service.rules.latest(call.service.clock())
    verdicts: list[Verdict] = []
    good: list[T] = []
    places: list[int] = []
    for row in raw_rows(call.body, call.values, name):
        try:
            record = msgspec.json.decode(row, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            verdicts.append(Verdict(id="", status="rejected", reason=str(error)[:500]))
            continue
        owned = all(domain in call.caller.domains for domain in domains(record))
        problem = problem_of(record, latest) if owned else NOT_YOURS
        status = "accepted" if problem is None else "rejected"
        verdicts.append(Verdict(id=key(record), status=status, reason=problem or ""))  # type: ignore[arg-type]
        if problem is None:
            places.append(len(verdicts) - 1)
            good.append(record)
    if good:
        counted = await call.service.ask(getattr(call.service.store.catalogue, f"put_{name}"), good)
        counted = counted or [True] * len(good)  # consents alone may come too late
        for place, counts in zip(places, counted, strict=True):
            if not counts:
                verdicts[place] = msgspec.structs.replace(verdicts[place], status="duplicate", reason=OLDER)
        good = [record for record, counts in zip(good, counted, strict=True) if counts]
    return told(verdicts, call.language), good
