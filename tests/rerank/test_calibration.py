"""Calibration: the list gets the history's mix, and the kernel is Steck's greedy choice."""

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import UsageError
from kuajie.rerank.base import Candidates, Context, Groups, Items, Labels, People, relevance
from kuajie.rerank.calibration import Calibration, CalibrationConfig
from kuajie.testing.rerankers import RerankerContract, planted_candidates, planted_context


class TestCalibration(RerankerContract):
    configs = (CalibrationConfig(), CalibrationConfig(strength=0.9), CalibrationConfig(by="tail", strength=1))
    neutral = CalibrationConfig(strength=0)


def slow(worth: np.ndarray, topics: np.ndarray, p: np.ndarray, k: int, strength: float, alpha: float) -> list[int]:
    """Steck (2018), equations 3 to 5, from scratch for every trial list."""
    chosen: list[int] = []
    while len(chosen) < k:
        values = {}
        for place in range(len(worth)):
            if place not in chosen:
                trial = [*chosen, place]
                q = (1 - alpha) * topics[trial].mean(axis=0) + alpha * p
                cost = sum(p[g] * np.log(p[g] / q[g]) for g in range(len(p)) if p[g] > 0)
                values[place] = (1 - strength) * worth[trial].sum() - strength * cost
        best = max(values.values())
        chosen.append(next(place for place, value in values.items() if value > best - 1e-9))
    return chosen


@pytest.mark.parametrize("strength", [0.2, 0.5, 0.95])
def test_fast_and_slow_choose_alike(strength: float) -> None:
    candidates, context = planted_candidates(12, 25, 5), planted_context(12, 5)
    rng = np.random.default_rng(0)
    groups = Groups.of(sparse.csr_array(rng.random((60, 5)) * (rng.random((60, 5)) < 0.5)), tuple("abcde"))
    mixes = rng.dirichlet(np.ones(5), 12) * (rng.random((12, 5)) < 0.8)
    people = People({"topics": sparse.csr_array(mixes / mixes.sum(axis=1, keepdims=True))})
    context = Context(Items(groups={"topics": groups}), people)
    config = CalibrationConfig(by="topics", strength=strength)
    order = Calibration(config).rerank(candidates, 8, context).order[:, :8]
    worth = relevance(candidates.scores)
    for row in range(12):
        topics = groups.matrix.toarray()[candidates.items[row]]
        p = people.mixes["topics"].toarray()[row]
        assert order[row].tolist() == slow(worth[row], topics, p, 8, strength, config.alpha)


def mixed_list(mix: list[float], strength: float) -> list[int]:
    """Ten places from twenty items of the courses and ten of car parts, which all score lower."""
    labels = Labels(np.repeat([0, 1], [20, 10]).astype(np.int32), ("课程", "car_parts"))
    people = People({"domain": sparse.csr_array(np.array([mix]))})
    candidates = Candidates(np.arange(30, dtype=np.int32)[None], np.linspace(1, 0, 30)[None])
    context = Context(Items(labels={"domain": labels}), people)
    order = Calibration(CalibrationConfig(by="domain", strength=strength)).rerank(candidates, 10, context).order
    codes = labels.codes[order[0, :10]]
    return [int((codes == 0).sum()), int((codes == 1).sum())]


def test_the_domains_of_a_list_follow_the_history() -> None:
    assert mixed_list([0.7, 0.3], 0) == [10, 0]
    assert mixed_list([0.7, 0.3], 0.99) == [7, 3]
    assert mixed_list([0.0, 1.0], 0.99) == [0, 10]


def test_who_has_no_mix_keeps_the_list() -> None:
    assert mixed_list([0.0, 0.0], 0.99) == [10, 0]


def test_a_mix_that_was_not_given_is_named() -> None:
    context = Context(planted_context(1).items)
    with pytest.raises(UsageError, match="the mix of 'category'"):
        Calibration(CalibrationConfig()).rerank(planted_candidates(1, 5), 3, context)
