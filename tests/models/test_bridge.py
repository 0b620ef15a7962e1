"""The bridge: translation by texts or the graph, then the target's own model."""

from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.config import Config
from kuajie.core.errors import DataError, ResourceError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.models.bridge import Bridge, BridgeConfig, built
from kuajie.models.content import ContentConfig
from kuajie.models.diffusion import DiffusionConfig
from kuajie.models.ease import EASEConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.metapath import MetaPathConfig
from kuajie.models.popularity import Popularity
from kuajie.models.registry import build
from kuajie.testing.planted import described_world, two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract, World

BY_WORDS = ContentConfig(k=4, reach="across", sharpness=1.0, popularity_power=0.0, background=0.0)


class TestBridgeContract(RecommenderContract):
    configs = (
        BridgeConfig(),
        BridgeConfig(by=MetaPathConfig(), within=EASEConfig(), k=12),
        BridgeConfig(within=ItemKNNConfig()),
    )

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World:
        return described_world()


TEXTS = ["turbo engines", "口红的秘密", "turbo kit", "哑光口红", "boost gauge", "brush", "mat"]
ROWS = [[0], [1], [2, 4], [2, 4], [3, 5], [3, 5], [6], [6], [6], [6]]
"""Nobody is in both domains; gauges go with kits, brushes with lipsticks, and everybody buys the mat."""
SPACE = ItemSpace(("courses", "parts"), (2, 5))
APART = Interactions(SPACE, Histories.from_lists(ROWS, 7), SideInformation(7, {"title": TEXTS}))


def test_it_finds_what_shares_no_word_with_the_history() -> None:
    model = Bridge(BridgeConfig(by=BY_WORDS)).fit(APART)
    scores = model.score(Histories.from_lists([[0], [1]], 7), "parts")
    assert np.argsort(-scores, axis=1)[:, :2].tolist() in ([[0, 2], [1, 3]], [[2, 0], [3, 1]])
    explanation = model.explain(Histories.from_lists([[0, 1]], 7), "parts", np.array([2]))
    assert explanation.exact
    assert explanation.contributions[0, 0] > 0 == explanation.contributions[0, 1]


@pytest.mark.parametrize("within", [DiffusionConfig(), EASEConfig(form="dense"), ItemKNNConfig(k=20)], ids=str)
def test_a_score_is_that_of_the_targets_own_model_for_the_translated_history(within: Config) -> None:
    world = two_domain_interactions()[0]
    config = BridgeConfig.model_validate({"by": BY_WORDS, "within": within, "k": world.space.n_items})
    part, asked = world.space.slice("b"), world.histories.take(np.arange(9))
    weights = build(BY_WORDS).fit(world).weights_  # type: ignore[attr-defined]
    translated = weights.matrix.toarray()
    translated[:, : part.start] = 0
    translated[part] = np.eye(world.space.n_items)[part]
    rows = asked.matrix() @ translated
    lists = [np.flatnonzero(row) for row in rows]
    amounts = [row[found].tolist() for row, found in zip(rows, lists, strict=True)]
    history = Histories.from_lists([found.tolist() for found in lists], world.space.n_items, amounts)
    expected = built(within).fit(world.only("b")).apply(history.matrix(), part)
    np.testing.assert_allclose(Bridge(config).fit(world).score(asked, "b"), expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("by", [ContentConfig(), MetaPathConfig()], ids=lambda config: config.kind)
def test_planted_tastes_are_found_where_nobody_is_linked(by: ContentConfig) -> None:
    world, topics, item_topics = described_world()
    own = world.space.domain_of(world.histories.items) == world.histories.rows() // 4 % 2
    apart = replace(world, histories=world.histories.keep(own))
    part = world.space.slice("b")
    asked = world.histories.only(world.space.slice("a")).take(np.arange(200))
    best = np.argmax(Bridge(BridgeConfig(by=by)).fit(apart).score(asked, "b"), axis=1)
    popular = np.argmax(Popularity().fit(apart).score(asked, "b"), axis=1)
    hits, chance = ((item_topics[part][found] == topics[:200]).mean() for found in (best, popular))
    assert hits > 0.9 > 0.5 > chance


def test_without_texts_the_error_is_that_of_the_translation() -> None:
    with pytest.raises(DataError, match="Give items a title"):
        Bridge().fit(replace(APART, side=None))


def test_what_does_not_fit_into_memory_is_refused() -> None:
    shape = DataShape(1_000, 100_000, ItemSpace(("a", "b"), (300_000, 300_000)))
    with pytest.raises(ResourceError):
        Bridge().plan(shape, FitOptions(memory_bytes=2**30))
