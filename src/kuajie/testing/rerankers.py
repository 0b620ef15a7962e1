"""The contract of `rerank.base.Reranker` as a test class: subclass it and name the configs.

class TestMMR(RerankerContract):
    configs = (MMRConfig(), MMRConfig(strength=0.8))
    neutral = MMRConfig(strength=0)
"""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.rows import unit_rows
from kuajie.rerank.base import Candidates, Context, Groups, Items, Labels, People, StepConfig, kind_of
from kuajie.rerank.pipeline import RerankConfig, rerank
from kuajie.rerank.registry import EXPLORING, build, config_type

N_ITEMS = 60
BRANDS = ("车品", "Ölwerk", "third")
CATEGORIES = ("涡轮", "brakes", "机油", "audio")


def planted_context(n: int, seed: int = 0, *, one_value: bool = False) -> Context:
    """What is known of 60 items and n people; with `one_value` every item is of the same everything."""
    rng = np.random.default_rng(seed)
    codes = np.zeros(N_ITEMS, int) if one_value else np.arange(N_ITEMS)
    brands = Labels((codes % 3).astype(np.int32), BRANDS)
    categories = Labels((codes % 4).astype(np.int32), CATEGORIES)
    topics = Groups.of_labels(categories)
    popularity = np.full(N_ITEMS, 7.0) if one_value else np.round(500.0 / (1 + rng.permutation(N_ITEMS)))
    tail = Groups.of_labels(Labels((popularity < np.median(popularity)).astype(np.int32), ("head", "tail")))
    noise = np.zeros((N_ITEMS, 3)) if one_value else rng.random((N_ITEMS, 3)) * 0.2
    vectors = unit_rows(sparse.csr_array(np.hstack([topics.matrix.toarray(), noise])), np.float64)
    mixes = {"category": mix_rows(rng, n, 4), "tail": mix_rows(rng, n, 2)}
    prices = np.full(N_ITEMS, 99.0) if one_value else rng.uniform(1, 100, N_ITEMS)
    return Context(
        Items(
            {"content": vectors},
            {"brand": brands, "category": categories},
            {"tail": tail, "regions": Groups.of_labels(Labels(np.full(N_ITEMS, -1, np.int32), ("上海",)))},
            {"popularity": popularity, "price": prices, "stock": np.ones(N_ITEMS)},
        ),
        People(mixes, {"age": np.full(n, 30.0)}, {"region": np.full(n, "上海")}),
    )


def mix_rows(rng: np.random.Generator, n: int, size: int) -> sparse.csr_array:
    """Shares that sum to 1 in each of n rows."""
    return sparse.csr_array(rng.dirichlet(np.ones(size), n))


def planted_candidates(n: int, m: int, seed: int = 0, *, equal: bool = False) -> Candidates:
    """Random distinct items, best first."""
    rng = np.random.default_rng([seed, 1])
    items = np.stack([rng.choice(N_ITEMS, m, replace=False) for _ in range(n)]).astype(np.int32)
    scores = np.ones((n, m)) if equal else -np.sort(-rng.normal(size=(n, m)), axis=1)
    return Candidates(items, scores, np.zeros((n, m), np.int64))


class RerankerContract:
    """What every re-ranker must do, whatever it is for."""

    configs: ClassVar[tuple[StepConfig, ...]]
    neutral: ClassVar[StepConfig | None]
    """With strength 0, or without a rule; None, with a reason in the subclass, where there is no such thing."""
    drops: ClassVar[bool] = False
    """Whether it may leave candidates out."""
    alone: ClassVar[bool] = True
    """False, with a reason in the subclass, where a list depends on those before."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test once for each config."""
        if "config" in metafunc.fixturenames:
            metafunc.parametrize("config", self.configs, ids=str)

    def test_the_order_is_a_permutation(self, config: StepConfig) -> None:
        candidates = planted_candidates(20, 30)
        outcome = build(config).rerank(candidates, 10, planted_context(20))
        assert outcome.order.shape == (20, 30)
        for number, row in enumerate(outcome.order):
            kept = row[row >= 0]
            assert len(set(kept.tolist())) == len(kept)
            assert (row[len(kept) :] == -1).all(), "nothing stands behind a gap"
            missing = np.setdiff1d(np.arange(30), kept)
            if not self.drops:
                assert not len(missing)
            elif outcome.why is not None:
                assert (outcome.why[number, missing] > 0).all(), "what is dropped has a reason"
                assert (outcome.why[number, kept] == 0).all()
                assert outcome.why.max() <= len(outcome.words)

    def test_lists_have_k_places(self, config: StepConfig) -> None:
        for k in (1, 7, 30, 50):
            result = rerank([config], planted_candidates(6, 30), k, planted_context(6))
            assert result.order.shape == (6, k)
            filled = (result.order >= 0).sum(axis=1)
            assert (filled == min(k, 30)).all() or (self.drops and (filled <= min(k, 30)).all())

    def test_nothing_asked_nothing_changed(self) -> None:
        if self.neutral is None:
            pytest.skip("it has no strength")
        candidates = planted_candidates(9, 25)
        outcome = build(self.neutral).rerank(candidates, 10, planted_context(9))
        np.testing.assert_array_equal(outcome.order, np.tile(np.arange(25), (9, 1)))

    def test_equal_candidates_keep_their_order(self, config: StepConfig) -> None:
        if kind_of(config) in EXPLORING:
            pytest.skip("the order is drawn")
        candidates = planted_candidates(5, 12, equal=True)
        outcome = build(config).rerank(candidates, 12, planted_context(5, one_value=True))
        for row in outcome.order:
            kept = row[row >= 0]
            assert (np.diff(kept) > 0).all()

    def test_the_same_seeds_give_the_same_lists(self, config: StepConfig) -> None:
        candidates, context = planted_candidates(30, 20), planted_context(30)
        context = replace(context, seeds=np.arange(30, dtype=np.uint64) + np.uint64(7))
        first, second = (build(config).rerank(candidates, 10, context, threads) for threads in (1, 2))
        np.testing.assert_array_equal(first.order, second.order)

    def test_one_list_comes_out_as_in_a_batch(self, config: StepConfig) -> None:
        if not self.alone:
            pytest.skip("lists depend on those before")
        candidates, context = planted_candidates(8, 20), planted_context(8)
        together = build(config).rerank(candidates, 10, context)
        mixes = {name: rows[[5]] for name, rows in context.people.mixes.items()}
        people = People(mixes, {"age": np.array([30.0])}, {"region": np.array(["上海"])})
        one = replace(context, people=people, seeds=context.seeds_of(8)[[5]])
        alone = Candidates(candidates.items[[5]], candidates.scores[[5]])
        np.testing.assert_array_equal(build(config).rerank(alone, 10, one).order[0], together.order[5])

    def test_places_without_a_score_are_no_candidates(self, config: StepConfig) -> None:
        candidates = planted_candidates(4, 10)
        scores = candidates.scores.copy()
        scores[0] = np.nan
        scores[1, 6:] = np.nan
        scores[2, 3] = np.nan
        scores[3, 9] = -np.inf
        outcome = build(config).rerank(Candidates(candidates.items, scores), 10, planted_context(4))
        assert (outcome.order[0] == -1).all()
        for row, absent in ((1, {6, 7, 8, 9}), (2, {3}), (3, {9})):
            kept = outcome.order[row][outcome.order[row] >= 0].tolist()
            assert not absent & set(kept)
            assert self.drops or len(kept) == 10 - len(absent)

    def test_an_unknown_item_is_no_error(self, config: StepConfig) -> None:
        candidates = planted_candidates(3, 8)
        items = candidates.items.copy()
        items[:, 2] = -1
        outcome = build(config).rerank(Candidates(items, candidates.scores), 8, planted_context(3))
        assert self.drops or (np.sort(outcome.order, axis=1) == np.arange(8)).all()

    def test_no_list_and_no_candidate(self, config: StepConfig) -> None:
        nobody = Candidates(np.empty((0, 5), np.int32), np.empty((0, 5)))
        assert build(config).rerank(nobody, 3, planted_context(0)).order.shape == (0, 5)
        nothing = Candidates(np.empty((2, 0), np.int32), np.empty((2, 0)))
        assert rerank([config], nothing, 3, planted_context(2)).order.tolist() == [[-1] * 3] * 2

    def test_propensities_are_probabilities(self, config: StepConfig) -> None:
        outcome = build(config).rerank(planted_candidates(20, 12), 10, planted_context(20))
        drawn = kind_of(config) in EXPLORING
        assert (outcome.propensity is not None) == drawn
        if outcome.propensity is not None:
            assert (outcome.propensity > 0).all()
            assert (outcome.propensity <= 1 + 1e-12).all()

    def test_the_config_is_registered_under_its_kind(self, config: StepConfig) -> None:
        assert config_type(kind_of(config)) is type(config)
        again = RerankConfig.parse({"steps": [config.model_dump(mode="json")]})
        assert again.steps == (config,)
