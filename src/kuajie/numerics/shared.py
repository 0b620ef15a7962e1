"""What two rows of a sparse matrix share: a kernel for many pairs at once."""

import numpy as np

from kuajie.numerics.jit import F32, I32, I64, kernel


@kernel
def best_shared(indptr: I64, columns: I32, values: F32, first: I32, second: I32) -> I32:
    """The column that each pair of rows shares with the largest product of values; -1 where they share none.

    Args:
        indptr: of CSR with ascending columns in each row.
        columns: of CSR.
        values: of CSR, > 0.
        first: one row of each pair.
        second: the other.
    """
    found = np.full(len(first), -1, np.int32)
    for pair in range(len(first)):
        a, b = indptr[first[pair]], indptr[second[pair]]
        end_a, end_b = indptr[first[pair] + 1], indptr[second[pair] + 1]
        best = np.float32(0.0)
        while a < end_a and b < end_b:
            if columns[a] < columns[b]:
                a += 1
            elif columns[a] > columns[b]:
                b += 1
            else:
                value = values[a] * values[b]
                if value > best:
                    best = value
                    found[pair] = columns[a]
                a += 1
                b += 1
    return found
