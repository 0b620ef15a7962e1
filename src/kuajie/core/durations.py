"""Durations as people write them: 90s, 30m, 1h30m."""

import re

from kuajie.core.errors import UsageError

SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
PATTERN = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?", re.ASCII)
"""Hours, minutes and seconds, in this order; a number alone is seconds."""


def seconds_of(text: str) -> float:
    """The seconds of a duration, more than 0.

    Raises:
        UsageError: it is none.
    """
    found = PATTERN.fullmatch(text.strip().lower())
    total = sum(float(found[unit] or 0) * size for unit, size in SECONDS.items()) if found else 0.0
    if not total:
        raise UsageError("'{text}' is no duration; write it as 90s, 30m or 1h30m", text=text)
    return total
