"""The page that asks: the item that it shows counts as just viewed, for this answer alone; nothing of it is stored."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from kuajie.core.histories import Histories
from kuajie.core.records import RankedItem, RankedList
from kuajie.core.texts import Translate
from kuajie.data.dataset import JointDataset


@dataclass(frozen=True)
class Viewed:
    """The item that a page shows."""

    domain: str
    item: str


def with_viewed(history: Histories, viewed: Viewed, dataset: JointDataset, moment: float) -> Histories:
    """One history with one more entry, the newest: a view now. An item that the model cannot know changes nothing."""
    ids = dataset.catalog.ids.get(viewed.domain)
    if ids is None or viewed.item not in ids:
        return history
    number = dataset.catalog.number(viewed.domain, viewed.item)
    weight = dataset.strength.weights.get("view", 1.0)
    times, at = history.times, history.at
    timed = dataset.order != "none"
    if timed:
        times = np.append(history.times if history.times is not None else np.empty(0), moment)
        at = np.array([moment])
    return replace(
        history,
        indptr=history.indptr + np.array([0, 1]),
        items=np.append(history.items, np.int32(number)).astype(np.int32),
        weights=np.append(history.weights, np.float32(weight)).astype(np.float32),
        times=times,
        at=at,
        order=dataset.order,
        borrowed=None if history.borrowed is None else np.append(history.borrowed, False),
    )


def naming_viewed(ranked: RankedList, viewed: Viewed, translate: Translate, *, may_name: bool) -> RankedList:
    """The list with its reasons saying that an item was on the page, not in somebody's history."""

    def renamed(each: RankedItem) -> RankedItem:
        reasons = []
        for reason in each.reasons:
            if (reason.domain, reason.item) != (viewed.domain, viewed.item):
                reasons.append(reason)
            elif may_name:
                text = translate("Goes with “{title}”").format(title=reason.title or reason.item)
                reasons.append(msgspec.structs.replace(reason, text=text))
            else:
                text = translate("Goes with what you are looking at")
                reasons.append(msgspec.structs.replace(reason, item="", title="", text=text))
        return msgspec.structs.replace(each, reasons=tuple(reasons))

    return msgspec.structs.replace(ranked, items=tuple(renamed(each) for each in ranked.items))
