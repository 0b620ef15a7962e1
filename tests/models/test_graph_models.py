"""The models of the knowledge graph: walk, metapath, kge."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import ResourceError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.side import Labels, SideInformation, TripleGraph
from kuajie.core.space import ItemSpace
from kuajie.models.kge import KGEConfig
from kuajie.models.metapath import MetaPath, MetaPathConfig
from kuajie.models.registry import build
from kuajie.models.walk import Walk, WalkConfig, joint_edges
from kuajie.testing.planted import two_domain_interactions, with_topic_graph
from kuajie.testing.recommenders import RecommenderContract, World

ALL = (WalkConfig(), MetaPathConfig(), KGEConfig(epochs=200, dimension=32, margin=2.0))


class TestGraphModelsContract(RecommenderContract):
    configs = (
        *ALL,
        WalkConfig(behaviour=0.0, k=15),
        MetaPathConfig(learned=False, sharpness=2.0, popularity_power=0.3),
        KGEConfig(geometry="rotation", epochs=200, dimension=32, margin=2.0),
    )
    scores_unseen = True

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World:
        interactions, topics, item_topics = two_domain_interactions()
        return with_topic_graph(interactions, item_topics), topics, item_topics


def apart(interactions: Interactions) -> Interactions:
    """Zero shared people: half of them keep domain a alone, the others b."""
    people = interactions.histories.rows()
    own = interactions.space.domain_of(interactions.histories.items) == people % 2
    return replace(interactions, histories=interactions.histories.keep(own))


@pytest.mark.parametrize("config", ALL, ids=str)
def test_the_graph_joins_domains_that_share_nobody(config: WalkConfig) -> None:
    interactions, topics, item_topics = two_domain_interactions()
    world = with_topic_graph(interactions, item_topics)
    model = build(config).fit(apart(world))
    space = world.space
    scores = model.score(world.histories.only(space.slice("a")).take(np.arange(40)), "b")
    best = np.argmax(scores, axis=1)
    hits = (item_topics[space.slice("b")][best] == topics[:40]).mean()
    assert hits > (0.7 if isinstance(config, KGEConfig) else 0.95)  # chance: 0.25


@pytest.mark.parametrize("config", ALL, ids=str)
def test_an_item_nobody_used_is_ranked_by_what_the_graph_says(config: WalkConfig) -> None:
    interactions, topics, item_topics = two_domain_interactions()
    world = with_topic_graph(interactions, item_topics)
    hidden = world.space.slice("b").start + 6
    model = build(config).fit(replace(world, histories=world.histories.keep(world.histories.items != hidden)))
    scores = model.score(world.histories.only(world.space.slice("a")).take(np.arange(80)), "b")[:, 6]
    fitting = topics[:80] == item_topics[hidden]
    assert scores[fitting].min() > np.median(scores[~fitting])
    assert scores[fitting].mean() > 2 * max(scores[~fitting].mean(), 0.0)


@pytest.mark.parametrize("config", ALL, ids=str)
def test_items_that_neither_people_nor_graph_know_stay_unknown(config: WalkConfig) -> None:
    graph = TripleGraph(
        4, ("x",), ("r",), np.array([0, 1, 2], np.int32), np.zeros(3, np.int32), np.array([4, 4, 2], np.int32)
    )
    space = ItemSpace(("a",), (4,))
    interactions = Interactions(space, Histories.from_lists([[0]], 4), SideInformation(4, graph=graph))
    scores = build(config).fit(interactions).score(Histories.from_lists([[0], [2]], 4), "a")
    assert np.isfinite(scores[0, :2]).all()
    assert np.isnan(scores[0, 2:]).all()  # item 2 has a self-loop alone
    assert np.isnan(scores[1]).all()


@pytest.mark.parametrize("config", ALL, ids=str)
def test_configs_can_be_members_of_blends(config: WalkConfig) -> None:
    assert {config: 1}[type(config).parse(config.model_dump(mode="json"))] == 1


@pytest.mark.parametrize("config", ALL, ids=str)
def test_without_a_graph_the_models_say_what_is_missing(config: WalkConfig) -> None:
    world = two_domain_interactions()[0]
    empty = {"category": Labels.of([None] * 40)}
    for side in (None, SideInformation(40), SideInformation(40, labels=empty, graph=TripleGraph.empty(40))):
        with pytest.raises(UsageError, match="needs triples or labels"):
            build(config).fit(replace(world, side=side))


@pytest.mark.parametrize("config", ALL, ids=str)
def test_a_graph_of_one_entity_is_no_error(config: WalkConfig) -> None:
    world = two_domain_interactions()[0]
    one, zero = np.array([40], np.int32), np.zeros(1, np.int32)
    side = SideInformation(40, graph=TripleGraph(40, ("x",), ("r",), zero, zero, one))
    scores = build(config).fit(replace(world, side=side)).score(world.histories.take([0]), "b")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("config", ALL, ids=str)
def test_labels_alone_are_a_graph(config: WalkConfig) -> None:
    interactions, _, item_topics = two_domain_interactions()
    labels = Labels.of([f"主题{topic}" for topic in item_topics])
    world = replace(interactions, side=SideInformation(40, labels={"category": labels}))
    scores = build(config).fit(apart(world)).score(world.histories.only(world.space.slice("a")).take([0]), "b")
    assert item_topics[20 + int(np.argmax(scores[0]))] == 0


def test_the_plan_refuses_what_does_not_fit() -> None:
    shape = DataShape(1_000_000, 20_000_000, ItemSpace(("a", "b"), (600_000, 400_000)), 10_000_000)
    for config in ALL:
        with pytest.raises(ResourceError):
            build(config).plan(shape, FitOptions(memory_bytes=2**30))


def test_a_walk_is_personalised_pagerank_of_the_joint_graph() -> None:
    interactions, _, item_topics = two_domain_interactions(n_people=60)
    world = with_topic_graph(interactions, item_topics)
    config = WalkConfig(epsilon=1e-9, restart=0.25, neighbours=5, relations=(("maker", 0.1),))
    model = Walk(config).fit(world)
    edges = joint_edges(config, world.side.graph, world, FitOptions()).toarray()
    np.testing.assert_allclose(edges.sum(axis=1), 1.0)
    start = np.zeros(len(edges))
    start[[0, 5, 21]] = [1.0, 2.0, 0.5]
    reached, slow = start, np.zeros(len(edges))
    for step in range(200):
        slow += config.restart * (1 - config.restart) ** step * reached
        reached = reached @ edges
    history = Histories.from_lists([[0, 5, 21]], 40, weights=[[1.0, 2.0, 0.5]])
    got = np.concatenate([model.score(history, domain)[0] for domain in ("a", "b")])
    others = np.setdiff1d(np.arange(40), [0, 5, 21])  # of an item's own walk its start is left out
    np.testing.assert_allclose(got[others], slow[others], atol=1e-5)


def test_paths_are_counted_and_normalised_as_pathsim() -> None:
    # items 0, 1 of one brand; 1, 2 of one topic; 2 has a brand of its own
    graph = TripleGraph(
        3, ("brand:甲", "topic:乙", "brand:丙"), ("brand", "about"),
        np.array([0, 1, 2, 1, 2], np.int32), np.array([0, 0, 0, 1, 1], np.int32), np.array([3, 3, 5, 4, 4], np.int32),
    )  # fmt: skip
    world = Interactions(ItemSpace(("a",), (3,)), Histories.from_lists([[0]], 3), SideInformation(3, graph=graph))
    config = MetaPathConfig(hub_power=0.0, relations=(("brand", 1.0), ("about", 4.0)), two_steps=False)
    weights = MetaPath(config).fit(world).weights_.arrays()
    matrix = sparse.csr_array((weights["data"], weights["indices"], weights["indptr"]), shape=(3, 3)).toarray()
    # FF^T: own 1, 5, 5; 0-1 share a brand, 1-2 a topic of weight 4
    np.testing.assert_allclose(matrix, [[0, 2 / 6, 0], [2 / 6, 0, 8 / 10], [0, 8 / 10, 0]], rtol=1e-6)


def test_relations_that_people_follow_weigh_more() -> None:
    from kuajie.numerics.metapaths import item_paths, path_weights
    from kuajie.numerics.network import Network

    interactions, _, item_topics = two_domain_interactions()
    world = with_topic_graph(interactions, item_topics)
    paths = item_paths(Network.of(world.side.graph), 1.0, True, 1_000)
    weights = dict(zip(paths.names, path_weights(paths, world.matrix(), {}, True), strict=True))
    assert set(weights) == {"about", "category", "maker", ".about"}
    assert weights["about"] > 0.6
    assert weights[".about"] > 0.6
    assert weights["maker"] < 0.3
    assert dict(zip(paths.names, path_weights(paths, world.matrix(), {"maker": 9.0}, False), strict=True)) == {
        "about": 1.0, "category": 1.0, "maker": 9.0, ".about": 1.0
    }  # fmt: skip
