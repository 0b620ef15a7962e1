"""How often each text holds each n-gram of characters, or each word: what text encoders are fitted on.

    texts -> folded -> code points, anything but letters, digits, ideographs and emoji as one space -> 64-bit codes

A term is known by a 64-bit hash alone, so a vocabulary is an array of numbers and is stored as one. Of a million
distinct terms two share a code with a probability of 3e-8 (the birthday bound n^2 / 2^65).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kuajie.core.errors import MissingExtraError
from kuajie.core.texts import Text
from kuajie.text.tokens import EMOJI, IDEOGRAPHS, document_terms, fold, stem

U64 = npt.NDArray[np.uint64]
Points = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]
Segmenter = Literal["pairs", "rjieba"]
"""Runs of ideographs as characters and their pairs, or as words of a dictionary."""

SPACE = np.uint32(32)
BATCH_CHARACTERS = 4_000_000
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth 1973, section 6.4, multiplicative hashing
_SURROGATE = re.compile("[\ud800-\udfff]")
_OF_WORDS = re.compile(rf"[{EMOJI}{IDEOGRAPHS}]|[^\W_]")


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of terms.

    Attributes:
        codes: uint64 (n_terms,), ascending.
        matrix: float32 CSR (n_texts, n_terms), sorted.
    """

    codes: U64
    matrix: sparse.csr_array

    def of(self, codes: U64) -> sparse.csr_array:
        """The counts of the terms of another vocabulary, ascending: (n_texts, len(codes))."""
        places = np.searchsorted(codes, self.codes)
        known = places < len(codes)
        known[known] = codes[places[known]] == self.codes[known]
        kept = self.matrix[:, np.flatnonzero(known)]
        columns = places[known][kept.indices]
        return sparse.csr_array((kept.data, columns, kept.indptr), shape=(kept.shape[0], len(codes)))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> "Counts":
        """Of the texts of all parts, one after the other."""
        if not parts:
            return cls(np.empty(0, np.uint64), sparse.csr_array((0, 0), dtype=np.float32))
        codes = np.unique(np.concatenate([part.codes for part in parts]))
        return cls(codes, sparse.csr_array(sparse.vstack([part.of(codes) for part in parts], format="csr")))


def gram_counts(texts: Sequence[str], shortest: int, longest: int) -> Counts:
    """Counts of the n-grams of characters inside words, the space before and after a word counted as one of them.

    Args:
        texts: any, lone surrogates included.
        shortest: least n.
        longest: largest n.
    """
    return Counts.joined([_grams(batch, shortest, longest) for batch in _batches(texts)])


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    lengths = np.array([len(text) + 2 for text in texts], dtype=np.int64)
    numbers = (np.cumsum(lengths) - lengths) // BATCH_CHARACTERS
    for bounds in np.split(np.arange(len(texts)), np.flatnonzero(np.diff(numbers)) + 1):
        if len(bounds):
            yield texts[bounds[0] : bounds[-1] + 1]


def _grams(texts: Sequence[str], shortest: int, longest: int) -> Counts:
    points, owners = _normal(texts)
    spaces = points == SPACE
    before = np.concatenate([[0], np.cumsum(spaces)])
    found = [_grams_of(points, spaces, before, n) for n in range(shortest, longest + 1)]
    starts = np.concatenate([start for start, _ in found])
    codes, columns = _numbered(np.concatenate([code for _, code in found]))
    rows = owners[starts + spaces[starts]]  # the space between two texts belongs to the one that goes on
    return Counts(codes, _summed(rows, columns, (len(texts), len(codes))))


def _normal(texts: Sequence[str]) -> tuple[Points, Ints]:
    """Code points of all texts with single spaces between words and at the ends, and the text of each."""
    folded = [f" {fold(text)} " for text in texts]
    points = np.frombuffer("".join(folded).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32)
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in folded])
    distinct, places = np.unique(points, return_inverse=True)
    wordlike = np.array([bool(_OF_WORDS.match(chr(point))) for point in distinct.tolist()], dtype=bool)
    points = np.where(wordlike[places], points, SPACE)
    kept = np.ones(len(points), dtype=bool)
    kept[1:] = (points[1:] != SPACE) | (points[:-1] != SPACE)
    return points[kept], owners[kept]


def _grams_of(points: Points, spaces: npt.NDArray[np.bool_], before: Ints, n: int) -> tuple[Ints, U64]:
    """Where the n-grams start that lie in one word, its two spaces included, and their codes."""
    count = max(len(points) - n + 1, 0)
    starts = np.arange(count)
    if n == 1:
        starts = starts[~spaces]
    else:
        starts = starts[before[n - 1 : n - 1 + count] == before[1 : 1 + count]]  # no space inside
        starts = starts[~(spaces[starts] & spaces[starts + 1])]
    codes = np.full(len(starts), n, dtype=np.uint64)
    for place in range(n):
        codes = _mixed(codes, points[starts + place].astype(np.uint64))
    return starts, codes


def _mixed(codes: U64, points: U64) -> U64:
    mixed = (codes ^ points) * MIX
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def _numbered(codes: U64) -> tuple[U64, Ints]:
    """The distinct codes, ascending, and the number of each: `np.unique` with its inverse, three times as fast."""
    ordered = np.sort(codes)
    distinct = ordered[np.concatenate([np.ones(len(ordered[:1]), dtype=bool), ordered[1:] != ordered[:-1]])]
    return distinct, np.searchsorted(distinct, codes).astype(np.int64)


def _summed(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    ones = np.ones(len(rows), dtype=np.float32)
    counts = sparse.csr_array(sparse.coo_array((ones, (rows, columns)), shape=shape))
    counts.sum_duplicates()
    return counts


def word_counts(texts: Iterable[str], segmenter: Segmenter = "pairs") -> Counts:
    """Counts of words; those of Chinese by the segmenter.

    Raises:
        MissingExtraError: `rjieba` is asked for and not installed.
    """
    numbers: dict[str, int] = {}
    rows = [[numbers.setdefault(term, len(numbers)) for term in terms] for terms in words(texts, segmenter)]
    codes, places = _numbered(word_codes(numbers))
    lengths = [len(row) for row in rows]
    flat = np.fromiter((number for row in rows for number in row), np.int64, sum(lengths))
    owners = np.repeat(np.arange(len(rows)), lengths)
    return Counts(codes, _summed(owners, places[flat], (len(rows), len(codes))))


def word_codes(terms: Iterable[str]) -> U64:
    """The code of each word."""
    digests = [blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest() for term in terms]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def words(texts: Iterable[str], segmenter: Segmenter = "pairs") -> Iterator[list[str]]:
    """The words of each text, in order, repeats kept.

    Raises:
        MissingExtraError: `rjieba` is asked for and not installed.
    """
    split = document_terms if segmenter == "pairs" else _dictionary_words()
    return map(split, texts)


def _dictionary_words() -> Callable[[str], list[str]]:
    try:
        import rjieba
    except ImportError:
        raise MissingExtraError(Text("splitting Chinese into words"), "rjieba", "text") from None

    def split(text: str) -> list[str]:
        pieces = rjieba.cut(_SURROGATE.sub(" ", fold(text)))
        return [stem(piece) for piece in pieces if _OF_WORDS.search(piece)]

    return split
