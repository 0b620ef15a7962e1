"""BM25 over documents with fields, computed when the index is built.

Weights of fields follow BM25F (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond",
section 3.6): a term's frequency is its sum over the fields, each divided by how long the field is there,

    tf(t, d) = sum over f of  w_f * n(t, d, f) / (1 - b + b * len(d, f) / mean len(f))
    score(q, d) = sum over t of q of  idf(t) * tf(t, d) / (k1 + tf(t, d))

    idf(t) = ln(1 + (N - n(t) + 0.5) / (n(t) + 0.5))        never negative, as in Lucene

Mean lengths are over documents that have the field. All that depends on the document alone is computed once, so that a
query adds up rows of a sparse matrix (terms x documents), as in BM25S (Lù 2024, "BM25S: Orders of magnitude faster
lexical search via eager sparse scoring").
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kuajie.core.search import Document, Found
from kuajie.text.tokens import document_terms, query_terms

LEAST = 0.25
"""Documents with less than this part of the best score are left out: they share a side word with the query."""
Ints = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bm25Config:
    """What a match says.

    Attributes:
        weights: of each field; others are not searched.
        k1: how soon a repeated term says nothing new.
        b: how much a long field is held against a document.
        terms: of a document's field, repeats included.
        query_terms: of a query, and what each counts.
    """

    weights: Mapping[str, float]
    k1: float = 1.2
    b: float = 0.6
    terms: Callable[[str], list[str]] = document_terms
    query_terms: Callable[[str], Mapping[str, float]] = query_terms


@dataclass(frozen=True, eq=False)
class Statistics:
    """What scores depend on beside the document.

    Attributes:
        n_documents: all.
        holding: term -> documents that hold it.
        lengths: of each field in the order of the weights, the mean over documents that have it; 0 where none has.
    """

    n_documents: int
    holding: Mapping[str, int]
    lengths: F64

    def idf(self, term: str) -> float:
        """How much a term tells."""
        holding = self.holding.get(term, 0)
        return float(np.log1p((self.n_documents - holding + 0.5) / (holding + 0.5)))


@dataclass(frozen=True, eq=False)
class Bm25Index:
    """See the module; a `SearchIndex`.

    Attributes:
        config: how.
        statistics: of the documents, or of those that these extend.
        rows: term -> its row.
        indptr, documents, scores: the rows, compressed; documents ascend in each.
        n_documents: in this index.
    """

    config: Bm25Config
    statistics: Statistics
    rows: Mapping[str, int]
    indptr: Ints
    documents: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    n_documents: int

    @classmethod
    def build(
        cls, documents: Sequence[Document], config: Bm25Config, statistics: Statistics | None = None
    ) -> "Bm25Index":
        """Index documents, numbered by their places, under their own statistics or those of others."""
        read = _Read(config)
        for document in documents:
            read.add(document)
        n_documents, n_fields = len(documents), len(config.weights)
        keys, counts = np.unique(read.keys(n_documents), return_counts=True)
        term, place = np.divmod(keys, n_documents * n_fields)  # place: document and field
        starts = np.flatnonzero(np.diff(keys // n_fields, prepend=-1))  # of each (term, document)
        terms, documents_of = term[starts], (place // n_fields)[starts]
        sizes = np.bincount(terms, minlength=len(read.rows))
        if statistics is None:
            holding = dict(zip(read.rows, sizes.tolist(), strict=True))
            statistics = Statistics(n_documents, holding, read.mean_lengths())
        parts = counts * read.units(statistics.lengths)[place]
        frequency = np.add.reduceat(parts, starts) if len(starts) else parts
        idf = np.array([statistics.idf(each) for each in read.rows], np.float64)
        return cls(
            config=config,
            statistics=statistics,
            rows=read.rows,
            indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            documents=documents_of.astype(np.int32),
            scores=(idf[terms] * frequency / (config.k1 + frequency)).astype(np.float32),
            n_documents=n_documents,
        )

    def __len__(self) -> int:
        return self.n_documents

    def extended(self, documents: Sequence[Document]) -> "Bm25Index":
        """See `SearchIndex.extended`: further documents under the statistics of these."""
        return Bm25Index.build(documents, self.config, self.statistics)

    def find(self, query: str) -> Found:
        """See `SearchIndex.find`.

        A document without any word or pair of the query must hold more than half of its single characters.
        """
        terms = self.config.query_terms(query)
        total = np.zeros(self.n_documents, np.float32)
        whole, single = np.zeros(self.n_documents, np.bool_), np.zeros(self.n_documents, np.int16)
        for term, weight in terms.items():
            row = self.rows.get(term)
            if row is not None:
                part = slice(self.indptr[row], self.indptr[row + 1])
                holding = self.documents[part]
                total[holding] += np.float32(weight) * self.scores[part]
                if weight < 1:
                    single[holding] += 1
                else:
                    whole[holding] = True
        total[~whole & (2 * single <= sum(weight < 1 for weight in terms.values()))] = 0
        best = float(total.max(initial=0.0))
        if best <= 0:
            return Found(np.empty(0, np.int64), np.empty(0, np.float32))
        found = np.flatnonzero(total >= LEAST * best)
        return Found(found, total[found])


def bm25(documents: Sequence[Document], weights: Mapping[str, float]) -> Bm25Index:
    """An index of documents by the usual settings."""
    return Bm25Index.build(documents, Bm25Config(weights))


@dataclass
class _Read:
    """Documents, term by term.

    Attributes:
        config: how.
        rows: term -> number, in the order of their first appearance.
        found: the term numbers of each field of each document that has it.
        place: document * fields + field, of each of those.
    """

    config: Bm25Config
    rows: dict[str, int] = field(default_factory=dict)
    found: list[npt.NDArray[np.int32]] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    n_documents: int = 0
    _known: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        """One more document."""
        for number, name in enumerate(self.config.weights):
            text = document.get(name)
            if text:
                terms = self._terms(text)
                if len(terms):
                    self.found.append(terms)
                    self.place.append(self.n_documents * len(self.config.weights) + number)
        self.n_documents += 1

    def _terms(self, text: str) -> npt.NDArray[np.int32]:
        known = self._known.get(text)  # categories and brands repeat
        if known is None:
            rows = self.rows
            numbers = [rows.setdefault(term, len(rows)) for term in self.config.terms(text)]
            known = self._known[text] = np.array(numbers, np.int32)
        return known

    @property
    def lengths(self) -> F64:
        """Of every field of every document: (documents * fields,)."""
        sizes = np.zeros(self.n_documents * len(self.config.weights))
        sizes[self.place] = [len(terms) for terms in self.found]
        return sizes

    def keys(self, n_documents: int) -> Ints:
        """One number for each term of each place: term * places + place."""
        if not self.found:
            return np.empty(0, np.int64)
        places = np.repeat(self.place, [len(terms) for terms in self.found])
        n_places = n_documents * len(self.config.weights)
        return np.asarray(np.concatenate(self.found).astype(np.int64) * n_places + places)

    def mean_lengths(self) -> F64:
        """See `Statistics.lengths`."""
        lengths = self.lengths.reshape(-1, len(self.config.weights))
        return np.asarray(lengths.sum(axis=0) / np.maximum((lengths > 0).sum(axis=0), 1))

    def units(self, means: F64) -> F64:
        """What one occurrence counts at each place: w_f / (1 - b + b * len / mean len), where there is any."""
        lengths = self.lengths.reshape(-1, len(self.config.weights))
        known = (lengths > 0) & (means > 0)
        relative = np.divide(lengths, means, out=np.ones_like(lengths), where=known)
        weights = np.array(list(self.config.weights.values()))
        return np.asarray(weights / (1 - self.config.b + self.config.b * relative)).ravel()
