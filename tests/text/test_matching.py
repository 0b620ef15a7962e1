"""Where words of a query are in a text."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.text.matching import Wanted


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("口红", "南枝哑光口红 枫叶红", ["口红"]),
        ("哑光口红", "南枝哑光口红 枫叶红", ["哑光口红"]),
        ("first car loans", "Same-Day First-Car Loan", ["First", "Car", "Loan"]),
        ("coupe", "2025 Luyuan Coupé ４８", ["Coupé"]),
        ("48", "2025 Luyuan Coupe\u0301 ４８", ["４８"]),
        ("film", "ﬁlm noir", ["ﬁlm"]),
        ("红车", "口红", []),
        ("🚗", "a🚗b", ["🚗"]),
        ("battery", "Batteries and a battery", ["Batteries", "battery"]),
        ("batteries", "a battery", ["battery"]),
        ("tyres", "one tyre", ["tyre"]),
    ],
)
def test_ranges_are_places_in_the_text_as_it_is_shown(query: str, text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in Wanted.of(query).whole.ranges(text)] == words


def test_single_characters_of_a_run_are_weak() -> None:
    wanted = Wanted.of("红车")
    assert wanted.whole.ranges("口红") == []
    assert wanted.every.ranges("口红") == [(1, 2)]


@given(st.text(max_size=40), st.text(max_size=40))
def test_ranges_are_ordered_apart_and_inside(query: str, text: str) -> None:
    found = Wanted.of(query).every.ranges(text)
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    words = Wanted.of(text).every
    assert bool(words.ranges(text)) == bool(words.terms), "a text holds its own words"
