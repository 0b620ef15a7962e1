"""Which words of a text a query matches, as places in that text: for showing, never HTML."""

from collections.abc import Collection
from dataclasses import dataclass

from kuajie.text.tokens import fold_places, query_terms, spans

Range = tuple[int, int]
"""First place and last place + 1, in characters (code points) of the text as it is shown."""


@dataclass(frozen=True)
class Wanted:
    """What a query looks for.

    Attributes:
        terms: words, and pairs of ideographs.
        weak: single characters of longer runs, which are shown only where nothing better is.
    """

    terms: frozenset[str]
    weak: frozenset[str]

    @classmethod
    def of(cls, query: str) -> "Wanted":
        """Read a query."""
        terms = query_terms(query)
        strong = frozenset(term for term, weight in terms.items() if weight >= 1)
        return cls(strong, frozenset(terms))


def matched(terms: Collection[str], text: str) -> list[Range]:
    """The places that terms take in a text, in order, joined where they touch."""
    folded, places = fold_places(text)
    found = sorted((places[start], places[end - 1] + 1) for term, start, end in spans(folded) if term in terms)
    joined: list[Range] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
