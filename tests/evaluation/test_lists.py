from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.histories import Histories, Interactions
from kuajie.core.space import ItemSpace
from kuajie.evaluation import lists as module
from kuajie.evaluation.lists import (
    ListSample,
    best_lists,
    coverage,
    gini,
    intra_list_diversity,
    list_metrics,
    novelty,
    people_of_items,
)
from kuajie.evaluation.protocols import leave_one_out
from kuajie.models.popularity import Popularity
from kuajie.testing.planted import two_domain_interactions

LISTS = np.array([[0, 1, 2], [0, 2, -1], [0, -1, -1]], dtype=np.int32)


def test_coverage_and_gini() -> None:
    assert coverage(LISTS, 5) == 3 / 5
    counts = np.array([3, 1, 2, 0, 0])
    expected = np.abs(counts[:, None] - counts[None, :]).sum() / (2 * 5 * counts.sum())
    assert gini(LISTS, 5) == pytest.approx(expected)
    assert gini(np.full((1, 2), -1, np.int32), 3) != gini(LISTS, 5)
    assert np.isnan(gini(np.full((1, 2), -1, np.int32), 3))


def test_novelty_is_the_mean_self_information() -> None:
    support = np.array([8.0, 4, 0, 0, 0])
    bits = [1, 2, 4, 1, 4, 1]  # of 16 people: 8, 4, and 1 for what nobody used
    assert novelty(LISTS, support, 16) == pytest.approx(np.mean(bits))
    assert np.isnan(novelty(LISTS[:0], support, 16))


def test_novelty_counts_people_not_how_often_they_came_back() -> None:
    space = ItemSpace(("书", "车"), (2, 2))
    histories = Histories.from_lists([[0, 0, 0, 0, 1, 2], [1, 0], [1, 3, 3], [2]], 4)
    train = Interactions(space, histories)
    assert train.support()[:2].tolist() == [5, 3]
    assert people_of_items(train, "书").tolist() == [2, 3]
    assert people_of_items(train, "车").tolist() == [2, 1]
    task = leave_one_out(two_domain_interactions(n_people=40)[0], np.random.default_rng(0)).tasks["b"]
    again = two_domain_interactions(n_people=40)[0]
    doubled = Interactions(again.space, repeated(again.histories, 3))
    once, thrice = (ListSample.of(task, data, np.random.default_rng(1)) for data in (again, doubled))
    assert once.support.tolist() == thrice.support.tolist()


def repeated(histories: Histories, times: int) -> Histories:
    """Every entry several times."""
    rows = [np.repeat(items, times).tolist() for items in np.split(histories.items, histories.indptr[1:-1])]
    return Histories.from_lists(rows, histories.n_items)


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    vectors = np.array([[1.0, 0], [3, 4], [0, 0], [0, 2]])
    lists = np.array([[0, 1, 3], [0, 2, -1], [1, -1, -1]], dtype=np.int32)

    def cosine(a: int, b: int) -> float:
        norms = np.linalg.norm(vectors[a]) * np.linalg.norm(vectors[b])
        return vectors[a] @ vectors[b] / norms if norms else 0.0

    means = [np.mean([1 - cosine(a, b) for a, b in combinations(items, 2)]) for items in ([0, 1, 3], [0, 2])]
    assert intra_list_diversity(lists, vectors) == pytest.approx(np.mean(means))
    assert intra_list_diversity(lists, sparse.csr_array(vectors)) == pytest.approx(np.mean(means))
    assert np.isnan(intra_list_diversity(lists[2:], vectors))


def test_lists_hold_nothing_that_the_history_holds() -> None:
    interactions, _, _ = two_domain_interactions(n_people=40)
    split = leave_one_out(interactions, np.random.default_rng(0))
    model, task = Popularity().fit(split.train), split.tasks["b"]
    lists = best_lists(task, lambda histories: model.score(histories, "b"), 5, batch_bytes=300)
    assert lists.shape == (40, 5)
    for row, items in enumerate(lists):
        assert not np.isin(items + 20, task.histories.take([row]).items).any()
    values = list_metrics(lists, split.train.support()[20:], 40, vectors=split.train.matrix("b").T.tocsr())
    assert set(values) == {"coverage", "gini", "novelty", "diversity"}
    assert all(np.isfinite(value) for value in values.values())


def test_a_sample_holds_each_person_once_and_sees_few_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    interactions, _, _ = two_domain_interactions(n_people=40)
    split = leave_one_out(interactions, np.random.default_rng(0))
    model, task = Popularity().fit(split.train), split.tasks["b"]
    doubled = task.take(np.repeat(np.arange(task.n_rows), 2))
    whole = ListSample.of(doubled, split.train, np.random.default_rng(0))
    assert sorted(whole.task.people) == list(range(40))
    assert whole.vectors.shape == (20, 40)
    monkeypatch.setattr(module, "MOST_NEIGHBOURS", 15)
    part = ListSample.of(doubled, split.train, np.random.default_rng(0), most=10)
    assert len(set(part.task.people)) == part.task.n_rows == 10
    assert part.vectors.shape == (20, 15)
    values = part.judge(lambda histories: model.score(histories, "b"))
    assert (values["people"], values["k"]) == (10, 10)
    assert 0 < values["coverage"] <= 1


def test_diversity_does_not_depend_on_how_many_lists_are_added_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lists, vectors = rng.integers(0, 20, (30, 4)).astype(np.int32), rng.random((20, 6))
    whole = intra_list_diversity(lists, vectors)
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 7)
    assert intra_list_diversity(lists, vectors) == pytest.approx(whole)
