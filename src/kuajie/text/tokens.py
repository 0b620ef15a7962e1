"""Words of Chinese and English text.

    text -> folded: width, case and accents aside -> runs of ideographs, words, emoji -> terms

Chinese is written without spaces. A run of ideographs becomes its characters and its pairs of neighbours, which needs
no dictionary and knows every brand (Nie, Brisebois and Ren 1996, "On Chinese text retrieval", on pairs and words);
`docs/adr/0008-search.md` compares it with a segmenter. English words lose their plural (Harman 1991, "How effective is
suffixing?", the S stemmer).
"""

import re
import unicodedata
from collections.abc import Iterator

IDEOGRAPHS = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003134f"
"""Han, and kana and Hangul with them."""
EMOJI = "\u2600-\u27bf\U0001f000-\U0001faff"
_RUNS = re.compile(rf"([{IDEOGRAPHS}]+)|[{EMOJI}]|[^\W_{IDEOGRAPHS}]+")
LONGEST_WORD = 64
"""In characters; of longer ones the beginning counts."""
SINGLE = 0.3
"""What one character of a longer run counts in a query beside its pairs, so that a slip of the pen costs little."""


class _Folding(dict[int, str]):
    """Code point -> its folded form; remembers the basic plane, at most 65,536 entries."""

    def __missing__(self, point: int) -> str:
        folded = _folded(chr(point))
        if point < 0x10000:
            self[point] = folded
        return folded


def _folded(char: str) -> str:
    wide = unicodedata.normalize("NFKC", char).casefold()
    if "\uac00" <= wide[:1] <= "\ud7a3":
        return wide  # Hangul would fall apart
    return "".join(part for part in unicodedata.normalize("NFKD", wide) if not unicodedata.combining(part))


_FOLDING = _Folding()


def fold(text: str) -> str:
    """The text without what readers do not tell apart: width, case, accents, ligatures."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def fold_places(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the place in the text that it came from."""
    if text.isascii():
        return text.lower(), list(range(len(text)))
    parts = [_FOLDING[ord(char)] for char in text]
    return "".join(parts), [place for place, part in enumerate(parts) for _ in part]


def spans(folded: str) -> Iterator[tuple[str, int, int]]:
    """Every term of a folded text with its first and last place + 1: for documents."""
    for run in _RUNS.finditer(folded):
        text, start = run[0], run.start()
        if run[1] is None:
            yield stem(text[:LONGEST_WORD]), start, run.end()
            continue
        for place, char in enumerate(text, start):
            yield char, place, place + 1
        for place in range(len(text) - 1):
            yield text[place : place + 2], start + place, start + place + 2


def document_terms(text: str) -> list[str]:
    """The terms of a document's field; repeats count."""
    return [term for term, _, _ in spans(fold(text))]


def query_terms(query: str) -> dict[str, float]:
    """The distinct terms of a query and what each counts; a single character of a longer run counts less."""
    found: dict[str, float] = {}
    for run in _RUNS.finditer(fold(query)):
        text = run[0]
        if run[1] is None:
            found[stem(text[:LONGEST_WORD])] = 1.0
            continue
        for char in text:
            found[char] = max(found.get(char, 0.0), SINGLE if len(text) > 1 else 1.0)
        found.update({text[place : place + 2]: 1.0 for place in range(len(text) - 1)})
    return found


def stem(word: str) -> str:
    """An English word without its plural; other words as they are."""
    if len(word) < 4 or word[-1] != "s" or not word.isascii():
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else word[:-3] + "y"
    if word.endswith("es"):
        return word if word.endswith(("aes", "ees", "oes")) else word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]
