"""Popularity: what is discounted falls behind, and the tail gets the places that the person gives it."""

import numpy as np
import pytest
from scipy import sparse

from kuajie.rerank.base import Candidates, Context, Groups, Items, Labels, People, relevance
from kuajie.rerank.popularity import Discount, DiscountConfig, XQuAD, XQuADConfig
from kuajie.testing.rerankers import RerankerContract, planted_candidates, planted_context


class TestDiscount(RerankerContract):
    configs = (DiscountConfig(), DiscountConfig(strength=1), DiscountConfig(by="price", strength=0.5))
    neutral = DiscountConfig(strength=0)


class TestXQuAD(RerankerContract):
    configs = (
        XQuADConfig(),
        XQuADConfig(smooth=False, strength=0.9),
        XQuADConfig(by="category", strength=1, personal=False),
    )
    neutral = XQuADConfig(strength=0)


def test_the_discount_is_by_the_logarithm() -> None:
    items = Items(numbers={"popularity": np.array([999.0, 99.0, 9.0, np.nan])})
    candidates = Candidates(np.arange(4, dtype=np.int32)[None], np.array([[3.0, 2.0, 1.0, 0.0]]))
    # relevance 1, 2/3, 1/3, 0 and pull 1, 2/3, 1/3, 0: they balance at one half
    for strength, wanted in ((0.49, [0, 1, 2, 3]), (0.51, [3, 2, 1, 0])):
        order = Discount(DiscountConfig(strength=strength)).rerank(candidates, 2, Context(items)).order
        assert order[0].tolist() == wanted


def slow(worth: np.ndarray, groups: np.ndarray, p: np.ndarray, k: int, strength: float, smooth: bool) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < k:
        values = {}
        for place in range(len(worth)):
            if place not in chosen:
                gain = 0.0
                for d in range(len(p)):
                    share = groups[chosen, d].mean() if chosen else 0.0
                    covered = share if smooth else min(groups[chosen, d].sum(), 1.0)
                    gain += p[d] * groups[place, d] * (1 - covered)
                values[place] = (1 - strength) * worth[place] + strength * gain
        best = max(values.values())
        chosen.append(next(place for place, value in values.items() if value > best - 1e-9))
    return chosen


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_fast_and_slow_choose_alike(strength: float, smooth: bool) -> None:
    candidates, context = planted_candidates(10, 20, 2), planted_context(10, 2)
    config = XQuADConfig(strength=strength, smooth=smooth, by="category")
    order = XQuAD(config).rerank(candidates, 8, context).order[:, :8]
    groups = context.items.group("category").matrix.toarray()
    for row in range(10):
        p = context.people.mixes["category"].toarray()[row]
        wanted = slow(relevance(candidates.scores)[row], groups[candidates.items[row]], p, 8, strength, smooth)
        assert order[row].tolist() == wanted


@pytest.mark.parametrize(("mix", "least", "most"), [([0.2, 0.8], 6, 10), ([0.9, 0.1], 0, 2)])
def test_who_likes_the_tail_gets_the_tail(mix: list[float], least: int, most: int) -> None:
    tail = Groups.of_labels(Labels(np.repeat([0, 1], 15).astype(np.int32), ("head", "tail")))
    candidates = Candidates(np.arange(30, dtype=np.int32)[None], np.linspace(1, 0.5, 30)[None])
    context = Context(Items(groups={"tail": tail}), People({"tail": sparse.csr_array(np.array([mix]))}))
    order = XQuAD(XQuADConfig(strength=0.8)).rerank(candidates, 10, context).order[0, :10]
    assert least <= int((order >= 15).sum()) <= most
    alike = XQuAD(XQuADConfig(strength=1, personal=False)).rerank(candidates, 10, context).order[0, :10]
    assert int((alike >= 15).sum()) == 5
