"""Names: what people type, and what things are called."""

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

from kuajie.core.language import message
from kuajie.core.texts import Joined, Text

MOST = 12
OR = message(" or ")
_KIND = re.compile(r"[a-z_][a-z0-9_ -]*:(?=\S)(?!//)")


def normalised(name: str) -> str:
    """A name without what does not tell names apart: width, case, spaces at the ends and repeated ones (NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def plain_name(name: str) -> str:
    """A name without the kind before it: "topic:涡轮" is "涡轮"; addresses and times stay as they are."""
    found = _KIND.match(name)
    return name[found.end() :] if found else name


def kind_of_name(name: str) -> str:
    """The kind before a name, "" where there is none."""
    found = _KIND.match(name)
    return found[0][:-1] if found else ""


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
