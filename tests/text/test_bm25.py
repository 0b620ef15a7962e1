"""BM25F against the formula, written slowly; and what an index promises."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kuajie.text.bm25 import LEAST, Bm25Config, Bm25Index, bm25
from kuajie.text.tokens import document_terms, query_terms

WEIGHTS = {"title": 3.0, "brand": 2.0}


def slow(documents: list[dict[str, str]], query: str, all_documents: list[dict[str, str]], config: Bm25Config):
    """Scores of documents under the statistics of all: the formula of `text/bm25.py`, term by term."""
    terms = [{field: document_terms(each.get(field, "")) for field in WEIGHTS} for each in documents]
    known = [{field: document_terms(each.get(field, "")) for field in WEIGHTS} for each in all_documents]
    lengths = {field: [len(each[field]) for each in known if each[field]] for field in WEIGHTS}
    scores = []
    for document in terms:
        score = 0.0
        for term, weight in query_terms(query).items():
            holding = sum(any(term in each[field] for field in WEIGHTS) for each in known)
            idf = math.log(1 + (len(known) - holding + 0.5) / (holding + 0.5))
            frequency = 0.0
            for field, words in document.items():
                if words:
                    mean = sum(lengths[field]) / len(lengths[field]) if lengths[field] else len(words)
                    relative = 1 - config.b + config.b * len(words) / mean
                    frequency += WEIGHTS[field] * Counter(words)[term] / relative
            score += weight * idf * frequency / (config.k1 + frequency)
        held = {term for words in document.values() for term in words}
        whole = any(weight == 1 and term in held for term, weight in query_terms(query).items())
        single = [term in held for term, weight in query_terms(query).items() if weight < 1]
        scores.append(score if whole or sum(single) > len(single) / 2 else 0.0)
    return np.array(scores)


WORDS = st.lists(st.sampled_from(["口红", "车贷", "红车", "loan", "loans", "car", "🚗", "的"]), max_size=5).map(
    " ".join
)
DOCUMENTS = st.lists(st.fixed_dictionaries({"title": WORDS, "brand": WORDS}), min_size=1, max_size=8)


@given(DOCUMENTS, DOCUMENTS, WORDS, st.floats(0.1, 3), st.floats(0, 1))
@example([{"title": "car", "brand": ""}, {"title": "", "brand": "car"}], [{}], "car", 1.2, 1.0)
def test_scores_are_those_of_the_formula(documents, further, query, k1, b) -> None:
    config = Bm25Config(WEIGHTS, k1, b)
    index = Bm25Index.build(documents, config)
    for part, indexed in ((documents, index), (further, index.extended(further))):
        expected = slow(part, query, documents, config)
        found = indexed.find(query)
        best = expected.max()
        shown = np.flatnonzero((expected > 0) & (expected >= LEAST * best * 1.0001))
        assert set(shown) <= set(found.documents.tolist())
        np.testing.assert_allclose(found.scores, expected[found.documents], rtol=1e-4, atol=1e-6)
        assert (found.scores > 0).all()
        assert len(indexed) == len(part)


def test_one_score_by_hand() -> None:
    index = Bm25Index.build([{"title": "red car"}, {"title": "red"}], Bm25Config({"title": 1.0}, k1=1.0, b=0.0))
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    assert index.find("car").documents.tolist() == [0]
    assert index.find("car").scores[0] == pytest.approx(idf * 1 / (1 + 1))


def first(documents: list[dict[str, str]], query: str) -> int:
    found = bm25(documents, WEIGHTS).find(query)
    return int(found.documents[np.argmax(found.scores)])


def test_a_rare_word_tells_more_than_a_frequent_one() -> None:
    documents = [{"title": "loan"}, {"title": "lipstick"}, *({"title": "loan"} for _ in range(9))]
    assert first(documents, "loan lipstick") == 1


def test_a_title_tells_more_than_a_brand() -> None:
    documents = [{"title": "other", "brand": "口红"}, {"title": "口红", "brand": "other"}, {"title": "x", "brand": "x"}]
    assert first(documents, "口红") == 1


def test_of_two_the_shorter_title_and_the_whole_pair_come_first() -> None:
    assert first([{"title": "red car of a neighbour"}, {"title": "red car"}, {"title": "x"}], "red car") == 1
    assert first([{"title": "红车口"}, {"title": "车口红"}, {"title": "x"}], "口红") == 1


@pytest.mark.parametrize("documents", [[], [{}], [{"title": ""}], [{"other": "口红"}]])
def test_nothing_is_found_where_nothing_is(documents: list[dict[str, str]]) -> None:
    index = bm25(documents, WEIGHTS)
    assert len(index.find("口红").documents) == 0
    assert len(index.find("").documents) == 0
    assert index.extended([{"title": "口红"}]).find("口红").documents.tolist() == [0]


def test_single_characters_find_what_holds_most_of_them() -> None:
    documents = [{"title": "车辆保险"}, {"title": "车辆"}, {"title": "贷款"}]
    assert bm25(documents, WEIGHTS).find("车险").documents.tolist() == [0]


def test_what_shares_a_side_word_alone_is_left_out() -> None:
    documents = [{"title": "matte lipstick for you"}] + [{"title": f"course {n} for you"} for n in range(40)]
    assert bm25(documents, WEIGHTS).find("lipstick for you").documents.tolist() == [0]
