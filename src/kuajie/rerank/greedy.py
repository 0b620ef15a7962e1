"""What greedy re-rankers share: a list is chosen place by place, and what is not chosen keeps its order."""

from kuajie.numerics.jit import F64, I32, I64, kernel


@kernel
def bring(row: I32, at: int, place: int) -> None:
    """Put the entry at `place` to `at`; those between move one place back."""
    chosen = row[place]
    for number in range(place, at, -1):
        row[number] = row[number - 1]
    row[at] = chosen


@kernel
def count_present(row: I32) -> int:
    """How many entries stand before the first -1."""
    count = 0
    while count < row.shape[0] and row[count] >= 0:
        count += 1
    return count


@kernel
def spread_row(item: int, indptr: I64, columns: I32, values: F64, buffer: F64, factor: float) -> None:
    """Add a sparse row, times a factor, to a dense buffer; nothing where the item is not known."""
    if item >= 0:
        for entry in range(indptr[item], indptr[item + 1]):
            buffer[columns[entry]] += factor * values[entry]


@kernel
def dot_row(item: int, indptr: I64, columns: I32, values: F64, buffer: F64) -> float:
    """Inner product of a sparse row with a dense buffer."""
    total = 0.0
    if item >= 0:
        for entry in range(indptr[item], indptr[item + 1]):
            total += buffer[columns[entry]] * values[entry]
    return total
