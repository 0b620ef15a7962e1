import numpy as np
import pytest

from kuajie.evaluation.weights import (
    MemberScores,
    climb,
    fit_weights,
    logit_weights,
    ndcg_along,
    pruned,
    refine,
    row_ndcg,
)


def members(n_rows: int = 600, width: int = 60, seed: int = 0) -> MemberScores:
    """Three members: two see different halves of the truth, the third is noise."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(3, n_rows, width)).astype(np.float32)
    scores[0, :, 0] += 1.5
    scores[1, :, 0] += 1.0
    return MemberScores(("strong", "weak", "noise"), scores, np.ones((n_rows, width), dtype=bool))


def slow_ndcg(total: np.ndarray, k: int) -> np.ndarray:
    values = []
    for row in total:
        rank = 1 + sum(other > row[0] for other in row[1:]) + sum(other == row[0] for other in row[1:]) / 2
        values.append(1 / np.log2(rank + 1) if rank <= k else 0.0)
    return np.array(values)


def test_row_ndcg_is_the_slow_one_with_ties_and_unknown_candidates() -> None:
    rng = np.random.default_rng(1)
    total = rng.integers(0, 6, (50, 20)).astype(np.float32)
    total[rng.random((50, 20)) < 0.2] = -np.inf
    np.testing.assert_allclose(row_ndcg(total, 5), slow_ndcg(total, 5))


def test_ndcg_along_tries_every_change() -> None:
    given = members(40)
    total = given.total(np.array([1.0, 0.5, 0.0]))
    changes = np.array([0.0, 0.7, -0.3], dtype=np.float32)
    expected = [slow_ndcg(total + change * given.scores[2], 10).mean() for change in changes]
    np.testing.assert_allclose(ndcg_along(total, given.scores[2], changes, 10, threads=2), expected)


def test_the_logit_weights_are_the_log_likelihood_ratio() -> None:
    # normal scores shifted by d for the positive: the likelihood ratio is exp(d * score), so weights are as 1.5 : 1 : 0
    weights = logit_weights(members(4_000))
    np.testing.assert_allclose(weights / weights[0], [1, 2 / 3, 0], atol=0.06)


def test_fitted_weights_beat_every_member_on_other_people() -> None:
    fitted, other = fit_weights(members(seed=0)), members(seed=9)
    alone = [row_ndcg(other.total(weights)).mean() for weights in np.eye(3)]
    assert row_ndcg(other.total(fitted)).mean() > max(alone) * 1.05
    assert fitted.sum() == pytest.approx(1)
    assert (fitted >= 0).all()


def test_climbing_never_ends_below_its_start() -> None:
    given = members()
    start = np.array([0.1, 0.1, 0.8])
    before = row_ndcg(given.total(start)).mean()
    assert row_ndcg(given.total(climb(given, start))).mean() > before


def test_nobody_usable_gives_equal_weights() -> None:
    given = members(5)
    unknown = MemberScores(given.names, given.scores, np.zeros_like(given.known))
    np.testing.assert_allclose(logit_weights(unknown), 1 / 3)


def test_members_that_hardly_help_are_dropped_and_the_others_stay() -> None:
    given = members()
    weights = pruned(given, np.array([0.6, 0.395, 0.005]), 10)
    assert weights[2] == 0
    assert (weights[:2] > 0).all()
    assert weights.sum() == pytest.approx(1)
    assert pruned(given, np.array([1.0, 0.0, 0.0]), 10).tolist() == [1, 0, 0]  # somebody has to score


def test_counting_that_stops_early_finds_the_same_ndcg_in_wide_rows() -> None:
    rng = np.random.default_rng(3)
    total = rng.integers(0, 40, (60, 200)).astype(np.float32)
    total[:30, 0] = 39
    np.testing.assert_allclose(row_ndcg(total, 10), slow_ndcg(total, 10))


def test_the_hardest_candidates_say_what_all_of_them_say() -> None:
    given = members(300, 120, seed=4)
    known = given.known.copy()
    known[:, 100:] = False
    given = MemberScores(given.names, given.scores, known)
    fewer = given.hardest(60)
    assert fewer.scores.shape == (3, 300, 60)
    np.testing.assert_array_equal(fewer.scores[:, :, 0], given.scores[:, :, 0])
    assert fewer.known.all(), "what nobody knows goes first"
    for weights in np.array([[1, 0, 0], [0.6, 0.4, 0], [0.4, 0.4, 0.2]]):
        np.testing.assert_allclose(
            row_ndcg(fewer.total(weights)).mean(), row_ndcg(given.total(weights)).mean(), atol=2e-3
        )


def test_refining_lets_nobody_join() -> None:
    refined = refine(members(), np.array([0.0, 0.9, 0.1]), 10)
    assert refined[0] == 0
    assert refined.sum() == pytest.approx(1)
