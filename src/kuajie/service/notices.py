"""What handlers do so that organisations are told; an answer means that its notices are queued durably."""

from collections.abc import Callable, Sequence

from kuajie.core.records import BadEvent, Consent, Event, Verdict
from kuajie.service.calls import Call
from kuajie.workflows import notices
from kuajie.workflows.list_ids import Shown
from kuajie.workflows.webhooks import Notice


async def consents_changed(call: Call, consents: Sequence[Consent]) -> None:
    """Say that people have said whether they want to be recommended what fits them.

    Raises:
        Refusal: the store does not answer; the whole request is to be sent again.
    """
    organisation, now = call.caller.organisation, call.service.clock()
    if consents:
        await _tell(call, "consent.changed", lambda: notices.consents_changed(organisation, consents, now))


async def feedback_recorded(
    call: Call, rows: Sequence[Event | BadEvent], verdicts: Sequence[Verdict], lists: Sequence[Shown | None]
) -> None:
    """Say which purchases were attributed; also of duplicates, whose first answer may have been lost on the way.

    Raises:
        Refusal: the store does not answer; the whole request is to be sent again.
    """
    bought = [
        (row, ranked)
        for row, verdict, ranked in zip(rows, verdicts, lists, strict=True)
        if isinstance(row, Event) and ranked is not None and row.kind == "purchase" and not verdict.reason
    ]
    organisation, now = call.caller.organisation, call.service.clock()
    if bought:
        await _tell(call, "feedback.recorded", lambda: notices.purchases_recorded(organisation, bought, now))


def note_bad(call: Call, rows: Sequence[Event | BadEvent]) -> None:
    """Count what went to the quarantine."""
    bad = [row for row in rows if isinstance(row, BadEvent)] if call.service.outbound else []
    if bad and call.service.notices.knows("quarantine.grew", call.caller.organisation) is not False:
        call.service.notices.note_bad(call.caller.organisation, bad, call.service.clock())


async def _tell(call: Call, kind: str, make: Callable[[], list[Notice]]) -> None:
    board = call.service.notices
    if board.knows(kind, call.caller.organisation) is not False:
        await call.service.ask(board.tell, make())
