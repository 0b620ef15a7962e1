"""Item neighbours: for each item, the most similar items of each domain, from the people they share.

One joint similarity serves every direction. For items i and j with n_ij shared people p:

    dot_ij  = sum_p x_pi x_pj
    cosine  = dot_ij / (m_i^a m_j^(1-a)),  a = 1/2, or any other for the asymmetric cosine (Aiolli 2013)
    jaccard = n_ij / (m_i + m_j - n_ij)
    s_ij    = similarity * n_ij / (n_ij + h)

m_i is the squared length of item i over the people *linked* to the other item's domain (those with any entry there):
people whom the other domain cannot know say nothing about the pair. Inside one domain that is everybody. An item
without linked people has length 0, shares nobody, and stays all zero.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from kuajie.core.space import ItemSpace
from kuajie.numerics.cooccurrence import Rows, by_item, pair_sums
from kuajie.numerics.jit import F32, I32, I64, U32, kernel
from kuajie.numerics.largest import BUCKETS, U64, item_of, keep_largest, put, value_of
from kuajie.numerics.threads import run_blocks

Columns = tuple[I64, I32, F32]  # lengths, then items and values of some columns
Entries = tuple[I64, U32, F32, I64, I32, I64]  # rows of people, and the entries of each item as of `by_item`


@dataclass(frozen=True)
class Similarity:
    """Which similarity; see the formulas above.

    Attributes:
        kind: "cosine", or "jaccard" (which takes every entry as 1).
        k: neighbours kept for each scored item in each domain.
        shrinkage: h.
        alpha: a, the weight of the history item's length; above 1/2 the scored item's popularity counts more.
        linked: lengths over linked people; False: over everybody.
    """

    kind: Literal["cosine", "jaccard"] = "cosine"
    k: int = 100
    shrinkage: float = 0.0
    alpha: float = 0.5
    linked: bool = True


def item_neighbours(
    matrix: sparse.csr_array, space: ItemSpace, similarity: Similarity, threads: int = 1, dense: bool = True
) -> sparse.csr_array:
    """The k nearest neighbours of each item in each domain.

    Args:
        matrix: float32 (n_people, n_items), canonical (sorted, no repeats), no negative value.
        space: where each domain lies.
        similarity: which similarity, and how many neighbours.
        threads: how many threads; the result is the same for any number.
        dense: hold (n_items, n_items) float32 sums, twice with weights and shrinkage; False: one row at a time.

    Returns:
        float32 CSR (n_items, n_items): column j holds the neighbours of the scored item j, diagonal zero.
    """
    rows = Rows.of(matrix)
    ones = np.ones_like(rows.values)
    values = ones if similarity.kind == "jaccard" else rows.values
    binary = bool((values == 1).all())
    domains = space.domain_of(np.arange(space.n_items)).astype(np.int32)
    mass = _masses(rows.indptr, rows.items, values, domains, len(space.domains), similarity.linked)
    rule = _rule(mass, space, similarity)
    dots = counts = np.empty((0, 0), np.float32)
    entries: Entries | None = None
    if dense:
        dots = pair_sums(rows, values, threads)
        counts = dots if binary or not similarity.shrinkage else pair_sums(rows, ones, threads)
    else:
        entries = (rows.indptr, rows.items, values, *by_item(rows))

    def work(low: int, high: int) -> Columns:
        return _columns(low, high, dots, counts, entries, binary, *rule)

    return _join(run_blocks(work, space.n_items, threads), space.n_items)


def neighbours_of_sums(
    dots: F32, counts: F32, mass: F32, space: ItemSpace, similarity: Similarity, threads: int = 1
) -> sparse.csr_array:
    """What `item_neighbours` gives, from ready sums.

    Args:
        dots: float32 (n_items, n_items), sums of products over people.
        counts: the same, shared people; may be the same array.
        mass: float32 (n_items, n_domains), squared lengths over the people known in each domain.
        space: where each domain lies.
        similarity: which similarity, and how many neighbours.
        threads: how many threads.
    """
    rule = _rule(mass, space, similarity)

    def work(low: int, high: int) -> Columns:
        return _columns(low, high, dots, counts, None, dots is counts, *rule)

    return _join(run_blocks(work, space.n_items, threads), space.n_items)


def _rule(mass: F32, space: ItemSpace, similarity: Similarity) -> tuple[F32, F32, I32, int, float, bool]:
    """What `_columns` needs to know of a similarity."""
    jaccard = similarity.kind == "jaccard"
    factors = (mass, mass) if jaccard else (_power(mass, -similarity.alpha), _power(mass, similarity.alpha - 1))
    domains = space.domain_of(np.arange(space.n_items)).astype(np.int32)
    return (*factors, domains, similarity.k, similarity.shrinkage, jaccard)


def _power(mass: F32, exponent: float) -> F32:
    """Raise to a power: mass ** exponent, 0 where the mass is 0."""
    return np.where(mass > 0, np.maximum(mass, np.float32(1e-30)) ** np.float32(exponent), 0).astype(np.float32)


def _join(parts: list[Columns], n_items: int) -> sparse.csr_array:
    """CSR from the columns that the ranges gave."""
    lengths, items, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csc_array((values, items, indptr), shape=(n_items, n_items)).tocsr()


@kernel
def _masses(
    indptr: I64,
    items: U32,
    values: F32,
    domains: I32,
    n_domains: int,
    linked: bool,
) -> F32:
    """m: (n_items, n_domains), squared length of each item over the people with entries in each domain."""
    mass = np.zeros((len(domains), n_domains))
    active = np.empty(n_domains)
    for person in range(len(indptr) - 1):
        active[:] = 0 if linked else 1
        for place in range(indptr[person], indptr[person + 1]):
            active[domains[items[place]]] = 1
        for place in range(indptr[person], indptr[person + 1]):
            square = values[place] * values[place]
            for domain in range(n_domains):
                mass[items[place], domain] += active[domain] * square
    return mass.astype(np.float32)


@kernel
def _nearest(
    scored: int,
    candidates: I32,
    dots: F32,
    counts: F32,
    left: F32,
    right: F32,
    domains: I32,
    k: int,
    shrinkage: float,
    jaccard: bool,
    keys: U64,
    buckets: I64,
    out_items: I32,
    out_values: F32,
    filled: int,
) -> int:
    """Append the nearest candidates of one scored item to the output; returns where the output ends."""
    own, n_items = domains[scored], len(domains)
    key_items, key_values = keys.view(np.uint32), keys.view(np.float32)
    ends = np.arange(left.shape[1]) * n_items  # the keys of each domain have a range of their own
    for item in candidates:
        dot = dots[item]
        if dot <= 0 or item == scored:
            continue
        domain = domains[item]
        if jaccard:
            value = dot / (left[item, own] + right[scored, domain] - dot)
        else:
            value = dot * left[item, own] * right[scored, domain]
        if shrinkage > 0:
            value *= np.float32(counts[item] / (counts[item] + shrinkage))
        put(key_items, key_values, ends[domain], item, value)
        ends[domain] += 1
    for domain in range(len(ends)):
        start = domain * n_items
        kept = keep_largest(keys[start : ends[domain]], k, buckets)
        for place in range(start, start + kept):
            out_items[filled] = item_of(key_items, place)
            out_values[filled] = value_of(key_values, place)
            filled += 1
    return filled


@kernel
def _sum_one(scored: int, entries: Entries, binary: bool, dots: F32, counts: F32, touched: I32) -> int:
    """Sums of one scored item with every other into zeroed rows, their columns into `touched`; returns their number."""
    indptr, items, values, item_indptr, people, places = entries
    n_touched = 0
    for entry in range(item_indptr[scored], item_indptr[scored + 1]):
        start, stop = indptr[people[entry]], indptr[people[entry] + 1]
        for place in range(start, stop):
            item = items[place]
            touched[n_touched] = item
            n_touched += counts[item] == 0
            counts[item] += np.float32(1)
        if not binary:
            value = values[places[entry]]
            for place in range(start, stop):
                dots[items[place]] += value * values[place]
    return n_touched


@kernel
def _columns(
    low: int,
    high: int,
    all_dots: F32,
    all_counts: F32,
    entries: Entries | None,
    binary: bool,
    left: F32,
    right: F32,
    domains: I32,
    k: int,
    shrinkage: float,
    jaccard: bool,
) -> Columns:
    """Neighbours of the scored items low..high-1: how many each has, their numbers, similarities.

    From ready sums (n_items, n_items); or, where entries are given, summing one scored item's row at a time. Which of
    the two is known when numba compiles, so only one branch is left.
    """
    n_items, n_domains = left.shape
    keys, buckets = np.empty(n_domains * n_items, np.uint64), np.empty(BUCKETS, np.int64)
    ends = np.zeros(high - low + 1, np.int64)
    room = (high - low) * min(n_domains * k, n_items)
    out_items, out_values = np.empty(room, np.int32), np.empty(room, np.float32)
    candidates = np.arange(n_items + 1).astype(np.int32)
    counts = np.zeros(n_items, np.float32)
    dots = counts if binary else np.zeros(n_items, np.float32)
    found = n_items
    for scored in range(low, high):
        if entries is None:
            dots, counts = all_dots[scored], all_counts[scored]
        else:
            found = _sum_one(scored, entries, binary, dots, counts, candidates)
        ends[scored - low + 1] = _nearest(
            scored, candidates[:found], dots, counts, left, right, domains, k, shrinkage, jaccard,
            keys, buckets, out_items, out_values, ends[scored - low],
        )  # fmt: skip
        if entries is not None:
            for item in candidates[:found]:
                counts[item] = 0
                dots[item] = 0
    return np.diff(ends), out_items[: ends[-1]].copy(), out_values[: ends[-1]].copy()
