"""How much an event says: the one rule for fit, evaluation and serving.

    strength = weight of its kind
             x share of its value         min(1, seconds / full_seconds); rating / rating_max; 1 without a value
             x saturation ** (r - 1)      r = 1 for the newest of the person's events of this kind on this item
             x 0.5 ** (age / half life)   age at `at`; 1 where the time is not known

A dislike (a `dismiss`, or a rating below `dislike_below`) weighs 0, and so does everything the same person did with
that item before it. Strengths are never negative: a dislike excludes, it does not repel.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.records import Kind
from kuajie.data.config import StrengthConfig
from kuajie.data.kinds import KINDS

DAY = 86_400.0
Ints = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Events:
    """Events of some histories, grouped by history, oldest first in each.

    Attributes:
        row: (n,) number of the history.
        item: (n,) joint item number.
        kind: uint8 (n,) position in `KINDS`.
        time: float64 (n,) unix seconds, NaN where unknown.
        value: float (n,) NaN where there is none.
    """

    row: Ints
    item: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    time: npt.NDArray[np.float64]
    value: npt.NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.item)

    def where(self, mask: npt.NDArray[np.bool_] | Ints | slice) -> "Events":
        """Some of the events; of a slice nothing is copied."""
        return Events(self.row[mask], self.item[mask], self.kind[mask], self.time[mask], self.value[mask])


def strength(events: Events, at: float, config: StrengthConfig) -> npt.NDArray[np.float32]:
    """The strength of each event at one moment: float32 (n,), finite and >= 0.

    Args:
        events: grouped by history, oldest first.
        at: unix seconds; events after it count as new.
        config: the weights.
    """
    weight = _by_kind(config.weights, 1.0)[events.kind] * _value_share(events, config)
    if config.half_life_days is not None:
        age = np.maximum(0.0, at - events.time) / (DAY * config.half_life_days)
        weight *= np.where(np.isnan(age), 1.0, np.exp2(-age))
    if len(events):
        weight *= _saturation(_pair(events) * len(KINDS) + events.kind, config.saturation)
        weight[_disliked(events, config)] = 0.0
    return weight.astype(np.float32)


def counted(events: Events, config: StrengthConfig) -> npt.NDArray[np.bool_]:
    """Which events have any strength, whatever their age: bool (n,).

    Args:
        events: grouped by history, oldest first.
        config: the weights.
    """
    counts = (_by_kind(config.weights, 1.0) > 0)[events.kind]
    if not np.isnan(events.value).all():
        counts &= _value_share(events, config) > 0
    if len(events):
        counts &= ~_disliked(events, config)
        if config.saturation == 0:
            counts &= _saturation(_pair(events) * len(KINDS) + events.kind, 0.0) > 0
    return counts


def _by_kind(values: dict[Kind, float], default: float) -> npt.NDArray[np.float64]:
    return np.array([values.get(kind, default) for kind in KINDS])


def _value_share(events: Events, config: StrengthConfig) -> npt.NDArray[np.float64]:
    full = _by_kind({**config.full_seconds, "rate": config.rating_max}, np.inf)[events.kind]
    counted = np.isfinite(full) & ~np.isnan(events.value)
    share = np.ones(len(events))
    np.divide(events.value, full, out=share, where=counted)
    return np.clip(share, 0.0, 1.0)


def _pair(events: Events) -> npt.NDArray[np.int64]:
    """One number for each (history, item)."""
    items = int(events.item.max()) + 1
    return events.row.astype(np.int64) * items + events.item


def _saturation(group: npt.NDArray[np.int64], saturation: float) -> npt.NDArray[np.float64]:
    """The saturation to the power of the number of later events of the same group."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    ends = np.flatnonzero(np.concatenate([ordered[1:] != ordered[:-1], [True]]))
    if len(ends) == len(group):
        return np.ones(len(group))
    last = np.repeat(ends, np.diff(ends, prepend=-1))
    factor = np.empty(len(group))
    factor[order] = np.power(saturation, last - np.arange(len(group)))
    return factor


def _disliked(events: Events, config: StrengthConfig) -> npt.NDArray[np.bool_]:
    """True for dislikes and for everything before them of the same history and item."""
    rated_low = (events.kind == KINDS.index("rate")) & (events.value < config.dislike_below)
    places = np.flatnonzero(rated_low | (events.kind == KINDS.index("dismiss")))
    hit = np.zeros(len(events), bool)
    if len(places):
        pair = _pair(events)
        disliked, newest = np.unique(pair[places][::-1], return_index=True)
        last = places[::-1][newest]
        found = np.minimum(np.searchsorted(disliked, pair), len(disliked) - 1)
        hit = (disliked[found] == pair) & (np.arange(len(pair)) <= last[found])
    return hit
