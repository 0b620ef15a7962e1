"""What follows what: items that people use one after the other, close together.

For entries p before q of one person, at most `window` places apart, with strengths w:

    n(p, q) = w_p w_q decay^(q - p - 1) 2^(-days between / half life) across^[other domain]
    C_ij    = sum over p of item i, q of item j:  n(p, q) + backward * n(q, p)
    A_ij    = C_ij out_i^-a in_j^-b,      out_i = sum_j C_ij,  in_j = sum_i C_ij

The diagonal is zero. Entries with equal times have no order: each direction gets (1 + backward) / 2. Where the order
holds inside each domain only, places are counted there, and pairs across domains, whose order is unknown, count
`across * (1 + backward) / 2` for the `window` newest entries of either domain. Without any order the row is a set:
every pair within `SET_WINDOW` places counts the same.

Sums are taken in ascending order of entries, whatever the number of threads.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from kuajie.core.histories import Histories, Order
from kuajie.core.space import ItemSpace
from kuajie.numerics.best_of_rows import Rows, join_rows, keep_largest
from kuajie.numerics.jit import F32, F64, I32, I64, kernel
from kuajie.numerics.threads import blocks, run_ranges

SET_WINDOW = 50
"""Places that are looked at in rows without order, so that very long ones do not cost their square."""
BLOCK = 1_024
"""Items worked on at a time: fixed, so that sums do not depend on the number of threads."""


@dataclass(frozen=True)
class Follow:
    """How the graph is made; see the formulas above.

    Attributes:
        window: places looked ahead and back.
        decay: factor for each place between two entries.
        backward: weight of "j came before i" against "j came after i".
        across: weight of pairs in two domains.
        half_life_days: pairs so many days apart count half; None: times do not matter.
        out_power: a.
        in_power: b.
        neighbours: items kept for each item in each domain.
    """

    window: int = 10
    decay: float = 0.8
    backward: float = 0.3
    across: float = 0.5
    half_life_days: float | None = None
    out_power: float = 0.5
    in_power: float = 0.5
    neighbours: int = 200


class Lines(NamedTuple):
    """Entries of all people in the order in which they are read, and the segment of each: (n_entries,) each.

    A tuple, so that kernels take it as a whole.

    Attributes:
        items: int32.
        weights: float32.
        days: float64, NaN where unknown.
        starts: int64, where the segment that the entry's places are counted in begins: its row, or its row's domain.
        stops: int64, where it ends.
        row_starts: int64, where the entry's row begins.
        row_stops: int64, where it ends.
    """

    items: I32
    weights: F32
    days: F64
    starts: I64
    stops: I64
    row_starts: I64
    row_stops: I64

    @classmethod
    def of(cls, histories: Histories, space: ItemSpace) -> "Lines":
        """Lay out histories; where the order is per domain, a row's domains stand one after the other."""
        rows, n = histories.rows(), len(histories.items)
        order, keys = np.arange(n), rows
        if histories.order == "domain":
            keys = rows * len(space.domains) + space.domain_of(histories.items)
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
        times = np.full(n, np.nan) if histories.times is None or histories.order == "none" else histories.times
        return cls(
            histories.items[order].astype(np.int32),
            histories.weights[order].astype(np.float32),
            times[order] / 86_400.0,
            np.searchsorted(keys, keys, side="left").astype(np.int64),
            np.searchsorted(keys, keys, side="right").astype(np.int64),
            histories.indptr[rows].astype(np.int64),
            histories.indptr[rows + 1].astype(np.int64),
        )


class Rule(NamedTuple):
    """How a pair counts, for kernels.

    Attributes:
        distances: weight of each distance in places.
        backward, across: see `Follow`.
        half_life: days to the half; 0: times do not matter.
    """

    distances: F64
    backward: float
    across: float
    half_life: float

    @classmethod
    def of(cls, order: Order, follow: Follow) -> "Rule":
        """The rule for histories of an order."""
        if order == "none":
            return cls(np.ones(SET_WINDOW), 1.0, follow.across, 0.0)
        distances = follow.decay ** np.arange(max(1, follow.window), dtype=np.float64)
        return cls(distances, follow.backward, follow.across, follow.half_life_days or 0.0)


def follow_graph(histories: Histories, space: ItemSpace, follow: Follow, threads: int = 1) -> sparse.csr_array:
    """The normalised graph A, the strongest `neighbours` of each item in each domain.

    Args:
        histories: people's rows, oldest first.
        space: where each domain lies.
        follow: how pairs count.
        threads: the result is the same for any number.

    Returns:
        float32 CSR (n_items, n_items), row i holds what follows item i.
    """
    n_items = space.n_items
    lines = Lines.of(histories, space)
    order = np.argsort(lines.items, kind="stable").astype(np.int64)
    places = np.searchsorted(lines.items[order], np.arange(n_items + 1)).astype(np.int64)
    domains = space.domain_of(np.arange(n_items)).astype(np.int32)
    data = (places, order, lines, domains, Rule.of(histories.order, follow))
    ranges = blocks(n_items, BLOCK)

    def masses(low: int, high: int) -> tuple[F64, F64]:
        return _masses(low, high, *data)

    sums = run_ranges(masses, ranges, threads)
    out_mass = np.concatenate([out for out, _ in sums])
    in_mass = np.sum([into for _, into in sums], axis=0)
    left, right = _power(out_mass, -follow.out_power), _power(in_mass, -follow.in_power)
    k = max(1, min(follow.neighbours, max(space.sizes)))

    def strongest(low: int, high: int) -> Rows:
        return _strongest(low, high, *data, left, right, k, space.offsets)

    return join_rows(run_ranges(strongest, ranges, threads), n_items)


def _power(mass: F64, exponent: float) -> F64:
    """Raise to a power: mass ** exponent, 0 where the mass is 0."""
    return np.where(mass > 0, np.where(mass > 0, mass, 1.0) ** exponent, 0.0)


@kernel
def _add(item: int, value: float, sums: F64, touched: I32, n_touched: int) -> int:
    """Add to one column of a row; returns the number of touched columns."""
    if value > 0:
        if sums[item] == 0:
            touched[n_touched] = item
            n_touched += 1
        sums[item] += value
    return n_touched


@kernel
def _sum_row(
    source: int,
    places: I64,
    order: I64,
    lines: Lines,
    domains: I32,
    rule: Rule,
    sums: F64,
    touched: I32,
) -> int:
    """C[source] into `sums`; returns the number of touched columns."""
    items, weights, days, starts, stops, row_starts, row_stops = lines
    distances, backward, across, half_life = rule
    n_touched, window, unordered = 0, len(distances), (1.0 + backward) / 2.0
    for occurrence in range(places[source], places[source + 1]):
        entry = order[occurrence]
        for other in range(max(starts[entry], entry - window), min(stops[entry], entry + window + 1)):
            item = items[other]
            if item == source:
                continue
            value = weights[entry] * weights[other] * distances[abs(other - entry) - 1]
            if domains[item] != domains[source]:
                value *= across
            if days[other] == days[entry]:
                value *= unordered
            elif other < entry:
                value *= backward
            apart = abs(days[other] - days[entry])
            if half_life > 0 and apart > 0:
                value *= 0.5 ** (apart / half_life)
            n_touched = _add(item, value, sums, touched, n_touched)
        if stops[entry] - entry > window:
            continue
        # the other domains of the row, where they stand in segments of their own
        other = row_starts[entry]
        while other < row_stops[entry]:
            stop = stops[other]
            if stop != stops[entry]:
                for place in range(max(other, stop - window), stop):
                    value = weights[entry] * weights[place] * across * unordered
                    n_touched = _add(items[place], value, sums, touched, n_touched)
            other = stop
    return n_touched


@kernel
def _masses(
    low: int,
    high: int,
    places: I64,
    order: I64,
    lines: Lines,
    domains: I32,
    rule: Rule,
) -> tuple[F64, F64]:
    """Row sums of C for the items low..high-1, (high - low,), and their part of its column sums, (n_items,)."""
    n_items = len(domains)
    sums, touched = np.zeros(n_items), np.empty(n_items, np.int32)
    out_mass, in_mass = np.zeros(high - low), np.zeros(n_items)
    for source in range(low, high):
        n_touched = _sum_row(source, places, order, lines, domains, rule, sums, touched)
        for column in touched[:n_touched]:
            out_mass[source - low] += sums[column]
            in_mass[column] += sums[column]
            sums[column] = 0.0
    return out_mass, in_mass


@kernel
def _strongest(
    low: int,
    high: int,
    places: I64,
    order: I64,
    lines: Lines,
    domains: I32,
    rule: Rule,
    left: F64,
    right: F64,
    k: int,
    offsets: I64,
) -> Rows:
    """Rows low..high-1 of A, the k largest entries in each domain."""
    n_items = len(domains)
    sums, touched = np.zeros(n_items), np.empty(n_items, np.int32)
    columns_room, values_room = np.empty(2 * k, np.int32), np.empty(2 * k, np.float32)
    ends = np.zeros(high - low + 1, np.int64)
    room = (high - low) * min((len(offsets) - 1) * k, n_items)
    out_items, out_values = np.empty(room, np.int32), np.empty(room, np.float32)
    for source in range(low, high):
        n_touched = _sum_row(source, places, order, lines, domains, rule, sums, touched)
        for column in touched[:n_touched]:
            sums[column] *= left[source] * right[column]
        ends[source - low + 1] = keep_largest(
            source, sums, np.sort(touched[:n_touched]), offsets, k, columns_room, values_room,
            out_items, out_values, ends[source - low],
        )  # fmt: skip
    return np.diff(ends), out_items[: ends[-1]].copy(), out_values[: ends[-1]].copy()
