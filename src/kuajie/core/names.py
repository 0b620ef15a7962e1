"""Names that people type."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 12


def suggest(got: str, known: Iterable[str]) -> str:
    """The end of the sentence "there is no X 'got'": what was probably meant, else what there is."""
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in names}
    close = [folded[match] for match in get_close_matches(got.casefold(), folded, n=3, cutoff=0.5)]
    if close:
        return f"; did you mean {' or '.join(repr(name) for name in close)}?"
    if not names:
        return "; there is none yet"
    listed = ", ".join(names[:MOST])
    return f"; there are {listed}" + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
