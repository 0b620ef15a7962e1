"""Counting and metrics against enumerated orders of ties."""

from itertools import pairwise, permutations
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.space import ItemSpace
from kuajie.data.rows import Rows
from kuajie.evaluation.candidates import with_candidates
from kuajie.evaluation.metrics import mean_metrics, row_metric, row_metrics
from kuajie.evaluation.ranking import Ranks, rank_task
from kuajie.evaluation.tasks import RankingTask, build_task

NAN = float("nan")
SPACE = ItemSpace(("a", "b"), (50, N := 5))


def task_of(asked: list[tuple[int, int]], known: list[tuple[int, int]], n_people: int = 3) -> RankingTask:
    """Asked and known items of domain b; everybody's history starts with an item of their own in domain a."""

    def make(entries: list[tuple[int, int]]) -> Rows:
        table = np.array(entries).reshape(-1, 2)
        return Rows(table[:, 0].astype(np.int64), table[:, 1].astype(np.int32))

    own = [(person, person) for person in range(n_people)]
    in_b = [(person, item + 50) for person, item in known]
    return build_task(SPACE, "b", make([(p, i + 50) for p, i in asked]), make(own + in_b), "none", n_people)


def slow_values(scores: list[float], positive: int, candidates: list[int]) -> dict[str, float]:
    """Means over all orders of the candidates that respect the scores; unknown scores come last."""
    keys = {item: (not np.isnan(scores[item]), np.nan_to_num(scores[item], neginf=-9)) for item in range(N)}
    values: dict[str, list[float]] = {name: [] for name in NAMES}
    for order in permutations([positive, *candidates]):
        if any(keys[first] < keys[second] for first, second in pairwise(order)):
            continue
        rank = order.index(positive) + 1
        for name in NAMES:
            base, _, k = name.partition("@")
            inside = not k or rank <= int(k)
            values[name].append(
                {
                    "hr": float(inside),
                    "recall": float(inside),
                    "precision": inside / int(k or 1),
                    "ndcg": inside / log2(rank + 1),
                    "map": inside / rank,
                    "mrr": 1 / rank,
                    "auc": (len(candidates) - rank + 1) / len(candidates) if candidates else NAN,
                }[base]
            )
    return {name: float(np.mean(found)) for name, found in values.items()}


SCORE = st.sampled_from([NAN, 0.0, 0.5, 1.0, -np.inf, 2.0])
NAMES = ("hr@2", "ndcg@2", "ndcg@10", "mrr", "recall@1", "precision@3", "map@2", "auc")


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.lists(SCORE, min_size=N, max_size=N), min_size=3, max_size=3),
    known=st.sets(st.tuples(st.integers(0, 2), st.integers(0, N - 1)), max_size=6),
    asked=st.lists(st.tuples(st.integers(0, 2), st.integers(0, N - 1)), min_size=1, max_size=4),
    mode=st.sampled_from(["full", "sampled"]),
)
def test_metrics_are_expectations_over_orders_of_ties(scores, known, asked, mode) -> None:
    task = task_of(asked, sorted(known))
    if mode == "sampled":
        task = with_candidates(task, "sampled-99", seed=3)
    table = np.array(scores, dtype=np.float32)
    values = row_metrics(rank_task(task, lambda histories: table[people_of(histories)], batch_bytes=48), NAMES)
    for row in range(task.n_rows):
        positive = int(task.positives[row])
        candidates = [item for item in range(N) if item not in {*task.excluded.row(row).tolist(), positive}]
        expected = slow_values(table[task.people[row]].tolist(), positive, candidates)
        np.testing.assert_allclose([values[name][row] for name in NAMES], list(expected.values()), rtol=1e-9)


def people_of(histories: Histories) -> np.ndarray:
    """Whose histories these are: person p's history starts with item p of domain a."""
    return histories.items[histories.indptr[:-1]]


def test_unknown_scores_share_the_last_ranks() -> None:
    task = task_of([(0, 0), (0, 1)], [])
    ranks = rank_task(task, lambda h: np.array([[NAN, 1.0, NAN, 2.0, -np.inf]], dtype=np.float32))
    np.testing.assert_array_equal(ranks.better, [2, 1])  # the other asked item is no candidate
    np.testing.assert_array_equal(ranks.tied, [1, 0])
    np.testing.assert_array_equal(ranks.others, [3, 3])


def test_a_model_that_knows_nothing_is_right_as_often_as_chance() -> None:
    task = task_of([(0, 0)], [])
    ranks = rank_task(task, lambda h: np.full((1, N), NAN, dtype=np.float32))
    assert mean_metrics(ranks, ["hr@2", "auc"]) == pytest.approx({"hr@2": 2 / 5, "auc": 0.5})


def test_threads_and_batches_change_nothing() -> None:
    rng = np.random.default_rng(0)
    asked = [(p, int(i)) for p in range(50) for i in rng.choice(N, 2, replace=False)]
    task = task_of(asked, [(p, int(rng.integers(N))) for p in range(50)], n_people=50)
    table = rng.integers(0, 3, (task.histories.n_rows, N)).astype(np.float32)
    calls = []

    def score(histories: Histories) -> np.ndarray:
        start = sum(calls)
        calls.append(histories.n_rows)
        return table[start : start + histories.n_rows]

    whole = rank_task(task, score)
    calls.clear()
    parts = rank_task(task, score, batch_bytes=100, threads=3)
    assert len(calls) > 1
    np.testing.assert_array_equal(whole.better, parts.better)
    np.testing.assert_array_equal(whole.tied, parts.tied)


def test_scores_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(UsageError, match=r"shape .*\(1, 5\), got \(1, 4\)"):
        rank_task(task_of([(0, 0)], []), lambda h: np.zeros((1, 4), dtype=np.float32))


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "mrr@5", "hr@x", "f1@3", ""])
def test_unknown_metrics_are_refused(name) -> None:
    with pytest.raises(UsageError, match="metrics are"):
        row_metric(Ranks(*(np.zeros(1, np.int64) for _ in range(3))), name)


def test_no_rows_have_no_mean() -> None:
    empty = Ranks(*(np.zeros(0, np.int64) for _ in range(3)))
    assert np.isnan(list(mean_metrics(empty, ["hr@10", "mrr", "auc"]).values())).all()
