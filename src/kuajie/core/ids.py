"""The one grammar of ids and texts, so that files, JSON and every database agree on what is the same.

An id is text of 1 to 128 bytes of UTF-8, kept exactly: nothing is trimmed, folded or normalised, so "a", "A", "a " and
"é" in its two normal forms are five ids. Not allowed: only white space, control characters (category Cc, with NUL),
lone surrogates. A text may be empty, may hold line breaks and tabs, and is bounded by its place.
"""

import re

from kuajie.core.texts import Text

LONGEST_ID = 128
LONGEST_TEXT = 4_096
CONTROL = r"[\x00-\x1f\x7f-\x9f]"
"""A control character; also read by the checks of whole columns."""
BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""White space as Unicode counts it; Python's own counts four control characters too."""
_CONTROL = re.compile(CONTROL)


def id_problem(text: str, longest: int = LONGEST_ID) -> Text | None:
    """Why a text is no id, or None.

    Args:
        text: as it arrived.
        longest: in bytes of UTF-8; never more than `LONGEST_ID` counts.
    """
    longest = min(longest, LONGEST_ID)
    if text.isascii() and text.isprintable() and len(text) <= longest and text.strip(" "):
        return None  # nearly all
    if not text.strip(BLANK):
        return Text("is missing or no text")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return Text("has half a surrogate pair")
    if size > longest:
        return Text("is longer than {longest} bytes", longest=longest)
    if _CONTROL.search(text):
        return Text("has a control character")
    return None


def text_problem(text: str, longest: int = LONGEST_TEXT) -> Text | None:
    """Why a text cannot be stored, or None; `longest` in bytes of UTF-8."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return Text("has half a surrogate pair")
    if size > longest:
        return Text("is longer than {longest} bytes", longest=longest)
    if "\x00" in text:
        return Text("has a NUL character")
    return None
