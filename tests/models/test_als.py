from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import ArtifactError, ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.models.als import ALS, ALSConfig, learn_mapping
from kuajie.models.als_factors import Objective, Scales, active_domains, patterns_of, train
from kuajie.numerics.threads import blas_threads
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract


class TestALSContract(RecommenderContract):
    configs = (
        ALSConfig(factors=16),
        ALSConfig(factors=8, absent=False, binary=False, frequency_power=1),
        ALSConfig(factors=8, prior=True),
    )


def partly_linked(seed: int = 0) -> tuple[sparse.csr_array, ItemSpace]:
    rng = np.random.default_rng(seed)
    dense = (rng.random((40, 12)) < 0.4) * rng.integers(1, 4, (40, 12)).astype(np.float32)
    dense[:10, :7], dense[10:20, 7:] = 0, 0
    return sparse.csr_array(dense.astype(np.float32)), ItemSpace(("a", "b"), (7, 5))


def loss(x: np.ndarray, y: np.ndarray, w: np.ndarray, a: np.ndarray, reg_x: np.ndarray, reg_y: np.ndarray) -> float:
    """The objective of `als_factors`, pair by pair; a is (n_people, n_items)."""
    s = x @ y.T
    return float(np.sum(w * (1 - s) ** 2 + a * s**2) + reg_x @ np.sum(x**2, axis=1) + reg_y @ np.sum(y**2, axis=1))


@pytest.mark.parametrize("absent", [True, False])
def test_training_ends_where_the_objective_is_flat(absent: bool) -> None:
    matrix, space = partly_linked()
    objective = Objective(zeros=3.0, regularization=0.7, frequency_power=0.5, absent=absent)
    x, learned = train(matrix, space, objective, 3, 400, FitOptions(seed=1, threads=1))
    w, domains = matrix.toarray().astype(float), space.domain_of(np.arange(12))
    counted = active_domains(matrix, space) | absent
    a = counted[:, domains] * learned.scales.unobserved[domains]
    c_x, c_y = (w + a).sum(axis=1), (w + a).sum(axis=0)
    typical_x = counted @ learned.scales.typical
    typical_y = np.array([c_y[domains == d].mean() for d in (0, 1)])[domains]
    reg_x = 0.7 * np.sqrt(c_x / np.maximum(typical_x, 1e-9))
    reg_y = 0.7 * np.sqrt(c_y / typical_y)
    y, step, rng = learned.factors.astype(float), 1e-4, np.random.default_rng(0)
    for _ in range(5):
        dx, dy = rng.standard_normal(x.shape), rng.standard_normal(y.shape)
        slope = (
            loss(x + step * dx, y + step * dy, w, a, reg_x, reg_y)
            - loss(x - step * dx, y - step * dy, w, a, reg_x, reg_y)
        ) / (2 * step)
        assert abs(slope) < 0.02 * loss(x, y, w, a, reg_x, reg_y) / np.sqrt(x.size + y.size)


def test_scales_are_found_in_the_data() -> None:
    matrix = sparse.csr_array(np.array([[1, 2, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], np.float32))
    space = ItemSpace(("a", "b"), (3, 1))
    known = Scales.of(matrix, space, Objective(6.0, 1.0, 0.5, absent=False))
    # domain a: weight 4 over 2 people x 2 trained items; domain b: weight 1 over 1 person x 1 item
    np.testing.assert_allclose(known.unobserved, [6 * 4 / 4, 6 * 1 / 1])
    np.testing.assert_allclose(known.typical, [4 / 2 + 6 * 2, 1 + 6])
    everybody = Scales.of(matrix, space, Objective(6.0, 1.0, 0.5, absent=True))
    np.testing.assert_allclose(everybody.unobserved, [6 * 4 / 6, 6 * 1 / 3])


def test_folding_in_a_training_row_gives_its_training_factors() -> None:
    interactions, _, _ = two_domain_interactions(n_people=120)
    model = ALS(ALSConfig(factors=6, iterations=200)).fit(interactions, FitOptions(threads=1))
    matrix = interactions.matrix()
    x, learned = train(matrix, interactions.space, model._objective, 6, 200, FitOptions(threads=1))
    np.testing.assert_allclose(learned.fold_in(matrix), x, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("config", [ALSConfig(factors=6), ALSConfig(factors=6, prior=True)], ids=["joint", "prior"])
def test_contributions_and_base_sum_to_the_score_and_are_marked_approximate(config: ALSConfig) -> None:
    interactions, _, _ = two_domain_interactions(n_people=120)
    model = ALS(config).fit(interactions)
    items = np.arange(20)
    whole = interactions.histories.take([3])
    for history in (whole, whole.only(interactions.space.slice("a")), whole.only(interactions.space.slice("b"))):
        explanation = model.explain(history, "b", items)
        total = explanation.contributions.sum(axis=1) + explanation.base
        np.testing.assert_allclose(total, model.score(history, "b")[0], rtol=1e-3, atol=1e-4)
        assert not explanation.exact


def test_a_cold_person_stands_at_the_mapped_taste_and_moves_to_their_own_with_history() -> None:
    interactions, _, item_topics = two_domain_interactions()
    space = interactions.space
    model = ALS(ALSConfig(factors=8, prior=True, prior_weight=0.5, zeros=2.0)).fit(interactions)
    liked_in_a = np.flatnonzero(item_topics[:20] == 0)[:3].tolist()
    other_in_b = (20 + np.flatnonzero(item_topics[20:] == 1)).tolist()
    of_topic = [np.flatnonzero(item_topics[20:] == topic) for topic in (0, 1)]
    gaps = []
    for n in range(5):  # the same courses, and ever more products of another topic
        scores = model.score(Histories.from_lists([liked_in_a + other_in_b[:n]], space.n_items), "b")[0]
        unseen = np.setdiff1d(of_topic[1], np.array(other_in_b[:n]) - 20)
        gaps.append(scores[of_topic[0]].mean() - scores[unseen].mean())
    assert gaps[0] > 0.05  # cold: what the courses say
    assert gaps[-1] < 0  # known: what the products say
    assert all(np.diff(gaps) < 0)


def test_an_endless_prior_weight_ignores_the_own_history() -> None:
    interactions, _, _ = two_domain_interactions(n_people=120)
    model = ALS(ALSConfig(factors=6, prior=True, prior_weight=1e9)).fit(interactions)
    history = interactions.histories.take([5])
    cold = history.without(interactions.space.slice("b"))
    np.testing.assert_allclose(model.score(history, "b"), model.score(cold, "b"), rtol=1e-3, atol=1e-4)


def test_the_mapping_is_found_where_there_is_one() -> None:
    rng = np.random.default_rng(0)
    a, turn = rng.standard_normal((300, 4)), rng.standard_normal((4, 4))
    b = a @ turn + 0.5
    active = np.ones((300, 2), np.bool_)
    active[:100, 0], active[100:150, 1] = False, False
    mapping = learn_mapping([a.astype(np.float32), b.astype(np.float32)], active, 1e-6)
    np.testing.assert_allclose(mapping[0, 1, :4], turn, atol=1e-3)
    np.testing.assert_allclose(mapping[0, 1, 4], np.full(4, 0.5), atol=1e-3)
    assert (mapping[0, 0] == 0).all()


def test_without_linked_people_the_prior_says_nothing() -> None:
    space = ItemSpace(("a", "b"), (2, 2))
    interactions = Interactions(space, Histories.from_lists([[0, 1], [0], [2, 3], [3]], 4))
    model = ALS(ALSConfig(factors=2, prior=True)).fit(interactions)
    np.testing.assert_array_equal(model.score(Histories.from_lists([[0]], 4), "b"), [[0, 0]])


def test_patterns_name_each_set_of_domains_once() -> None:
    active = np.array([[1, 0], [1, 1], [1, 0], [0, 0]], np.bool_)
    table, patterns = patterns_of(active, absent=False)
    np.testing.assert_array_equal(table[patterns], active)
    assert len(table) == 3
    many = np.random.default_rng(0).random((50, 11)) < 0.5
    table, patterns = patterns_of(many, absent=False)
    np.testing.assert_array_equal(table[patterns], many)


def test_damaged_arrays_are_refused() -> None:
    interactions, _, _ = two_domain_interactions(n_people=40)
    model = ALS(ALSConfig(factors=4, prior=True, iterations=1)).fit(interactions)
    arrays = model.arrays()
    with pytest.raises(ArtifactError, match=r"'factors' must have the shape \(40, 4\), got \(40, 3\)"):
        ALS.from_arrays(model.config, interactions.space, {**arrays, "factors": np.zeros((40, 3), np.float32)})
    with pytest.raises(ArtifactError, match=r"'mapping' must have the shape .* got nothing"):
        ALS.from_arrays(model.config, interactions.space, {k: v for k, v in arrays.items() if k != "mapping"})


def test_the_plan_refuses_what_does_not_fit() -> None:
    shape = DataShape(1_000_000, 20_000_000, ItemSpace(("a", "b"), (10_000, 5_000)))
    with pytest.raises(ResourceError, match=r"als with 64 factors for 1,000,000 people needs some 1\.6 GiB"):
        ALS().plan(shape, FitOptions(memory_bytes=2**30))


@pytest.mark.slow
def test_the_objective_falls_as_low_as_with_the_implicit_package() -> None:
    als = pytest.importorskip("implicit.cpu.als")
    rng = np.random.default_rng(0)
    taste = rng.standard_normal((3_000, 6)) @ rng.standard_normal((6, 400)) + rng.standard_normal(400)
    used = taste > np.quantile(taste, 0.96)
    matrix = sparse.csr_array(used[:, used.any(axis=0)].astype(np.float32))
    alpha, reg, rank, iterations = 10.0, 2.0, 16, 15
    with blas_threads(1):
        theirs = als.AlternatingLeastSquares(
            factors=rank, regularization=reg, alpha=alpha, iterations=iterations, num_threads=1, random_state=0
        )  # fmt: skip
        theirs.fit(sparse.csr_matrix(matrix), show_progress=False)
    # theirs: gram + (alpha - 1) per entry, right side alpha per entry; divide by alpha - 1 and scale scores by kappa
    kappa = alpha / (alpha - 1)
    density = matrix.nnz / np.prod(matrix.shape)
    objective = Objective(1 / (alpha - 1) / density, reg / alpha, 0.0, absent=True)
    space = ItemSpace(("all",), (matrix.shape[1],))
    x, learned = train(matrix, space, objective, rank, iterations, FitOptions(threads=1))
    np.testing.assert_allclose(learned.scales.unobserved, 1 / (alpha - 1), rtol=1e-6)
    w = matrix.toarray().astype(float)
    rest = np.full_like(w, 1 / (alpha - 1)), np.full(len(w), reg / alpha), np.full(w.shape[1], reg / alpha)
    ours = loss(x.astype(float), learned.factors.astype(float), w, *rest)
    peer = [f.astype(float) / np.sqrt(kappa) for f in (theirs.user_factors, theirs.item_factors)]
    assert ours < 1.01 * loss(*peer, w, *rest)


def test_seeds_change_the_start_only() -> None:
    interactions, _, _ = two_domain_interactions(n_people=120)
    config = ALSConfig(factors=6, iterations=30)
    first, second = (ALS(config).fit(interactions, replace(FitOptions(), seed=seed)) for seed in (0, 1))
    histories = interactions.histories.take(np.arange(10))
    one, two = first.score(histories, "b"), second.score(histories, "b")
    assert not np.array_equal(one, two)
    np.testing.assert_allclose(one, two, atol=0.1)
