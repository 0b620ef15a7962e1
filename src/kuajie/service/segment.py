"""Handlers for what Segment's libraries send; a verdict for each event or identify, in their order."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kuajie.core.records import Account, Traits, Verdict
from kuajie.core.texts import Text
from kuajie.service.bodies import unfit
from kuajie.service.calls import Call, Reply
from kuajie.service.intake import store_rows, told
from kuajie.service.refusals import wrong
from kuajie.service.wire import MOST_ROWS
from kuajie.workflows.described import problem_of
from kuajie.workflows.segment import Mapped, Sender, mapped, merged
from kuajie.workflows.stores import CatalogueStore

Told = tuple[Account, Mapping[str, str | None]]


async def segment_track(call: Call) -> Reply:
    """Somebody did something."""
    return await _answer(call, [call.body], "track", _sender(call))


async def segment_page(call: Call) -> Reply:
    """Somebody saw a page."""
    return await _answer(call, [call.body], "page", _sender(call))


async def segment_screen(call: Call) -> Reply:
    """Somebody saw a screen of an app."""
    return await _answer(call, [call.body], "screen", _sender(call))


async def segment_identify(call: Call) -> Reply:
    """Who somebody is."""
    return await _answer(call, [call.body], "identify", _sender(call))


async def segment_batch(call: Call) -> Reply:
    """Several calls."""
    values = call.values
    if not (isinstance(values, dict) and isinstance(values.get("batch"), list)):
        raise wrong(Text("the body must be an object with the list '{name}'", name="batch"))
    if not 1 <= len(values["batch"]) <= MOST_ROWS:
        raise wrong(Text("a request holds 1 to {most} rows, got {got}", most=MOST_ROWS, got=len(values["batch"])))
    try:
        rows = msgspec.json.decode(msgspec.json.decode(call.body, type=dict[str, msgspec.Raw])["batch"], type=Raws)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unfit(str(error)) from None
    sender = _sender(call, values.get("sentAt"), values.get("context"), values.get("integrations"))
    return await _answer(call, [bytes(row) for row in rows], "", sender)


Raws = list[msgspec.Raw]


def _sender(call: Call, sent_at: object = None, context: Any = None, integrations: Any = None) -> Sender:  # noqa: ANN401 - any JSON
    return Sender(
        domains=call.caller.domains,
        at=call.service.clock(),
        sent_at=sent_at if isinstance(sent_at, str) else None,
        context=context if isinstance(context, dict) else {},
        integrations=integrations if isinstance(integrations, dict) else {},
    )


async def _answer(call: Call, raw: Sequence[bytes], kind: str, sender: Sender) -> Reply:
    """Map the calls, store what they say, and tell what became of each."""
    service = call.service
    config = service.workspace.config.segment
    calls = [_allowed(call, mapped(row, kind, sender, service.rules, config)) for row in raw]
    rows = [row for each in calls for row in each.rows]
    if len(rows) > MOST_ROWS:
        raise wrong(Text("a request holds at most {most} events, got {got}", most=MOST_ROWS, got=len(rows)))
    stored = iter(await store_rows(call, rows) if rows else [])
    people = [each.traits for each in calls if each.traits is not None]
    problems = iter(await service.ask(put_merged, service.store.catalogue, people) if people else [])
    verdicts: list[Verdict] = []
    for each in calls:
        verdicts += [next(stored) for _ in each.rows]
        refused = each.refused or (next(problems) if each.traits is not None else "")
        if refused or each.traits is not None:
            verdicts.append(Verdict(id=each.message_id, status="rejected" if refused else "accepted", reason=refused))
    return told(verdicts, call.language)


def _allowed(call: Call, each: Mapped) -> Mapped:
    """Traits need a scope of their own."""
    if each.traits is None or "people" in call.caller.scopes:
        return each
    return Mapped(each.message_id, refused=Text("this key may not: it lacks the scope '{scope}'", scope="people"))


def put_merged(catalogue: CatalogueStore, people: Sequence[Told]) -> list[str]:
    """Add to what accounts have declared; what is wrong with each, or nothing."""
    known = catalogue.people([account for account, _ in people])
    problems, good = [], dict[Account, Traits]()
    for account, attributes in people:
        traits = merged(good.get(account) or known.get(account), account, attributes)
        problem = problem_of(traits)
        problems.append(problem or "")
        if problem is None:
            good[account] = traits
    if good:
        catalogue.put_people(list(good.values()))
    return problems
