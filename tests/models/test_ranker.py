import sys
from dataclasses import replace

import numpy as np
import pydantic
import pytest

from kuajie.core.errors import ArtifactError, MissingExtraError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.side import Labels, SideInformation, TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.models.als import ALSConfig
from kuajie.models.answering import Plain, TwoStages, answering
from kuajie.models.blend import Blend, BlendConfig, Member, Mix
from kuajie.models.content import ContentConfig
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.ranker import Generator, Ranker, RankerConfig
from kuajie.models.ranker_stage import FirstStage
from kuajie.models.sequence import SequenceConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract

pytest.importorskip("lightgbm", reason="the extra ml is not installed")

SMALL = RankerConfig(
    generators=(
        Generator(name="knn", model=ItemKNNConfig()),
        Generator(name="popular", model=PopularityConfig(), scope="target"),
    ),
    rounds=20,
    least_rows=20,
)


class TestRankerContract(RecommenderContract):
    configs = (SMALL, SMALL.model_copy(update={"fold": "people"}))


@pytest.fixture(scope="module")
def world():
    return two_domain_interactions()[0]


@pytest.fixture(scope="module")
def ranker(world):
    return Ranker(SMALL).fit(world, FitOptions(threads=1))


def test_candidates_stand_above_the_rest_which_keeps_its_order(world) -> None:
    ranker = Ranker(SMALL.model_copy(update={"depth": 3})).fit(world, FitOptions(threads=1))
    rows = world.histories.take(np.arange(30))
    scores = ranker.score(rows, "b")
    found = ranker.stage.candidates(rows, "b")
    trees = ranker.trees_["b"].predict(found.features)
    for row in range(30):
        chosen = found.items[found.rows == row]
        rest = np.setdiff1d(np.arange(scores.shape[1]), chosen)
        own = trees[found.rows == row]
        np.testing.assert_allclose(scores[row, chosen], 1 + own - own.min(), rtol=1e-5)
        assert scores[row, chosen].min() > scores[row, rest].max()
        np.testing.assert_array_equal(
            np.argsort(-scores[row, rest], kind="stable"), np.argsort(-found.base[row, rest], kind="stable")
        )


def test_a_blend_generates_and_its_members_are_features(world) -> None:
    members = (Member(name="knn", model=ItemKNNConfig()), Member(name="als", model=ALSConfig(factors=4, iterations=2)))
    mixes = tuple(Mix(target=target, weights={"knn": 1.0, "als": 0.5}) for target in ("a", "b"))
    blend = BlendConfig(members=members, mixes=mixes)
    config = RankerConfig(generators=(Generator(name="auto", model=blend),), rounds=5, least_rows=20, targets=("b",))
    ranker = Ranker(config).fit(world, FitOptions(threads=1))
    names = ranker.stage.names("b")
    assert {"auto score", "auto rank", "auto > knn score", "auto > als share of the best score"} <= set(names)
    rows = world.histories.take(np.arange(20))
    assert ranker.stage.candidates(rows, "b").features.shape[1] == len(names)
    assert set(ranker.trees_) == {"b"}
    alone = Blend(blend).fit(world, FitOptions(threads=1)).score(rows, "a")
    got = ranker.score(rows, "a")  # not ranked anew: the blend's order
    np.testing.assert_array_equal(np.argsort(-got, axis=1, kind="stable"), np.argsort(-alone, axis=1, kind="stable"))
    assert RankerConfig.parse(config.model_dump(mode="json"), "") == config


def described(n_people: int = 600, seed: int = 0) -> tuple[Interactions, np.ndarray]:
    """People buy in one price class, labels and a graph say which; the generators know popularity alone."""
    rng = np.random.default_rng(seed)
    space = ItemSpace(("a", "b"), (30, 30))
    level = np.arange(60) % 3
    rows = [
        np.concatenate([rng.choice(np.flatnonzero(level[:30] == p % 3), 4, replace=False),
                        30 + rng.choice(np.flatnonzero(level[30:] == p % 3), 3, replace=False)])
        for p in range(n_people)
    ]  # fmt: skip
    rows = [rng.permutation(row).tolist() for row in rows]
    times = [(1.7e9 + 86_400 * (np.arange(7) + rng.random())).tolist() for _ in rows]
    histories = Histories.from_lists(rows, 60, times=times, at=[t[-1] + 86_400 for t in times], order="joint")
    names = np.array(["便宜", "适中", "昂贵"])
    graph = TripleGraph(60, tuple(names), ("is",), np.arange(60, dtype=np.int32), np.zeros(60, np.int32),
                        (60 + level).astype(np.int32))  # fmt: skip
    side = SideInformation(
        60,
        labels={"category": Labels.of(list(names[level])), "brand": Labels.of(["同一"] * 60)},
        numbers={"price": np.where(rng.random(60) < 0.1, np.nan, 10.0 ** (1 + level))},
        graph=graph,
    )
    return Interactions(space, histories, side), level


@pytest.mark.parametrize("known", ["labels", "price", "graph"])
def test_features_find_what_no_generator_knows(known: str) -> None:
    data, level = described()
    side = SideInformation(
        60,
        labels=data.side.labels if known == "labels" else {},
        numbers=data.side.numbers if known == "price" else {},
        graph=data.side.graph if known == "graph" else None,
    )
    config = RankerConfig(
        generators=(Generator(name="popular", model=PopularityConfig(), scope="target"),), rounds=40, least_rows=20
    )
    ranker = Ranker(config).fit(replace(data, side=side), FitOptions(threads=1))
    sources = data.histories.without(data.space.slice("b")).take(np.arange(90))
    best = np.argmax(ranker.score(sources, "b"), axis=1)
    assert (level[30 + best] == np.arange(90) % 3).mean() > 0.8  # by chance: a third
    again = Ranker.from_arrays(config, data.space, ranker.arrays())
    np.testing.assert_array_equal(again.score(sources, "b"), ranker.score(sources, "b"))
    assert all(np.isfinite(array).all() for array in ranker.arrays().values())


def test_profiles_are_features_of_their_own(world) -> None:
    config = SMALL.model_copy(update={"profile_features": 2})
    ranker = Ranker(config).fit(world, FitOptions(threads=1), profile=lambda h: np.ones((h.n_rows, 2)))
    rows = world.histories.take(np.arange(4))
    assert np.isfinite(ranker.score(rows, "a", np.ones((4, 2)))).all()
    assert np.isfinite(ranker.score(rows, "a")).all()
    with pytest.raises(UsageError, match=r"shape \(4, 2\)"):
        ranker.score(rows, "a", np.ones((4, 3)))


def test_too_few_examples_leave_the_first_generator_its_order() -> None:
    small = two_domain_interactions(n_people=12)[0]
    told: list[str] = []
    options = FitOptions(threads=1, progress=lambda stage, done, total: told.append(str(stage)))
    ranker = Ranker(SMALL.model_copy(update={"depth": 10_000})).fit(small, options)
    assert not ranker.trees_
    assert told == [f"ranker: too few examples for {target}, the first generator decides" for target in ("a", "b")]
    knn = ItemKNN(ItemKNNConfig()).fit(small).score(small.histories, "b")
    np.testing.assert_array_equal(np.argsort(-ranker.score(small.histories, "b")), np.argsort(-knn))


def test_times_that_are_all_the_same_and_a_domain_without_items_teach_nothing() -> None:
    data = two_domain_interactions(n_people=80)[0]
    histories = replace(data.histories, times=np.full(len(data.histories.items), 1.7e9))
    assert not Ranker(SMALL).fit(replace(data, histories=histories), FitOptions(threads=1)).trees_
    space = ItemSpace(("a", "空", "b"), (20, 0, 20))
    mixes = tuple(Mix(target=target, weights={"knn": 1.0}) for target in ("a", "b"))
    blend = BlendConfig(members=(Member(name="knn", model=ItemKNNConfig()),), mixes=mixes)
    config = RankerConfig(generators=(Generator(name="auto", model=blend),), rounds=5, least_rows=20)
    ranker = Ranker(config).fit(Interactions(space, two_domain_interactions()[0].histories), FitOptions(threads=1))
    assert set(ranker.trees_) == {"a", "b"}
    again = Ranker.from_arrays(config, space, ranker.arrays())
    assert np.isfinite(again.score(data.histories.take([0]), "b")).all()


def test_scoring_needs_no_lightgbm_and_learning_says_what_to_install(world, ranker, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    again = Ranker.from_arrays(ranker.config, world.space, ranker.arrays())
    assert np.isfinite(again.score(world.histories.take([0]), "a")).all()
    with pytest.raises(MissingExtraError, match=r"kuajie\[ml\]"):
        Ranker(SMALL).fit(world)


def test_damaged_arrays_are_refused(world, ranker) -> None:
    arrays = ranker.arrays()
    for name in ("trees1.left", "facts.price", "ordered"):
        with pytest.raises(ArtifactError):
            Ranker.from_arrays(ranker.config, world.space, {k: a for k, a in arrays.items() if k != name})


def test_generators_need_distinct_names_and_one_without_order() -> None:
    ordered = Generator(name="s", model=SequenceConfig(), ordered=True)
    for generators in ((ordered,), (SMALL.generators[0], SMALL.generators[0])):
        with pytest.raises(pydantic.ValidationError, match="distinct names"):
            RankerConfig(generators=generators)


def test_new_items_that_only_content_knows_are_ranked() -> None:
    """Through a ranker over a blend with content: unused items are candidates, and histories of them are read."""
    data, level = described()
    new = 33
    side = replace(data.side, texts={"title": tuple(np.array(["便宜 实惠", "适中 普通", "昂贵 豪华"])[level])})
    data = replace(data, side=side, histories=data.histories.keep(data.histories.items != new))
    members = (Member(name="content", model=ContentConfig()), Member(name="popular", model=PopularityConfig()))
    mixes = tuple(Mix(target=target, weights={"content": 1.0, "popular": 0.1}) for target in ("a", "b"))
    config = RankerConfig(
        generators=(Generator(name="auto", model=BlendConfig(members=members, mixes=mixes)),), rounds=5, least_rows=20
    )
    ranker = Ranker(config).fit(data, FitOptions(threads=1))
    assert set(ranker.trees_) == {"a", "b"}
    again = Ranker.from_arrays(config, data.space, ranker.arrays())
    for model in (ranker, again):
        assert np.isfinite(model.score(data.histories.take(np.arange(9)), "b")).all()
        assert np.isfinite(model.score(Histories.from_lists([[new]], 60), "a")).all()
    assert new - 30 in ranker.stage.candidates(data.histories.take([0]), "b").items


def test_the_best_items_carry_reasons(ranker, world) -> None:
    spoken = 0
    for target in ("a", "b"):
        for person in range(10):
            history = world.histories.take([person])
            scores = ranker.score(history, target)[0]
            best = np.argsort(-scores)[:10]
            explanation = ranker.explain(history, target, best)
            assert (scores[best] > 0).all()
            parts = np.maximum(explanation.contributions, 0)
            assert (explanation.base >= 0).all()
            assert (np.maximum(parts.max(axis=1), explanation.base) > 0).all()
            assert (parts.sum(axis=1) + explanation.base <= scores[best] * (1 + 1e-6)).all()
            spoken += int((parts > 0).any())
    assert spoken, "for somebody, something in the history speaks for something"


def test_a_fall_is_what_the_trees_say_without_the_item(ranker, world) -> None:
    history = world.histories.take([3])
    found = ranker.stage.candidates(history, "b")
    distinct = np.unique(history.items).astype(np.int32)
    falls = ranker._falls(history, "b", found.items[:4], distinct)
    before = ranker.trees_["b"].predict(found.features)[:4]
    without = history.keep(history.items != distinct[0])
    after = ranker.trees_["b"].predict(ranker.stage.candidates(without, "b", only=found.items[:4]).features)
    np.testing.assert_allclose(falls[:, 0], before - after, atol=1e-6)


def test_of_a_long_history_the_heaviest_entries_are_removed(ranker, world, monkeypatch) -> None:
    history = Histories.from_lists([list(range(12))], world.space.n_items)
    history = history.with_weights(np.array([1, 1, 5, *[1] * 9], np.float32))
    monkeypatch.setattr("kuajie.models.ranker.REMOVED", 3)
    rows = []
    candidates = FirstStage.candidates
    monkeypatch.setattr(
        FirstStage, "candidates",
        lambda self, copies, *a, **k: rows.append(copies) or candidates(self, copies, *a, **k),
    )  # fmt: skip
    ranker._falls(history, "b", np.array([0, 1]), np.arange(12, dtype=np.int32))
    gone = [set(range(12)) - set(rows[0].take([row]).items.tolist()) for row in range(4)]
    assert gone == [set(), {2}, {11}, {10}]


def test_what_answers_scores_once_and_says_what_the_ranker_says(ranker, world, monkeypatch) -> None:
    history = world.histories.take([3])
    plain, quick = Plain(ranker).answer(history, "b", 5), answering(ranker)
    assert isinstance(quick, TwoStages)
    calls, score = [], Ranker.score
    monkeypatch.setattr(Ranker, "score", lambda self, *given: calls.append(1) or score(self, *given))
    found = quick.answer(history, "b", 5)
    assert len(calls) == 1
    assert plain is not None
    assert found is not None
    assert plain.explanation is not None
    assert found.explanation is not None
    np.testing.assert_array_equal(found.places, plain.places)
    np.testing.assert_array_equal(found.explanation.contributions, plain.explanation.contributions)
    np.testing.assert_array_equal(found.explanation.base, plain.explanation.base)


def test_a_second_fit_serves_what_it_learned(world) -> None:
    again = Ranker(SMALL).fit(world, FitOptions(threads=1))
    first = again.score(world.histories.take([0, 1]), "b")  # the stage is kept
    other = two_domain_interactions(seed=3)[0]
    again.fit(other, FitOptions(threads=1))
    fresh = Ranker(SMALL).fit(other, FitOptions(threads=1))
    for asked in (world.histories.take([0, 1]), other.histories.take([0, 1])):
        np.testing.assert_array_equal(again.score(asked, "b"), fresh.score(asked, "b"))
    assert not np.array_equal(first, again.score(world.histories.take([0, 1]), "b"), equal_nan=True)
