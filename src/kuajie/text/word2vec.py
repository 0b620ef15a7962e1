"""Word2Vec: a text as the weighted mean of the vectors of its words, which stand near where their neighbours agree.

Mikolov et al. 2013, "Distributed representations of words and phrases and their compositionality" (skip-gram with
negative sampling, by gensim). The mean weighs a word by a / (a + its share of all words) and the direction that all
texts have in common is taken away: Arora, Liang and Ma 2017, "A simple but tough-to-beat baseline for sentence
embeddings" (SIF, algorithm 1); or it weighs by idf, and takes nothing away.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import MissingExtraError
from kuajie.core.recommender import Arrays, stored
from kuajie.core.rows import unit_vectors
from kuajie.text.counts import Segmenter, word_codes, word_counts, words

F32 = npt.NDArray[np.float32]
Count = Annotated[int, pydantic.Field(ge=1)]
SIF_A = 1e-3
"""a of the paper."""


class Word2VecConfig(Config):
    """Word2Vec.

    Attributes:
        size: of the vectors.
        window: words to either side that count as neighbours.
        epochs: passes over the texts.
        least_count: rarer words are left out.
        weighing: of words in the mean.
        segmenter: of Chinese words, see `TfidfConfig`.
    """

    kind: Literal["word2vec"] = "word2vec"
    size: Annotated[int, pydantic.Field(ge=2, le=1024)] = 100
    window: Count = 8
    epochs: Count = 10
    least_count: Count = 2
    weighing: Literal["sif", "idf"] = "sif"
    segmenter: Segmenter = "pairs"


class Word2Vec:
    """Vectors of words, already weighed, and the direction that is taken away; see the module."""

    def __init__(self, config: Word2VecConfig, codes: npt.NDArray[np.uint64], vectors: F32, common: F32) -> None:
        self.config, self.codes_, self.vectors_, self.common_ = config, codes, vectors, common

    @classmethod
    def fit(cls, config: Word2VecConfig, texts: Sequence[str], seed: int = 0) -> Self:
        """Learn vectors and weights; on one thread, for only so the result is the same each time.

        Raises:
            MissingExtraError: gensim is not installed.
        """
        names, vectors = _learned(config, list(words(texts, config.segmenter)), seed)
        codes = word_codes(names)
        order = np.argsort(codes)
        codes, vectors = codes[order], vectors[order]
        counts = word_counts(texts, config.segmenter).of(codes)
        totals = np.bincount(counts.indices, counts.data, len(codes))
        if config.weighing == "sif":
            weights = SIF_A / (SIF_A + totals / max(totals.sum(), 1.0))
        else:
            frequency = np.bincount(counts.indices, minlength=len(codes))
            weights = 1 + np.log((1 + len(texts)) / (1 + frequency))
        encoder = cls(config, codes, vectors * weights[:, None].astype(np.float32), np.zeros(config.size, np.float32))
        if config.weighing == "sif" and len(codes):
            encoder.common_ = _first_direction(encoder._means(texts))
        return encoder

    def encode(self, texts: Sequence[str]) -> F32:
        """Rows of unit length, float32 (n_texts, size); zero where a text holds no known word."""
        means = self._means(texts)
        return unit_vectors(means - (means @ self.common_)[:, None] * self.common_)

    def _means(self, texts: Sequence[str]) -> F32:
        counts = word_counts(texts, self.config.segmenter).of(self.codes_)
        lengths = np.maximum(np.asarray(counts.sum(axis=1)).reshape(-1), 1)
        return np.asarray((counts @ self.vectors_) / lengths[:, None], dtype=np.float32)

    def arrays(self) -> Arrays:
        """Codes and weighed vectors of the words, and the common direction."""
        return {"codes": self.codes_, "vectors": self.vectors_, "common": self.common_}

    @classmethod
    def from_arrays(cls, config: Word2VecConfig, arrays: Arrays) -> Self:
        """The fitted encoder again."""
        codes = np.asarray(stored(arrays, "codes", (-1,)), dtype=np.uint64)
        vectors = np.asarray(stored(arrays, "vectors", (len(codes), config.size)), dtype=np.float32)
        return cls(config, codes, vectors, np.asarray(stored(arrays, "common", (config.size,)), dtype=np.float32))


def _learned(config: Word2VecConfig, documents: list[list[str]], seed: int) -> tuple[list[str], F32]:
    """Words and their vectors; none where no word is frequent enough."""
    try:
        from gensim.models import Word2Vec as Gensim
    except ImportError:
        raise MissingExtraError("Word2Vec", "gensim", "text") from None
    model = Gensim(
        vector_size=config.size,
        window=config.window,
        min_count=config.least_count,
        sg=1,
        workers=1,
        seed=seed,
        hashfxn=_hashed,
    )
    model.build_vocab(documents)
    if not len(model.wv):
        return [], np.empty((0, config.size), np.float32)
    model.train(documents, total_examples=len(documents), epochs=config.epochs)
    return list(model.wv.index_to_key), np.asarray(model.wv.vectors, dtype=np.float32)


def _hashed(word: str) -> int:
    """Not Python's own hash of strings, which differs from process to process."""
    return int(word_codes([word])[0] & np.uint64(0xFFFFFFFF))


def _first_direction(rows: F32) -> F32:
    """The first right singular vector: float32 (size,)."""
    return np.asarray(np.linalg.eigh(rows.T.astype(np.float64) @ rows)[1][:, -1], dtype=np.float32)
