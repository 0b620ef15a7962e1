"""Training examples of a ranker, point in time: what was used next, and only what was known before it.

With times: everything from a moment on is asked for, everything before it is what generators and features may know.
Without: some people lose one item each, the newest where there is an order, and what they did after it.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories, Interactions

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
TIMED_ENOUGH = 0.5
"""Share of entries with a time that a fold by time needs."""


@dataclass(frozen=True, eq=False)
class Fold:
    """What may be known, and what is asked.

    Attributes:
        known: training data of generators and features; the asked entries are not in it, nor anything after the moment.
        histories: what was known of each asked person: one row for each example.
        items: int32 (n_examples,), joint number of what was used next.
        people: int64 (n_examples,), rows of the interactions.
        moment: unix seconds from which on is asked; None: a fold of people.
    """

    known: Interactions
    histories: Histories
    items: npt.NDArray[np.int32]
    people: Ints
    moment: float | None

    def inside(self, part: slice) -> Ints:
        """The examples whose item lies in a slice of the item space."""
        return np.flatnonzero((self.items >= part.start) & (self.items < part.stop))


def timed(histories: Histories) -> bool:
    """Whether a fold by time is possible."""
    return histories.times is not None and float((~np.isnan(histories.times)).mean()) >= TIMED_ENOUGH


def time_fold(
    interactions: Interactions, share: float, most: int, rng: np.random.Generator, *, repeats: bool = False
) -> Fold:
    """Ask for the newest events; an event without a time counts as known from the beginning.

    Args:
        interactions: with times.
        share: of the events with a time that lies after the moment.
        most: examples; more are sampled.
        rng: samples.
        repeats: whether what a person had used before is asked for, too.
    """
    times = _times(interactions.histories)
    return fold_at(interactions, float(np.nanquantile(times, 1 - share)), most, rng, repeats=repeats)


def fold_at(
    interactions: Interactions, moment: float, most: int, rng: np.random.Generator, *, repeats: bool = False
) -> Fold:
    """Ask for what was used from a moment on; the history of each example ends before its own time."""
    histories, times = interactions.histories, _times(interactions.histories)
    before = ~(times >= moment)
    asked = np.flatnonzero(~before & (histories.weights > 0) & (repeats | _first_use(histories)))
    asked = _some(asked, most, rng)
    rows = histories.rows()[asked]
    own = replace(histories.take(rows), at=times[asked])
    earlier = ~(_times(own) >= np.repeat(times[asked], own.lengths))
    return _fold(interactions, histories.keep(before), own.keep(earlier), asked, moment)


def people_fold(
    interactions: Interactions, share: float, most: int, rng: np.random.Generator, *, repeats: bool = False
) -> Fold:
    """Ask a share of the people for one item each: the last one of a domain where ordered, else one at random.

    Where there is an order, what a person did after it (in that domain alone, if the order is each domain's own) is not
    known either. Arguments as in `time_fold`; `share` is of the people.
    """
    histories, space = interactions.histories, interactions.space
    rows, domains = histories.rows(), space.domain_of(histories.items)
    usable = (histories.weights > 0) & (repeats | ~_used_again(histories))
    lucky = rng.random(histories.n_rows) < share
    candidates = np.flatnonzero(usable & lucky[rows] & (histories.lengths[rows] > 1))
    wanted = rng.integers(0, len(space.domains), histories.n_rows)  # nobody loses more than one domain's newest
    draw = rng.random(len(candidates)) if histories.order == "none" else np.arange(len(candidates), dtype=np.float64)
    order = np.lexsort([draw, domains[candidates] == wanted[rows[candidates]], rows[candidates]])
    sorted_rows = rows[candidates][order]
    asked = np.sort(candidates[order[np.append(sorted_rows[1:] != sorted_rows[:-1], True)[: len(order)]]])
    asked = _some(asked, most, rng)
    cut = np.full(histories.n_rows, len(rows))
    cut[rows[asked]] = asked
    later = np.arange(len(rows)) >= cut[rows]
    if histories.order == "none":
        later = np.arange(len(rows)) == cut[rows]
    elif histories.order == "domain":
        own = np.full(histories.n_rows, -1)
        own[rows[asked]] = domains[asked]
        later &= domains == own[rows]
    known = histories.keep(~later)
    own_rows = known.take(rows[asked])
    if histories.times is not None:
        own_rows = replace(own_rows, at=_at(histories, asked, rows))
    return _fold(interactions, known, own_rows, asked, None)


def _fold(interactions: Interactions, known: Histories, own: Histories, asked: Ints, moment: float | None) -> Fold:
    """Examples without any history say nothing."""
    kept = np.flatnonzero(own.lengths > 0)
    people = interactions.histories.rows()[asked][kept]
    items = interactions.histories.items[asked][kept]
    if moment is not None and known.at is not None:
        known = replace(known, at=np.minimum(known.at, moment))
    return Fold(replace(interactions, histories=known), own.take(kept), items, people, moment)


def _at(histories: Histories, asked: Ints, rows: Ints) -> npt.NDArray[np.float64]:
    times = _times(histories)[asked]
    now = np.full(histories.n_rows, np.nan) if histories.at is None else histories.at
    return np.where(np.isnan(times), now[rows[asked]], times)


def _times(histories: Histories) -> npt.NDArray[np.float64]:
    return np.full(len(histories.items), np.nan) if histories.times is None else histories.times


def _some(numbers: Ints, most: int, rng: np.random.Generator) -> Ints:
    return numbers if len(numbers) <= most else np.sort(rng.choice(numbers, most, replace=False))


def _keys(histories: Histories) -> Ints:
    return histories.rows() * histories.n_items + histories.items


def _first_use(histories: Histories) -> Mask:
    """Entries whose person had not used the item before, by time; an unknown time counts as the beginning."""
    times = np.nan_to_num(_times(histories), nan=-np.inf)
    order = np.lexsort([np.arange(len(times)), times, _keys(histories)])
    keys = _keys(histories)[order]
    first = np.zeros(len(keys), bool)
    first[order] = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    return first


def _used_again(histories: Histories) -> Mask:
    """Entries whose person uses the item in another entry, too."""
    _, places, counts = np.unique(_keys(histories), return_inverse=True, return_counts=True)
    return np.asarray(counts[places] > 1)
