"""Fidelity: exact reasons fall furthest, wrong reasons do not, and models without reasons are not judged."""

import numpy as np
import pytest

from kuajie.core.histories import Histories
from kuajie.core.recommender import Explanation
from kuajie.evaluation.fidelity import Fidelity, fidelity
from kuajie.evaluation.protocols import leave_one_out
from kuajie.models.itemknn import ItemKNN
from kuajie.models.popularity import Popularity
from kuajie.testing.planted import two_domain_interactions


def planted(model_type):
    split = leave_one_out(two_domain_interactions()[0], np.random.default_rng(0))
    model = model_type().fit(split.train)
    return split.tasks["b"], (lambda h: model.score(h, "b")), (lambda h, items: model.explain(h, "b", items))


def test_exact_reasons_fall_further_than_chance() -> None:
    task, score, explain = planted(ItemKNN)
    found = fidelity(task, score, explain, np.random.default_rng(1))
    assert found.people == 100
    assert found.named > found.random
    assert found.low > 0
    assert found.wins > 0.9


def test_reasons_that_name_the_wrong_entry_are_found_out() -> None:
    task, score, explain = planted(ItemKNN)

    def upside_down(history: Histories, items: np.ndarray) -> Explanation:
        true = explain(history, items)
        parts = true.contributions.max() + 1 - true.contributions
        return Explanation(true.history_items, parts, true.base, true.exact)

    found = fidelity(task, score, upside_down, np.random.default_rng(1))
    assert found.high < 0
    assert found.wins < 0.1


def test_a_model_that_names_nothing_is_not_judged() -> None:
    found = fidelity(*planted(Popularity), np.random.default_rng(1))
    assert found.people == 0
    assert np.isnan(found.wins)


def test_falls_by_hand() -> None:
    weights = {0: 4.0, 1: 1.0, 2: 0.0}
    rows = Histories.from_lists([[0, 1, 2]], 5)

    def score(histories: Histories) -> np.ndarray:
        total = np.array([sum(weights[i] for i in row) for row in np.split(histories.items, histories.indptr[1:-1])])
        return np.stack([total, np.zeros_like(total)], axis=1).astype(np.float32)

    def explain(history: Histories, items: np.ndarray) -> Explanation:
        return Explanation(np.arange(3, dtype=np.int32), np.array([[4.0, 1.0, 0.0]]), np.zeros(1), exact=True)

    task = leave_one_out(two_domain_interactions()[0], np.random.default_rng(0)).tasks["b"]
    task = type(task)("b", 1, 3, 2, rows, *(getattr(task.take([0]), name) for name in (
        "history_of", "positives", "excluded", "people", "target_lengths")))  # fmt: skip
    found = fidelity(task, score, explain, np.random.default_rng(0))
    assert found.people == 1
    assert found.named == pytest.approx(4.0 / 2.5)  # the scores 5 and 0 have the standard deviation 2.5
    assert found.random in (pytest.approx(1.0 / 2.5), pytest.approx(0.0))


def test_the_same_seed_draws_the_same_people() -> None:
    world = planted(ItemKNN)
    first, second = (fidelity(*world, np.random.default_rng(5), most=30) for _ in range(2))
    assert first == second
    assert first.people == 30


def test_ties_count_half() -> None:
    found = Fidelity.of(np.array([1.0, 1.0, 2.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    assert found.wins == 0.5
    assert found.named == found.random
