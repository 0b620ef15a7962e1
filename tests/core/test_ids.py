"""The grammar of ids."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.ids import CONTROL, id_problem, text_problem


@pytest.mark.parametrize(
    "text", ["a", " a", "a ", "日" * 42, "x" * 128, "😀", "\u202e", "a\u2028b", "é", "e\u0301", "0"]
)
def test_ids(text: str) -> None:
    assert id_problem(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is missing or no text"),
        (" \t\n", "is missing or no text"),
        ("\u3000", "is missing or no text"),
        ("x" * 129, "is longer than 128 bytes"),
        ("日" * 43, "is longer than 128 bytes"),
        ("a\x00", "has a control character"),
        ("a\tb", "has a control character"),
        ("a\x85", "has a control character"),
        ("a\x7f", "has a control character"),
        ("a\ud800", "has half a surrogate pair"),
    ],
)
def test_what_is_no_id(text: str, problem: str) -> None:
    assert id_problem(text) == problem


def test_a_workspace_may_want_shorter_ids_but_no_longer() -> None:
    assert id_problem("abcd", longest=3) == "is longer than 3 bytes"
    assert id_problem("x" * 129, longest=500) == "is longer than 128 bytes"


@given(st.text(max_size=140))
def test_the_fast_path_decides_as_the_rules_do(text: str) -> None:
    """Slow and obvious."""
    import unicodedata

    good = (
        bool(text.strip())
        and all(unicodedata.category(letter) not in {"Cc", "Cs"} for letter in text)
        and len(text.encode("utf-8", "surrogatepass")) <= 128
    )
    assert (id_problem(text) is None) == good


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
def test_columns_are_checked_by_the_same_pattern(text: str) -> None:
    whole = pl.Series([text]).str.contains(CONTROL)[0]
    assert whole == any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text)


def test_texts() -> None:
    assert text_problem("") is text_problem("多行\n文字\t") is None
    assert text_problem("a\x00") == "has a NUL character"
    assert text_problem("\udfff") == "has half a surrogate pair"
    assert text_problem("日" * 10, 29) == "is longer than 29 bytes"
