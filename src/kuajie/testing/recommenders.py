"""The contract of `core.recommender.Recommender` as a test class: subclass it and name the model's configs.

class TestItemKNN(RecommenderContract):
    configs = (ItemKNNConfig(), ItemKNNConfig(similarity="jaccard"))
"""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.config import Config
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions, Recommender
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.core.statistics import Updatable, changed_rows, updated
from kuajie.models.registry import build, model_class
from kuajie.testing.planted import two_domain_interactions

World = tuple[Interactions, np.ndarray[Any, Any], np.ndarray[Any, Any]]


class RecommenderContract:
    """What every model must do, whatever it learns."""

    configs: ClassVar[tuple[Config, ...]]
    personal: ClassVar[bool] = True
    """False for models that ignore the history."""
    crosses_domains: ClassVar[bool] = True
    """False, with a reason in the subclass, for models that cannot use another domain."""
    scores_unseen: ClassVar[bool] = False
    """True for models that score items which nobody used but something is known of."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test once for each config; all tests of one config share its model."""
        if "config" in metafunc.fixturenames:
            metafunc.parametrize("config", self.configs, ids=str, scope="class")

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World:
        """The planted world."""
        return two_domain_interactions()

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, config: Config, world: World) -> Recommender:
        """The model fitted on the planted world; no test changes anything of it."""
        return build(config).fit(world[0], FitOptions(threads=1))

    def test_scores_have_the_shape_of_the_target(self, model: Recommender, world: World) -> None:
        interactions = world[0]
        for domain in interactions.space.domains:
            part = interactions.space.slice(domain)
            scores = model.score(interactions.histories.take(np.arange(7)), domain)
            assert scores.shape == (7, part.stop - part.start)
            assert scores.dtype == np.float32
            assert np.isfinite(scores).all()

    def test_finds_what_exists_only_through_the_other_domain(self, model: Recommender, world: World) -> None:
        if not self.crosses_domains:
            pytest.skip("the model is target-only by design")
        interactions, topics, item_topics = world
        space = interactions.space
        sources = interactions.histories.without(space.slice("b")).take(np.arange(40))
        scores = model.score(sources, "b")
        fitting = item_topics[space.slice("b")][None, :] == topics[:40, None]
        best = np.argmax(scores, axis=1)
        assert fitting[np.arange(40), best].mean() > 0.95

    def test_a_history_without_known_items_is_all_nan(self, model: Recommender, world: World) -> None:
        if not self.personal:
            pytest.skip("the model needs no history")
        scores = model.score(Histories.from_lists([[], [0, 1]], world[0].space.n_items), "b")
        assert np.isnan(scores[0]).all()
        assert np.isfinite(scores[1]).all()

    def test_items_never_trained_are_nan(self, config: Config, world: World) -> None:
        interactions = world[0]
        dropped = interactions.space.slice("b").start + 3
        histories = interactions.histories.keep(interactions.histories.items != dropped)
        silent = None if interactions.side is None else without_side_of(interactions.side, dropped)
        model = build(config).fit(Interactions(interactions.space, histories, silent), FitOptions(threads=1))
        scores = model.score(histories.take(np.arange(5)), "b")
        assert np.isnan(scores[:, 3]).all()
        assert np.isfinite(np.delete(scores, 3, axis=1)).all()

    def test_described_items_that_nobody_used_reach_who_they_fit(self, config: Config, world: World) -> None:
        if not self.scores_unseen:
            pytest.skip("the model knows nothing of items that nobody used")
        interactions, topics, item_topics = world
        dropped = interactions.space.slice("b").start + 3
        histories = interactions.histories.keep(interactions.histories.items != dropped)
        model = build(config).fit(replace(interactions, histories=histories), FitOptions(threads=1))
        scores = model.score(histories.take(np.arange(40)), "b")
        assert np.isfinite(scores).all()
        fitting = topics[:40] == item_topics[dropped]
        assert scores[fitting, 3].min() > scores[~fitting, 3].max()
        again = type(model).from_arrays(model.config, interactions.space, model.arrays())
        np.testing.assert_allclose(again.score(histories.take([0]), "b"), scores[:1], rtol=1e-4, atol=1e-6)
        unused = model.score(Histories.from_lists([[dropped]], interactions.space.n_items), "a")
        assert item_topics[np.argmax(unused[0])] == item_topics[dropped]

    def test_one_row_scores_as_in_a_batch(self, model: Recommender, world: World) -> None:
        histories = world[0].histories
        together = model.score(histories.take(np.arange(6)), "a")
        alone = model.score(histories.take([4]), "a")
        np.testing.assert_allclose(alone[0], together[4], rtol=1e-4, atol=1e-6)

    def test_explanations_add_up(self, model: Recommender, world: World) -> None:
        history = world[0].histories.take([3])
        items = np.array([0, 5, 11])
        explanation = model.explain(history, "b", items)
        scores = model.score(history, "b")[0, items]
        assert explanation.contributions.shape == (3, len(np.unique(history.items)))
        if explanation.exact:
            total = explanation.contributions.sum(axis=1) + explanation.base
            np.testing.assert_allclose(total, scores, rtol=1e-3, atol=1e-5)

    def test_removing_a_named_item_takes_its_share_away(self, model: Recommender, world: World) -> None:
        history = world[0].histories.take([3])
        items = np.array([0, 5, 11])
        explanation = model.explain(history, "b", items)
        if not explanation.exact:
            pytest.skip("the model marks its shares as approximate")
        before = model.score(history, "b")[0, items]
        for place, item in enumerate(explanation.history_items):
            after = model.score(history.keep(history.items != item), "b")[0, items]
            np.testing.assert_allclose(before - after, explanation.contributions[:, place], rtol=1e-3, atol=1e-4)

    def test_arrays_restore_the_model(self, model: Recommender, world: World) -> None:
        histories = world[0].histories.take(np.arange(9))
        again = type(model).from_arrays(model.config, world[0].space, model.arrays())
        for domain in world[0].space.domains:
            np.testing.assert_allclose(
                again.score(histories, domain), model.score(histories, domain), rtol=1e-4, atol=1e-6
            )

    def test_arrays_are_plain_numbers(self, model: Recommender) -> None:
        for name, array in model.arrays().items():
            assert isinstance(name, str)
            assert array.dtype.kind in "fiub"

    def test_the_same_seed_gives_the_same_model(self, model: Recommender, config: Config, world: World) -> None:
        again = build(config).fit(world[0], FitOptions(threads=1))
        histories = world[0].histories.take(np.arange(9))
        np.testing.assert_array_equal(again.score(histories, "a"), model.score(histories, "a"))

    def test_the_plan_is_a_prediction(self, config: Config, world: World) -> None:
        plan = build(config).plan(DataShape.of(world[0]), FitOptions())
        assert plan.method
        assert plan.memory_bytes > 0
        assert plan.seconds > 0

    def test_the_config_is_registered_under_its_kind(self, config: Config) -> None:
        assert model_class(config.kind).config_type is type(config)  # type: ignore[attr-defined]


def without_side_of(side: SideInformation, item: int) -> SideInformation:
    """The same, but nothing is known of one item."""
    others = np.arange(side.n_items) != item
    keep = sparse.csr_array(sparse.diags_array(others.astype(np.float64)))
    graph = side.graph
    if graph is not None:
        told = (graph.heads != item) & (graph.tails != item)
        graph = replace(graph, heads=graph.heads[told], kinds=graph.kinds[told], tails=graph.tails[told])
    return SideInformation(
        side.n_items,
        {n: [text if other else "" for text, other in zip(t, others, strict=True)] for n, t in side.texts.items()},
        {name: Labels(found.names, (keep @ found.matrix).astype(bool)) for name, found in side.labels.items()},
        {name: np.where(others, values, np.nan) for name, values in side.numbers.items()},
        {name: np.where(others[:, None], rows, np.float32(np.nan)) for name, rows in side.vectors.items()},
        graph,
    )


class UpdatableContract:
    """What models do that follow from sums over people: an exact update equals a fit on everything."""

    configs: ClassVar[tuple[Config, ...]]
    rtol: ClassVar[float] = 1e-3
    """Of float32 inverses; sums are in float64."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test once for each config."""
        if "config" in metafunc.fixturenames:
            metafunc.parametrize("config", self.configs, ids=str)

    def assert_same(self, got: Recommender, wanted: Recommender, histories: Histories, space: ItemSpace) -> None:
        """Both score alike."""
        for domain in space.domains:
            expected = wanted.score(histories, domain)
            size = float(np.nanmax(np.abs(expected), initial=0.0))
            np.testing.assert_allclose(got.score(histories, domain), expected, rtol=self.rtol, atol=1e-4 * size)

    def test_a_fit_follows_from_sums(self, config: Config) -> None:
        interactions = two_domain_interactions()[0]
        model = build(config)
        assert isinstance(model, Updatable)
        wanted = build(config).fit(interactions, FitOptions(threads=1))
        got = model.fit_statistics(model.statistics(interactions), FitOptions(threads=1))
        self.assert_same(got, wanted, interactions.histories.take(np.arange(40)), interactions.space)

    def test_sums_of_parts_add_up(self, config: Config) -> None:
        interactions = two_domain_interactions()[0]
        model = build(config)
        assert isinstance(model, Updatable)
        parts = [
            model.statistics(Interactions(interactions.space, interactions.histories.take(rows)))
            for rows in np.array_split(np.arange(interactions.n_people), 3)
        ]
        together, whole = parts[0] + parts[1] + parts[2], model.statistics(interactions)
        for name, sums in whole.pairs.items():
            np.testing.assert_allclose(together.pairs[name].toarray(), sums.toarray(), rtol=1e-12)
        for name, values in whole.items.items():
            np.testing.assert_allclose(together.items[name], values, rtol=1e-12)
        assert dict(together.totals) == dict(whole.totals)

    @pytest.mark.parametrize("seed", range(5))
    def test_an_update_equals_a_fit_on_the_new_data(self, config: Config, seed: int) -> None:
        old, new, numbers = changed_world(seed)
        model = build(config)
        assert isinstance(model, Updatable)
        changes = changed_rows(old, new, numbers, binary=model.binary)
        assert changes.added.n_people < new.n_people / 2 or not model.binary
        after = updated(model, model.statistics(old), changes, numbers)
        got = model.fit_statistics(after, FitOptions(threads=1))
        wanted = build(config).fit(new, FitOptions(threads=1))
        np.testing.assert_array_equal(got.support_, new.support())  # type: ignore[attr-defined]
        self.assert_same(got, wanted, new.histories.take(np.arange(60)), new.space)


def changed_world(seed: int) -> tuple[Interactions, Interactions, np.ndarray[Any, Any]]:
    """A world before and after a while: items and people come and go, people do more, and strengths decay.

    Returns:
        before, after, and the new number of each item of before (-1: gone).
    """
    rng = np.random.default_rng(seed)
    old = two_domain_interactions(n_people=200, seed=seed)[0]
    sizes = old.space.sizes
    gone = rng.choice(sizes[0], 1)
    space = ItemSpace(old.space.domains, (sizes[0] - 1 + 3, sizes[1] + 2))
    places = (
        rng.permutation(space.sizes[0])[: sizes[0] - 1],
        space.sizes[0] + rng.permutation(space.sizes[1])[: sizes[1]],
    )
    numbers = np.full(sum(sizes), -1)
    numbers[np.setdiff1d(np.arange(sizes[0]), gone)] = places[0]
    numbers[sizes[0] :] = places[1]
    histories = old.histories
    rows = [
        numbers[histories.items[a:b]].tolist() for a, b in zip(histories.indptr, histories.indptr[1:], strict=False)
    ]
    rows = [[item for item in row if item >= 0] for row in rows]
    for person in rng.choice(len(rows), 12, replace=False):
        rows[person] = [*rows[person], *rng.choice(space.n_items, 3).tolist()]
    del rows[7]
    rows += [rng.choice(space.n_items, rng.integers(1, 6)).tolist() for _ in range(9)]
    rows = [rows[place] for place in rng.permutation(len(rows))]
    weights = [(0.7 * np.ones(len(row))).tolist() for row in rows]
    return old, Interactions(space, Histories.from_lists(rows, space.n_items, weights)), numbers
