"""Names that people type."""

from collections.abc import Iterable
from difflib import get_close_matches

from kuajie.core.language import message
from kuajie.core.texts import Joined, Text

MOST = 12
OR = message(" or ")


def suggest(got: str, known: Iterable[str]) -> Text:
    """The end of the sentence "there is no X 'got'": what was probably meant, else what there is."""
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in names}
    close = [folded[match] for match in get_close_matches(got.casefold(), folded, n=3, cutoff=0.5)]
    if close:
        return Text("; did you mean {names}?", names=Joined(map(repr, close), OR))
    if not names:
        return Text("; there is none yet")
    listed = ", ".join(names[:MOST])
    if len(names) > MOST:
        return Text("; there are {names} and {more} more", names=listed, more=len(names) - MOST)
    return Text("; there are {names}", names=listed)
