"""Answers for one history are what the model scores and explains, however they are computed."""

import numpy as np
import pytest

from kuajie.core.histories import Histories
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.models.als import ALS, ALSConfig
from kuajie.models.als_single import responses
from kuajie.models.answering import Fast, Plain, answering, best_places
from kuajie.models.blend import Blend, BlendConfig, Member, Mix, removal_changes_mix
from kuajie.models.ease import EASEConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.merged import MergedConfig, merge
from kuajie.models.popularity import PopularityConfig
from kuajie.models.sequence import SequenceConfig
from kuajie.models.userknn import UserKNNConfig
from kuajie.numerics.single import best_of
from kuajie.testing.planted import two_domain_interactions

MEMBERS = (
    Member(name="als", model=ALSConfig(factors=8, iterations=3), scope="joint"),
    Member(name="als-known", model=ALSConfig(factors=4, iterations=3, absent=False, binary=False), scope="joint"),
    Member(name="als-target", model=ALSConfig(factors=6, iterations=3), scope="target"),
    Member(name="als-source", model=ALSConfig(factors=6, iterations=3), scope="source"),
    Member(name="als-prior", model=ALSConfig(factors=6, iterations=3, prior=True), scope="joint"),
    Member(name="sequence", model=SequenceConfig(half_life_positions=2.0), scope="target"),
    Member(name="knn", model=ItemKNNConfig(), scope="source"),
    Member(name="ease", model=EASEConfig(), scope="joint"),
    Member(name="popular", model=PopularityConfig(), scope="target"),
)
ALL = {member.name: 1.0 + place / 10 for place, member in enumerate(MEMBERS)}
SETS = {
    "all": ALL,
    **{member.name: {member.name: 0.7} for member in MEMBERS},
}


@pytest.fixture(scope="module")
def world():
    return two_domain_interactions()[0]


def merged(world, weights: dict[str, float], **settings: int) -> Recommender:
    members = tuple(member for member in MEMBERS if member.name in weights)
    few = {name: weight * (1 + place) for place, (name, weight) in enumerate(weights.items())}
    mixes = tuple(Mix(target=t, at_least=n, weights=w) for t in ("a", "b") for n, w in ((0, few), (3, weights)))
    config = BlendConfig(members=members, mixes=mixes)
    return merge(Blend(config).fit(world, FitOptions()), MergedConfig(blend=config, **settings))


def histories(world) -> list[Histories]:
    n_items, rng = world.space.n_items, np.random.default_rng(5)
    part = world.space.slice("a")
    rows = [world.histories.take([row]) for row in range(10)]
    odd = [[], [0], [0, 0, 1, 0], [part.stop], list(range(n_items)), rng.integers(0, n_items, 60).tolist()]
    weights = [[1.0 + (place % 3) for place, _ in enumerate(row)] for row in odd]
    rows += [Histories.from_lists([row], n_items, [w]) for row, w in zip(odd, weights, strict=True)]
    return [*rows, Histories.from_lists([[2, 3]], n_items, [[0.0, 1.0]]), Histories.from_lists([[2]], n_items, [[0.0]])]


@pytest.mark.parametrize("settings", [{}, {"dense_bytes": 0, "top_k": 15}], ids=["dense", "sparse"])
@pytest.mark.parametrize("weights", SETS.values(), ids=SETS)
def test_the_fast_way_answers_as_the_plain_one(world, weights: dict[str, float], settings: dict[str, int]) -> None:
    model = merged(world, weights, **settings)
    fast, plain = answering(model), Plain(model)
    assert isinstance(fast, Fast)
    answered = 0
    for history in histories(world):
        for target in world.space.domains:
            expected, got = plain.answer(history, target, 7), fast.answer(history, target, 7)
            assert (expected is None) == (got is None)
            if expected is None or got is None:
                continue
            answered += len(got.places)
            scale = float(np.nanmax(np.abs(model.score(history, target))))
            # the plain way of ALS stops its conjugate gradients at float32 precision; terms are solved exactly in both
            np.testing.assert_allclose(got.scores, expected.scores, atol=3e-3 * scale)
            again = model.explain(history, target, got.places)
            assert got.explanation is not None
            assert got.explanation.exact == again.exact
            np.testing.assert_array_equal(got.explanation.history_items, again.history_items)
            np.testing.assert_allclose(got.explanation.contributions, again.contributions, atol=5e-4 * scale)
            np.testing.assert_allclose(got.explanation.base, again.base, atol=5e-4 * scale)
            seen = set(history.items - world.space.slice(target).start)
            assert not seen & set(got.places.tolist())
    assert answered > 50


def test_models_that_cannot_be_taken_apart_are_asked_plainly(world) -> None:
    config = BlendConfig(
        members=(Member(name="user", model=UserKNNConfig(), scope="joint"),),
        mixes=tuple(Mix(target=t, weights={"user": 1.0}) for t in ("a", "b")),
    )
    assert isinstance(answering(merge(Blend(config).fit(world))), Plain)
    answer = answering(ALS(ALSConfig(factors=4)).fit(world)).answer(world.histories.take([0]), "b", 3)
    assert answer is not None
    assert len(answer.places) == 3


@pytest.mark.parametrize("size", [1, 3, 12])
def test_responses_solve_the_system_that_is_written_down(size: int) -> None:
    rng = np.random.default_rng(0)
    y, w, d = rng.normal(size=(size, 5)), rng.uniform(0.5, 3, size), rng.uniform(0.1, 2, 5)
    inverse = np.linalg.inv(np.diag(d) + y.T @ np.diag(w) @ y)
    np.testing.assert_allclose(responses(y, w, d), np.diag(w) @ y @ inverse, rtol=1e-8)


def test_the_best_places_leave_out_what_is_unknown_and_break_ties_by_number() -> None:
    scores = np.array([1.0, np.nan, 3.0, 3.0, 0.5], dtype=np.float32)
    assert best_places(scores, 2).tolist() == [2, 3]
    assert best_places(scores, 9).tolist() == [2, 3, 0, 4]
    assert best_places(np.full(3, np.nan, np.float32), 2).tolist() == []


@pytest.mark.parametrize("k", [1, 3, 8, 50])
def test_the_best_of_a_history_are_the_best_places_of_what_is_left(k: int) -> None:
    rng = np.random.default_rng(k)
    for _ in range(50):
        scores = rng.integers(-2, 3, 12).astype(np.float32)  # many ties
        unknown, items = rng.random(12) < 0.3, rng.integers(0, 30, 5).astype(np.int32)
        left = np.where(unknown, np.float32(np.nan), scores)
        left[items[(items >= 7) & (items < 19)] - 7] = np.nan
        np.testing.assert_array_equal(best_of(scores.copy(), unknown, items, 7, k), best_places(left, k))
    assert not len(best_of(np.zeros(4, np.float32), np.zeros(4, bool), np.zeros(0, np.int32), 0, k))


@pytest.mark.parametrize(
    ("items", "limits", "changes"),
    [
        ([5], (0, 1), True),
        ([5, 6, 7, 8], (0, 3), False),
        ([5, 6, 7, 8], (0, 4), True),
        ([5, 5, 5, 6], (0, 3), True),  # without item 5 one is left
        ([5, 5, 6, 7], (0, 3), True),
        ([5, 5, 6, 7], (0, 2), False),
        ([1, 2], (0, 1), False),  # nothing of the target
    ],
)
def test_an_item_with_its_repeats_may_move_a_history_into_another_mix(
    items: list[int], limits: tuple[int, ...], changes: bool
) -> None:
    assert removal_changes_mix(np.array(items), slice(5, 9), limits) is changes
