"""Kernels for a single history: what answering one person is made of. Loops over few entries, no wide temporaries."""

import numpy as np

from kuajie.numerics.jit import F32, F64, I32, I64, Bools, kernel


@kernel
def distinct_entries(items: I32, weights: F32, order: I64) -> tuple[I32, F64]:
    """The distinct items of a history in ascending order, and their summed weights; `order` sorts the items."""
    found = np.empty(len(items), np.int32)
    summed = np.zeros(len(items), np.float64)
    count = 0
    for place in order:
        if count == 0 or found[count - 1] != items[place]:
            found[count] = items[place]
            count += 1
        summed[count - 1] += weights[place]
    return found[:count], summed[:count]


@kernel
def count_between(items: I32, start: int, stop: int) -> int:
    """How many of the items lie in [start, stop)."""
    count = 0
    for item in items:
        if start <= item < stop:
            count += 1
    return count


@kernel
def repeats_between(items: I32, start: int, stop: int) -> tuple[int, int]:
    """How many of the items lie in [start, stop), and how often the most frequent of them does."""
    ordered = np.sort(items)
    count, most, run = 0, 0, 0
    for place in range(len(ordered)):
        if start <= ordered[place] < stop:
            run = run + 1 if place > 0 and ordered[place - 1] == ordered[place] else 1
            count += 1
            most = max(most, run)
    return count, most


@kernel
def usable_places(items: I32, weights: F64, known: Bools) -> I64:
    """Places of the entries that were trained and have a weight."""
    places = np.empty(len(items), np.int64)
    count = 0
    for place in range(len(items)):
        if known[items[place]] and weights[place] > 0:
            places[count] = place
            count += 1
    return places[:count]


@kernel
def add_rows(total: F32, block: F32, items: I32, factors: F64) -> None:
    """`total += factors @ block[items]`."""
    for place in range(len(items)):
        factor, row = np.float32(factors[place]), block[items[place]]
        if factor != 0:
            for column in range(len(total)):
                total[column] += factor * row[column]


@kernel
def add_sparse_rows(total: F32, data: F32, indices: I32, indptr: I64, items: I32, factors: F64) -> None:
    """The same where the block is CSR."""
    for place in range(len(items)):
        factor = np.float32(factors[place])
        for entry in range(indptr[items[place]], indptr[items[place] + 1]):
            total[indices[entry]] += factor * data[entry]


@kernel
def add_row_terms(terms: F64, block: F32, items: I32, factors: F64, places: I64) -> None:
    """`terms[n, h] += factors[h] * block[items[h], places[n]]`."""
    for entry in range(len(items)):
        for place in range(len(places)):
            terms[place, entry] += factors[entry] * block[items[entry], places[place]]


@kernel
def add_sparse_row_terms(
    terms: F64, data: F32, indices: I32, indptr: I64, items: I32, factors: F64, places: I64
) -> None:
    """The same where the block is CSR; its columns may be in any order."""
    for entry in range(len(items)):
        for at in range(indptr[items[entry]], indptr[items[entry] + 1]):
            for place in range(len(places)):
                if indices[at] == places[place]:
                    terms[place, entry] += factors[entry] * data[at]


@kernel
def add_factor_scores(total: F32, factors: F32, start: int, person: F64, coefficient: float) -> None:
    """`total += coefficient * factors[start : start + n] @ person`."""
    weighted = np.empty(len(person), np.float32)
    for column in range(len(person)):
        weighted[column] = coefficient * person[column]
    for row in range(len(total)):
        score = np.float32(0)
        for column in range(len(weighted)):
            score += factors[start + row, column] * weighted[column]
        total[row] += score


@kernel
def add_factor_terms(
    terms: F64, base: F64, factors: F32, rows: I64, responses: F64, columns: I64, offset: F64, coefficient: float
) -> None:
    """`terms[n, columns[h]] += coefficient * factors[rows[n]] . responses[h]`, and the same of `offset` into `base`."""
    rank = len(offset)
    for place in range(len(rows)):
        row = factors[rows[place]].astype(np.float64)
        for entry in range(len(columns)):
            term = 0.0
            for column in range(rank):
                term += row[column] * responses[entry, column]
            terms[place, columns[entry]] += coefficient * term
        nobody = 0.0
        for column in range(rank):
            nobody += row[column] * offset[column]
        base[place] += coefficient * nobody


@kernel
def best_of(total: F32, unknown: Bools, items: I32, start: int, k: int) -> I64:
    """The k best places that are known and not in the history; what is not becomes NaN. Ties by number.

    Nothing at all is best where every score is 0.
    """
    something = False
    for place in range(len(total)):
        something = something or total[place] != 0
        if unknown[place]:
            total[place] = np.nan
    if not something:
        return np.empty(0, np.int64)
    for item in items:
        if start <= item < start + len(total):
            total[item - start] = np.nan
    best = np.empty(min(k, len(total)), np.int64)
    count = 0
    for place in range(len(total)):
        score = total[place]
        if not score > -np.inf or (count == len(best) and not score > total[best[count - 1]]):
            continue
        count = min(count + 1, len(best))
        at = count - 1
        while at > 0 and total[best[at - 1]] < score:
            best[at] = best[at - 1]
            at -= 1
        best[at] = place
    return best[:count]


@kernel
def strongest_of(terms: F64, most: int) -> tuple[I64, F64]:
    """Columns of the largest terms of each row, largest first, ties by column, and the terms: (n, <= most) each."""
    size, width = terms.shape
    kept = min(most, width)
    columns, values = np.empty((size, kept), np.int64), np.empty((size, kept), np.float64)
    for row in range(size):
        count = 0
        for column in range(width):
            term = terms[row, column]
            if count == kept and (kept == 0 or not term > values[row, count - 1]):
                continue
            count = min(count + 1, kept)
            at = count - 1
            while at > 0 and values[row, at - 1] < term:
                columns[row, at], values[row, at] = columns[row, at - 1], values[row, at - 1]
                at -= 1
            columns[row, at], values[row, at] = column, term
    return columns, values
