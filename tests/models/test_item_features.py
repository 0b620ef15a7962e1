import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.models.item_features import (
    FeatureWeights,
    bin_rows,
    describes,
    item_features,
    label_rows,
    number_columns,
    quantile_places,
)
from kuajie.text.tfidf import TfidfConfig

SPACE = ItemSpace(("a", "b"), (3, 2))
NAN = float("nan")


def test_the_product_is_the_weighted_mean_of_the_blocks() -> None:
    side = SideInformation(
        5,
        {"title": ["甲 x", "甲 y", "", "甲 x", "z"]},
        {"brand": Labels.of(["p", "p", "q", None, None])},
        vectors={"image": np.array([[1, 0], [0, 2], [NAN, NAN], [3, 0], [NAN, NAN]], np.float32)},
    )
    weights = FeatureWeights(texts=1, labels=0.5, numbers=0, vectors=2)
    found = item_features(side, SPACE, TfidfConfig(least_texts=1, most_share=1), weights)
    rows = np.concatenate([found.scattered.toarray(), found.full], axis=1)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    # texts and images of 0 and 3 agree wholly, and 0 alone has a brand
    np.testing.assert_allclose(rows[0] @ rows[3], (1 + 2) / np.sqrt(3.5 * 3), rtol=1e-5)
    assert rows[1] @ rows[2] == 0
    assert found.described.all()


def test_an_item_of_which_nothing_is_known_is_not_described() -> None:
    side = SideInformation(5, {"title": ["x", "x", "", "!", "x"]}, numbers={"price": np.array([1, 2, NAN, NAN, 3])})
    found = item_features(side, SPACE, TfidfConfig(), FeatureWeights())
    assert found.described.tolist() == [True, True, False, False, True]


def test_near_numbers_are_alike_and_domains_are_placed_apart() -> None:
    values = np.array([1, 2, 100, 1_000, 90_000.0])
    rows = bin_rows(values, SPACE, 4).toarray()
    likeness = rows @ rows.T
    assert likeness[0, 1] > likeness[0, 2]
    assert likeness[0, 3] > likeness[0, 4]  # the cheap one of b is like the cheap one of a


@pytest.mark.parametrize("values", [[5.0, 5, 5, 5, 5], [NAN] * 5, [1.0, NAN, NAN, NAN, 2.0]])
@pytest.mark.parametrize("bins", [2, 8])
def test_one_value_or_none_gives_finite_rows(values: list[float], bins: int) -> None:
    array = np.array(values)
    rows = bin_rows(array, SPACE, bins).toarray()
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows.any(axis=1), ~np.isnan(array))
    assert np.isfinite(number_columns(array, SPACE)).all()


@given(st.lists(st.floats(-1e9, 1e9) | st.just(NAN), min_size=5, max_size=5))
@settings(deadline=None)
def test_places_are_middle_ranks(values: list[float]) -> None:
    array = np.array(values)
    known = [value for value in values if value == value]
    expected = [
        (sum(k < value for k in known) + sum(k <= value for k in known)) / 2 / len(known) if value == value else NAN
        for value in values
    ]
    np.testing.assert_allclose(quantile_places(array), expected)


def test_number_columns_are_standardised_in_each_domain_and_say_what_is_missing() -> None:
    columns = number_columns(np.array([10.0, 100, NAN, 1, 1_000]), SPACE)
    np.testing.assert_allclose(columns[[0, 1], 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(columns[3:, 0], [-1, 1], rtol=1e-5)
    assert columns[:, 2].tolist() == [0, 0, 1, 0, 0]
    assert columns[2].tolist() == [0, 0.5, 1]


def test_a_rare_label_says_more_than_a_common_one() -> None:
    rows = label_rows(Labels.of([["common", "rare"], ["common"], ["rare"], ["common"], []])).toarray()
    assert rows[0] @ rows[2] > rows[0] @ rows[1]
    assert not rows[4].any()


def test_what_describes_items() -> None:
    assert not describes(None)
    assert not describes(SideInformation(2))
    assert describes(SideInformation(2, numbers={"price": np.ones(2)}))
