"""Which words of a text a query matches, as places in that text: for showing, never HTML."""

from collections.abc import Iterable
from dataclasses import dataclass

from kuajie.text.tokens import fold, fold_places, query_terms, spans

Range = tuple[int, int]
"""First place and last place + 1, in characters (code points) of the text as it is shown."""


@dataclass(frozen=True)
class Words:
    """Terms to look for.

    Attributes:
        terms: of a query.
        beginnings: without what a plural may change; a text that holds none of them need not be read.
    """

    terms: frozenset[str]
    beginnings: tuple[str, ...]

    @classmethod
    def of(cls, terms: Iterable[str]) -> "Words":
        """Some terms of a query."""
        found = frozenset(terms)
        return cls(found, tuple({term[:-1] if len(term) > 2 else term for term in found}))

    def ranges(self, text: str) -> list[Range]:
        """The places that the terms take in a text, in order, joined where they touch."""
        short = fold(text)
        if not any(beginning in short for beginning in self.beginnings):
            return []
        folded, places = fold_places(text)
        found = sorted((places[start], places[end - 1] + 1) for term, start, end in spans(folded) if term in self.terms)
        joined: list[Range] = []
        for start, end in found:
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined


@dataclass(frozen=True)
class Wanted:
    """What a query looks for.

    Attributes:
        whole: words, and pairs of ideographs.
        every: single characters of longer runs too, which are shown only where nothing better is.
    """

    whole: Words
    every: Words

    @classmethod
    def of(cls, query: str) -> "Wanted":
        """Read a query."""
        terms = query_terms(query)
        return cls(Words.of(term for term, weight in terms.items() if weight >= 1), Words.of(terms))
