"""Histories from events that are in no snapshot yet: what somebody did a second ago."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from kuajie.core.histories import Histories
from kuajie.core.records import Event
from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.entries import Weighed, histories
from kuajie.data.kinds import KINDS
from kuajie.data.strength import Events, strength

ROUNDING = 1e-6
"""Seconds that a time may differ by after it was a floating-point number."""


def history_of_events(events: Iterable[Event], catalog: Catalog, config: StrengthConfig, at: datetime) -> Histories:
    """One history from events that are in no snapshot, such as those of the last minutes.

    Items that the catalogue does not know are left out; events without a time count as the oldest.
    """
    rows = rows_of(events, catalog)
    moment = at.astimezone(UTC).timestamp()
    weighed = Weighed(rows.row, rows.item, strength(rows, moment, config), rows.time)
    timed = bool(len(rows)) and not np.isnan(rows.time).all()
    return histories([weighed], 1, catalog.space.n_items, moment, "joint" if timed else "none")


def rows_of(events: Iterable[Event], catalog: Catalog) -> Events:
    """Events as those of one history, oldest first; what has no time is the oldest, unknown items are left out."""
    known = [event for event in events if event.domain in catalog.ids and event.item in catalog.ids[event.domain]]
    times = [np.nan if event.occurred_at is None else event.occurred_at.timestamp() for event in known]
    return oldest_first(
        Events(
            row=np.zeros(len(known), np.int32),
            item=np.array([catalog.number(event.domain, event.item) for event in known], np.int32),
            kind=np.array([KINDS.index(event.kind) for event in known], np.uint8),
            time=np.array(times, np.float64),
            value=np.array([np.nan if event.value is None else event.value for event in known], np.float64),
        )
    )


def joined(parts: Sequence[Events], near_seconds: float) -> Events:
    """Events of one person from several places as one history, oldest first; duplicates are merged as in the import.

    So what is both in the snapshot and in the store counts once. The first of near duplicates (`data.duplicates`)
    keeps its time and gets the last rating, or the largest value of any other kind.

    Args:
        parts: each of one history.
        near_seconds: `CleaningConfig.near_duplicate_seconds`.
    """
    names = ("row", "item", "kind", "time", "value")
    events = Events(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    if not len(events):
        return events
    key = events.item.astype(np.int64) * len(KINDS) + events.kind
    order = np.lexsort((events.time, key))
    events, key = events.where(order), key[order]
    with np.errstate(invalid="ignore"):
        near = np.diff(events.time) <= near_seconds + ROUNDING
    starts = np.flatnonzero(np.concatenate([[True], (key[1:] != key[:-1]) | ~near]))
    largest = np.fmax.reduceat(events.value, starts)
    last = events.value[np.concatenate([starts[1:], [len(key)]]) - 1]
    first = events.where(starts)
    value = np.where((first.kind == KINDS.index("rate")) & ~np.isnan(last), last, largest)
    return oldest_first(Events(first.row, first.item, first.kind, first.time, value))


def oldest_first(events: Events) -> Events:
    """The events of one history by their time; what has none is the oldest."""
    return events.where(np.argsort(np.nan_to_num(events.time, nan=-np.inf), kind="stable"))
