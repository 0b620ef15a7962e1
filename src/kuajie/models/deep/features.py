"""Side information as what a network reads: hashed words of texts and labels, and standardised numbers."""

import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.side import SideInformation
from kuajie.text.tokens import document_terms

LEAST_SPREAD = 1e-6
LONGEST_TEXT = 2_000
"""Characters; of longer texts the beginning counts."""


def hashed_words(side: SideInformation, places: int) -> sparse.csr_array:
    """Words of all texts and names of all labels, hashed: float32 (n_items, places), rows sum to 1 or are empty."""
    rows, columns = [], []
    for texts in side.texts.values():
        for item, text in enumerate(texts):
            found = [place(word, places) for word in document_terms(text[:LONGEST_TEXT])]
            columns += found
            rows += [item] * len(found)
    for kind, labels in side.labels.items():
        numbers = np.array([place(f"{kind}={name}", places) for name in labels.names], dtype=np.int64)
        entries = labels.matrix.tocoo()
        rows += entries.coords[0].tolist()
        columns += numbers[entries.coords[1]].tolist()
    matrix = sparse.csr_array(
        (np.ones(len(rows), np.float32), (np.array(rows, np.int64), np.array(columns, np.int64))),
        shape=(side.n_items, places),
    )
    matrix.sum_duplicates()
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    matrix.data /= np.repeat(sums, np.diff(matrix.indptr)).astype(np.float32)
    return matrix


def place(word: str, places: int) -> int:
    """The same place on every machine."""
    return zlib.crc32(word.encode("utf-8", "replace")) % places


def standardised(side: SideInformation) -> npt.NDArray[np.float32]:
    """Numbers and vectors, each column of mean 0 and deviation 1 over the items that have it; 0 where unknown.

    Returns:
        float32 (n_items, n_columns).
    """
    parts: Iterable[npt.NDArray[np.float64]] = [
        *(np.asarray(values, np.float64)[:, None] for values in side.numbers.values()),
        *(np.asarray(values, np.float64) for values in side.vectors.values()),
    ]
    columns = np.concatenate([np.empty((side.n_items, 0)), *parts], axis=1)
    known = np.isfinite(columns)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, columns, 0).sum(axis=0) / counts
    centred = np.where(known, columns - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=0) / counts)
    found: npt.NDArray[np.float32] = (centred / np.where(spread < LEAST_SPREAD, 1, spread)).astype(np.float32)
    return found


def has_features(side: SideInformation, words: sparse.csr_array) -> npt.NDArray[np.bool_]:
    """The items of which anything is known: bool (n_items,)."""
    known = np.diff(words.indptr) > 0
    for values in side.numbers.values():
        known |= np.isfinite(values)
    for vectors in side.vectors.values():
        known |= np.isfinite(vectors).all(axis=1)
    return np.asarray(known)
