"""Counts of terms against slow, obvious ones."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.text import counts as module
from kuajie.text.counts import Counts, gram_counts, word_codes, word_counts, words
from kuajie.text.tokens import document_terms, fold

TEXTS = ["涡轮增压 turbo", "", "T", "turbo-turbo, TURBO!", "é́", "🚗🚗 车", "x\ud800y", "涡", "a_b", "①②"]
ANY = st.text(st.characters(), max_size=12)  # lone surrogates too


def slow_grams(text: str, shortest: int, longest: int) -> Counter[str]:
    """Every n-gram of the words, a space before and after each; a space alone is none."""
    spaced = "".join(char if module._OF_WORDS.match(char) else " " for char in fold(text))
    found: Counter[str] = Counter()
    for word in spaced.split():
        whole = f" {word} "
        for n in range(shortest, longest + 1):
            found.update(whole[place : place + n] for place in range(len(whole) - n + 1))
    del found[" "]
    return found


def as_sets(counts: Counts, row: int) -> list[float]:
    return sorted(counts.matrix[[row]].data.tolist())


@given(st.lists(ANY, min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_grams_are_counted_as_the_slow_way_does(texts: list[str], shortest: int, more: int) -> None:
    counts = gram_counts(texts, shortest, shortest + more)
    for row, text in enumerate(texts):
        assert as_sets(counts, row) == sorted(slow_grams(text, shortest, shortest + more).values())
    together: Counter[str] = Counter()
    for text in texts:
        together.update(slow_grams(text, shortest, shortest + more).keys())
    frequency = np.bincount(counts.matrix.indices, minlength=len(counts.codes))
    assert sorted(frequency.tolist()) == sorted(together.values())


def test_texts_in_batches_are_counted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gram_counts(TEXTS, 1, 3)
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 5)
    parts = gram_counts(TEXTS, 1, 3)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.matrix.toarray(), whole.matrix.toarray())


@given(st.lists(ANY, max_size=6))
@settings(deadline=None, max_examples=60)
def test_words_are_counted_as_they_are_split(texts: list[str]) -> None:
    counts = word_counts(texts)
    for row, text in enumerate(texts):
        assert as_sets(counts, row) == sorted(Counter(document_terms(text)).values())


def test_the_same_term_has_the_same_code_in_every_text_and_process() -> None:
    assert word_codes(["turbo"]).tolist() == [16664181402155716043]
    assert len(np.unique(word_codes(["turbo", "涡轮", "x\ud800", "x"]))) == 4
    first, second = gram_counts(["turbo"], 2, 4), gram_counts(["a turbo kit"], 2, 4)
    assert np.isin(first.codes, second.codes).all()


def test_counts_of_another_vocabulary_leave_out_what_it_does_not_know() -> None:
    codes = np.sort(word_codes(["turbo", "口"]))
    matrix = word_counts(["turbo turbo kit", "口红"]).of(codes).toarray()
    assert matrix[0, np.searchsorted(codes, word_codes(["turbo"])[0])] == 2
    assert matrix[1, np.searchsorted(codes, word_codes(["口"])[0])] == 1
    assert matrix.sum() == 3


def test_a_dictionary_splits_chinese_into_words() -> None:
    split = list(words(["涡轮增压发动机的原理 turbo kits", "x\ud800", ""], "rjieba"))
    assert {"涡轮", "发动机", "原理", "turbo", "kit"} <= set(split[0])
    assert split[1:] == [["x"], []]


@pytest.mark.parametrize("shortest", [1, 2])
def test_no_texts_and_empty_texts(shortest: int) -> None:
    assert gram_counts([], shortest, 3).matrix.shape == (0, 0)
    assert gram_counts(["", " "], shortest, 3).matrix.shape == (2, 0)
    assert word_counts([]).matrix.shape == (0, 0)


def test_a_text_of_a_megabyte_is_counted_whole() -> None:
    text = "涡轮 turbo " * 100_000
    assert gram_counts([text], 2, 2).matrix.sum() == 100_000 * (3 + 6)
    assert word_counts([text]).matrix.sum() == 100_000 * 4
