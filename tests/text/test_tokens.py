"""What counts as the same word, and what words a text is made of."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.text.tokens import SINGLE, document_terms, fold, fold_places, query_terms, spans, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＢＭＷ　Ｘ５", "bmw x5"),
        ("Coupé", "COUPE"),
        ("e\u0301tude", "étude"),
        ("ﬁlm", "FILM"),
        ("Straße", "STRASSE"),
        ("５Ｗ－３０", "5w-30"),
        ("㈱", "(株)"),
        ("ﾏｽｶﾗ", "マスカラ"),
    ],
)
def test_what_readers_do_not_tell_apart_is_folded_alike(one: str, other: str) -> None:
    assert document_terms(one) == document_terms(other)


def test_hangul_stays_whole() -> None:
    assert document_terms("립스틱") == ["립", "스", "틱", "립스", "스틱"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("口红", ["口", "红", "口红"]),
        ("First-car loans, 48期", ["first", "car", "loan", "48", "期"]),
        ("哑光口红 matte", ["哑", "光", "口", "红", "哑光", "光口", "口红", "matte"]),
        ("🚗7", ["🚗", "7"]),
        ("!?，。《》 \t\n\x00\u202e", []),
        ("SKU-001233", ["sku", "001233"]),
        ("a_b", ["a", "b"]),
    ],
)
def test_terms_of_documents(text: str, terms: list[str]) -> None:
    assert sorted(document_terms(text)) == sorted(terms)


def test_a_query_weighs_pairs_and_words_more_than_single_characters_of_a_run() -> None:
    assert query_terms("口红 lipsticks") == {"口": SINGLE, "红": SINGLE, "口红": 1.0, "lipstick": 1.0}
    assert query_terms("车") == {"车": 1.0}
    assert query_terms("车 买车")["车"] == 1.0
    assert query_terms("  \u3000") == {}


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("loans", "loan"), ("batteries", "battery"), ("classes", "classe"), ("tyres", "tyre"), ("glass", "glass"),
        ("bus", "bus"), ("gas", "gas"), ("shoes", "shoes"), ("car", "car"), ("éclairs", "éclairs"), ("", ""),
    ],
)  # fmt: skip
def test_plurals(word: str, stemmed: str) -> None:
    assert stem(word) == stemmed


@given(st.text(max_size=60))
def test_folding_is_the_same_with_places_and_without(text: str) -> None:
    folded, places = fold_places(text)
    assert folded == fold(text)
    assert len(places) == len(folded)
    assert places == sorted(places)
    assert fold(fold(text)) == fold(text) or unicodedata.normalize("NFKC", text) != text
    for term, start, end in spans(folded):
        assert 0 <= start < end <= len(folded)
        assert term
        assert folded[start:end].startswith(term[:-1] or term), "a stem changes the end alone"


@given(st.text(max_size=60))
def test_a_text_finds_itself(text: str) -> None:
    assert set(query_terms(text)) == set(document_terms(text))
