"""Shares of categories and brands in a history."""

import polars as pl
import pytest

from kuajie.core.histories import Histories
from kuajie.data.catalog import Catalog
from kuajie.workflows.tastes import Taste, tastes

CATALOG = Catalog.of(
    pl.DataFrame(
        [
            ("a", "1", "口红", "南枝"), ("a", "2", "口红", ""), ("a", "3", "眼影", "初芜"), ("a", "4", "", "初芜"),
            ("b", "1", "口红", "南枝"), ("b", "2", "车贷", ""),
        ],
        schema=["domain", "item", "category", "brand"],
        orient="row",
    ),
    ("a", "b"),
)  # fmt: skip


def test_shares_are_of_the_strength_of_the_own_domains_alone() -> None:
    history = Histories.from_lists([[0, 0, 1, 2, 3, 4, 5]], 6, weights=[[1, 1, 1, 2, 5, 7, 9]])
    assert tastes(history, CATALOG, {"a"}, "category") == [Taste("a", "口红", 0.3), Taste("a", "眼影", 0.2)]
    assert tastes(history, CATALOG, {"a"}, "brand") == [Taste("a", "初芜", 0.7), Taste("a", "南枝", 0.2)]
    both = tastes(history, CATALOG, {"a", "b"}, "category")
    assert [(each.domain, each.name) for each in both] == [("b", "车贷"), ("b", "口红"), ("a", "口红"), ("a", "眼影")]
    assert sum(each.share for each in both) == pytest.approx(21 / 26, abs=1e-3)
    assert tastes(history, CATALOG, {"a", "b"}, "category", most=1) == both[:1]
    assert tastes(history, CATALOG, set(), "category") == []


def test_nobody_has_no_taste() -> None:
    assert tastes(Histories.from_lists([[]], 6), CATALOG, {"a"}, "brand") == []
