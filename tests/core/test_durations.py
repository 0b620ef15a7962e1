from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.durations import seconds_of
from kuajie.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h", 3600), ("1h30m", 5400), ("1h0m5s", 3605), ("45", 45), (" 1.5M ", 90)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-3s", "m", "30 m", "5d", "三分钟", "s30", "30m1h", "1e3", "nan", "３m"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no duration; write it as 90s, 30m or 1h30m"):
        seconds_of(text)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert seconds_of(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert seconds_of(text) > 0
