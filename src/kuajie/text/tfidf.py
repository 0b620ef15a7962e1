"""TF-IDF: a text as the weights of its n-grams of characters, or of its words.

    tf  = 1 + ln(count),  idf = 1 + ln((1 + n) / (1 + texts with the term)),  rows scaled to unit length

Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval"; the idf is that of scikit-learn,
smoothed as if one more text held every term.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.recommender import Arrays, stored
from kuajie.core.rows import unit_rows
from kuajie.core.texts import Text
from kuajie.text.counts import Counts, Segmenter, gram_counts, word_counts

Length = Annotated[int, pydantic.Field(ge=1, le=8)]


class TfidfConfig(Config):
    """TF-IDF.

    Attributes:
        unit: n-grams of characters, which know parts of words and every language; or whole words.
        shortest, longest: length of the n-grams; words ignore it.
        segmenter: of Chinese words: `pairs` of neighbouring characters, or `rjieba`, a dictionary.
        least_texts: terms of fewer texts are left out; they would connect nothing.
        most_share: terms of a larger share of the texts are left out.
    """

    kind: Literal["tfidf"] = "tfidf"
    unit: Literal["characters", "words"] = "words"
    shortest: Length = 2
    longest: Length = 4
    segmenter: Segmenter = "pairs"
    least_texts: Annotated[int, pydantic.Field(ge=1)] = 2
    most_share: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.5

    @pydantic.model_validator(mode="after")
    def _lengths_ordered(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(Text("'shortest' must not be above 'longest'"))
        return self


class Tfidf:
    """A vocabulary with its idf; see the module."""

    def __init__(self, config: TfidfConfig, codes: npt.NDArray[np.uint64], idf: npt.NDArray[np.float32]) -> None:
        self.config, self.codes_, self.idf_ = config, codes, idf

    @classmethod
    def fit(cls, config: TfidfConfig, texts: Sequence[str], seed: int = 0) -> Self:
        """Learn the vocabulary and its idf; empty texts do not count. Nothing is drawn at random."""
        return cls.fit_encode(config, texts, seed)[0]

    @classmethod
    def fit_encode(cls, config: TfidfConfig, texts: Sequence[str], seed: int = 0) -> tuple[Self, sparse.csr_array]:
        """`fit`, and `encode` of the same texts, which are taken apart once."""
        counts = _counts(config, texts)
        known = int((np.diff(counts.matrix.indptr) > 0).sum())
        frequency = np.bincount(counts.matrix.indices, minlength=len(counts.codes))
        most = max(config.most_share * known, config.least_texts)
        kept = (frequency >= config.least_texts) & (frequency <= most)
        idf = 1 + np.log((1 + known) / (1 + frequency[kept]))
        encoder = cls(config, counts.codes[kept], idf.astype(np.float32))
        return encoder, encoder._weighed(counts)

    def encode(self, texts: Sequence[str]) -> sparse.csr_array:
        """Rows of unit length, float32 CSR (n_texts, n_terms); zero where a text holds no known term."""
        return self._weighed(_counts(self.config, texts))

    def encode_whole(self, texts: Sequence[str]) -> sparse.csr_array:
        """`encode`, but terms outside the vocabulary count in the length of a text, each as rare as the rarest known.

        So a text of which one word is known is not wholly like a text of that word. Rows are at most of unit length.
        """
        counts = _counts(self.config, texts)
        rows = self._weighed(counts)
        places = np.minimum(np.searchsorted(self.codes_, counts.codes), max(len(self.codes_) - 1, 0))
        strange = np.isin(counts.codes, self.codes_, invert=True)
        idf = np.full(len(counts.codes), self.idf_.max(initial=1), np.float64)
        idf[~strange] = self.idf_[places[~strange]]
        squares = ((1 + np.log(counts.matrix.data)) * idf[counts.matrix.indices]) ** 2
        whole, inside = (
            _row_sums(counts.matrix, squares * kept[counts.matrix.indices]) for kept in (np.ones(len(idf)), ~strange)
        )
        share = np.sqrt(np.divide(inside, whole, out=np.zeros_like(whole), where=whole > 0))
        rows.data *= np.repeat(share, np.diff(rows.indptr)).astype(np.float32)
        return rows

    def _weighed(self, counts: Counts) -> sparse.csr_array:
        matrix = counts.of(self.codes_)
        matrix.data = (1 + np.log(matrix.data)) * self.idf_[matrix.indices]
        return unit_rows(matrix)

    def arrays(self) -> Arrays:
        """Codes and idf of the vocabulary."""
        return {"codes": self.codes_, "idf": self.idf_}

    @classmethod
    def from_arrays(cls, config: TfidfConfig, arrays: Arrays) -> Self:
        """The fitted encoder again."""
        codes = np.asarray(stored(arrays, "codes", (-1,)), dtype=np.uint64)
        return cls(config, codes, np.asarray(stored(arrays, "idf", codes.shape), dtype=np.float32))


def _counts(config: TfidfConfig, texts: Sequence[str]) -> Counts:
    if config.unit == "words":
        return word_counts(texts, config.segmenter)
    return gram_counts(texts, config.shortest, config.longest)


def _row_sums(matrix: sparse.csr_array, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Sums of values that stand beside the entries of a matrix: (n_rows,)."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return np.bincount(rows, values, matrix.shape[0]).astype(np.float64)
