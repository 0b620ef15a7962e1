"""Events, exposures and feedback in; verdicts out."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from kuajie.core.records import Event, Verdict
from kuajie.core.texts import Translate, say
from kuajie.service.wire.base import Rows, Wire


class EventBatch(Wire, frozen=True):
    """Several events; a single one may be sent as it is."""

    events: Annotated[list[Event], Rows]


class Verdicts(Wire, frozen=True):
    """One verdict for each row, in their order; `accepted` and `duplicate` rows are durable."""

    verdicts: list[Verdict]
    accepted: int
    duplicate: int
    rejected: int

    @classmethod
    def of(cls, verdicts: list[Verdict], translate: Translate = str) -> "Verdicts":
        """Count them, and say their reasons in a language."""
        counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
        for verdict in verdicts:
            counts[verdict.status] += 1
        return cls(verdicts=[_said(each, translate) if each.reason else each for each in verdicts], **counts)


def _said(verdict: Verdict, translate: Translate) -> Verdict:
    reason = str(say(verdict.reason, translate))
    return msgspec.structs.replace(verdict, reason=reason)


class ExposureRow(Wire, frozen=True):
    """The item at a position (the first is 0) of a list was seen.

    Named, the exposure stands even where the list got lost before it was stored; of what a search found in several
    domains `domain` is named too.
    """

    exposure_id: str
    list_id: str
    position: int
    item: str = ""
    domain: str = ""
    occurred_at: datetime | None = None
    placement: str = ""


class ExposureBatch(Wire, frozen=True):
    """What was seen."""

    exposures: Annotated[list[ExposureRow], Rows]


class FeedbackRow(Wire, frozen=True):
    """An item of a list was answered; it counts once for its exposure and kind.

    `domain` is the item's, needed only where a list holds two items of one id.
    `dismiss` is "not interested", in the item alone or, by `scope`, in its brand or category.
    """

    event_id: str
    list_id: str
    exposure_id: str
    item: str
    kind: Literal["click", "purchase", "dismiss", "rate"]
    domain: str = ""
    occurred_at: datetime | None = None
    value: float | None = None
    scope: Literal["item", "brand", "category"] = "item"


class FeedbackBatch(Wire, frozen=True):
    """How it was answered."""

    feedback: Annotated[list[FeedbackRow], Rows]
