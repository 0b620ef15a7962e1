"""Histories from events that are in no snapshot yet: what somebody did a second ago."""

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np

from kuajie.core.histories import Histories
from kuajie.core.records import Event
from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.entries import Weighed, histories
from kuajie.data.strength import Events, strength
from kuajie.data.unify import KINDS


def history_of_events(events: Iterable[Event], catalog: Catalog, config: StrengthConfig, at: datetime) -> Histories:
    """One history from events that are in no snapshot, such as those of the last minutes.

    Items that the catalogue does not know are left out; events without a time count as the oldest.
    """
    known = [event for event in events if event.domain in catalog.ids and event.item in catalog.ids[event.domain]]
    times = [np.nan if event.occurred_at is None else event.occurred_at.timestamp() for event in known]
    order = sorted(range(len(known)), key=lambda place: (times[place] == times[place], times[place]))
    ordered = [known[place] for place in order]
    rows = Events(
        row=np.zeros(len(known), np.int32),
        item=np.array([catalog.number(event.domain, event.item) for event in ordered], np.int32),
        kind=np.array([KINDS.index(event.kind) for event in ordered], np.uint8),
        time=np.array([times[place] for place in order], np.float64),
        value=np.array([np.nan if event.value is None else event.value for event in ordered], np.float64),
    )
    moment = at.astimezone(UTC).timestamp()
    weighed = Weighed(rows.row, rows.item, strength(rows, moment, config), rows.time)
    timed = bool(known) and not np.isnan(rows.time).all()
    return histories([weighed], 1, catalog.space.n_items, moment, "joint" if timed else "none")
