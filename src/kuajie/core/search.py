"""The contract of everything that finds documents by words.

    SearchIndex.find(query) -> Found     documents that the query matches, with scores > 0

A document is fields of text by name; its number is its place in what the index was built of. Embeddings or synonyms
come in behind the same contract.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

LONGEST_QUERY = 200
"""In characters; what is longer is no question in words."""
Document = Mapping[str, str]
"""Field -> text."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a query matches, in the order of the document numbers.

    Attributes:
        documents: int64 (n,), distinct.
        scores: float32 (n,), > 0; comparable inside one index only.
    """

    documents: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]


class SearchIndex(Protocol):
    """Documents, ready to be found; never changes."""

    def __len__(self) -> int:
        """Documents in it."""

    def find(self, query: str) -> Found:
        """Everything that the query matches well enough to be shown; nothing where it holds no word.

        Any text is a query; longer ones than `LONGEST_QUERY` are the caller's to refuse.
        """

    def extended(self, documents: Sequence[Document]) -> "SearchIndex":
        """An index of further documents alone, whose scores can be compared with this one's."""
