"""Text encoders: one contract, told apart by the `kind` of their configs.

    fit(config, texts) -> encoder,  encode(texts) -> rows of unit length whose products are likenesses

An encoder is stored as arrays, but a sentence encoder, whose network stays in the folder that it came from.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import sparse

from kuajie.core.recommender import Arrays
from kuajie.text.sentences import Sentences, SentencesConfig
from kuajie.text.tfidf import Tfidf, TfidfConfig
from kuajie.text.word2vec import Word2Vec, Word2VecConfig

Rows: TypeAlias = sparse.csr_array | npt.NDArray[np.float32]
"""float32 (n_texts, dimension), sparse or full."""

AnyEncoderConfig = Annotated[TfidfConfig | Word2VecConfig | SentencesConfig, pydantic.Field(discriminator="kind")]


class TextEncoder(Protocol):
    """Turns texts into rows."""

    @classmethod
    def fit(cls, config: Any, texts: Sequence[str], seed: int = 0) -> Self:  # noqa: ANN401 # of its own type
        """Learn from texts; empty ones say nothing.

        Raises:
            MissingExtraError: an optional library is not installed.
            UsageError: a model that must be there is not.
        """

    def encode(self, texts: Sequence[str]) -> Rows:
        """Rows of unit length; a row of zeros where a text says nothing that the encoder knows."""

    def arrays(self) -> Arrays:
        """Everything learned, as arrays of numbers."""

    @classmethod
    def from_arrays(cls, config: Any, arrays: Arrays) -> Self:  # noqa: ANN401 # of its own type
        """The fitted encoder again."""


ENCODERS: dict[str, type[TextEncoder]] = {"tfidf": Tfidf, "word2vec": Word2Vec, "sentences": Sentences}


def fit_encode(config: AnyEncoderConfig, texts: Sequence[str], seed: int = 0) -> tuple[TextEncoder, Rows]:
    """Fit an encoder and encode what it was fitted on."""
    if isinstance(config, TfidfConfig):
        return Tfidf.fit_encode(config, texts, seed)
    encoder = ENCODERS[config.kind].fit(config, texts, seed)
    return encoder, encoder.encode(texts)
