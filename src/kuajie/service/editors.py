"""Handlers of editor's lists: what is shown of a domain where nobody's behaviour says anything yet."""

from kuajie.core.language import translator
from kuajie.core.records import EditorList, Verdict
from kuajie.core.texts import Text
from kuajie.service.bodies import decoded
from kuajie.service.calls import Call, Reply
from kuajie.service.wire import EditorListBatch, EditorListsReply, Verdicts
from kuajie.workflows.described import problem_of

NOT_YOURS = Text("target is not one of yours")
MOST_PLACEMENTS = 200
"""Lists of one target, which are all kept in memory."""


async def put_editor_lists(call: Call) -> Reply:
    """Lists of the caller's own domains, new or changed; they are shown from this answer on."""
    batch = decoded(call.body, EditorListBatch)
    service = call.service
    verdicts: list[Verdict] = []
    for chosen in batch.lists:
        problem = NOT_YOURS if chosen.target not in call.caller.domains else problem_of(chosen)
        if problem is None:
            problem = await service.ask(_put, call, chosen)
        status = "accepted" if problem is None else "rejected"
        verdicts.append(Verdict(id=chosen.placement, status=status, reason=problem or ""))  # type: ignore[arg-type]
    told = Verdicts.of(verdicts, translator(call.language))
    if told.accepted:
        await service.ask(service.fallbacks.read_editors)
    return Reply(told, status=422 if told.rejected == len(verdicts) else 200)


async def editor_lists(call: Call) -> Reply:
    """The lists of one of the caller's domains."""
    target = call.query.get("target", "")
    call.own(target)
    found = await call.service.ask(call.service.store.catalogue.editor_lists)
    return Reply(EditorListsReply(lists=[each for each in found if each.target == target]))


def _put(call: Call, chosen: EditorList) -> Text | None:
    """Store a list of items that there are; returns what is wrong with it."""
    catalogue = call.service.store.catalogue
    known = call.service.deployment.now.dataset.catalog.ids.get(chosen.target, ())
    strange = [item for item in chosen.items if item not in known]
    stored = catalogue.items(chosen.target, strange) if strange else {}
    unknown = [item for item in strange if item not in stored]
    if unknown:
        return Text(
            "there is no item '{item}' in {domain}; put it first: PUT /v1/items", item=unknown[0], domain=chosen.target
        )
    placements = {each.placement for each in catalogue.editor_lists() if each.target == chosen.target}
    if chosen.items and len(placements | {chosen.placement}) > MOST_PLACEMENTS:
        return Text(
            "there are {most} lists of {domain} already; empty one first", most=MOST_PLACEMENTS, domain=chosen.target
        )
    catalogue.put_editor_list(chosen)
    return None
