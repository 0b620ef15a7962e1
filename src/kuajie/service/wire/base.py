"""What all requests and answers have in common."""

from typing import Literal

import msgspec

MOST_ROWS = 500
MOST_ITEMS = 100
MOST_LISTS = 20
"""Editor's lists of one request."""

Language = Literal["zh", "en"]
Rows = msgspec.Meta(min_length=1, max_length=MOST_ROWS)


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all that travels."""


class Failure(Wire, frozen=True):
    """Every error: what is wrong, what to do, and how the operators find it in their log."""

    error: str
    do: str
    request_id: str = ""


class Removed(Wire, frozen=True):
    """What is not there any more."""

    removed: str
