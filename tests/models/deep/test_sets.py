"""NeuMF, two towers, matrix factorisation, CFGAN and tuned texts: the contract, and what each is for."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.errors import DataError, MissingExtraError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions, Recommender
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.models.deep.configs import TrainingConfig
from kuajie.models.deep.set_configs import (
    CFGANConfig,
    MFConfig,
    NeuMFConfig,
    TunedTextConfig,
    TwoTowerConfig,
)
from kuajie.models.registry import build
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.recommenders import RecommenderContract, World
from kuajie.text.sentences import Sentences, SentencesConfig

torch = pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
QUICK = TrainingConfig(epochs=8, batch_size=40, learning_rate=0.03, patience=8, validation_people=20)
WORDS = ("发动机 turbo", "电影 film", "护肤 serum", "理财 loan")


def described(world: Interactions, topics: np.ndarray) -> Interactions:
    """The planted world with titles and labels that say each item's topic."""
    titles = [f"{WORDS[topic]} {place % 3}" for place, topic in enumerate(topics)]
    labels = Labels.of([f"t{topic}" for topic in topics])
    prices = np.where(np.arange(len(topics)) % 5 == 0, np.nan, 10.0 + topics)
    side = SideInformation(world.space.n_items, {"title": titles}, {"category": labels}, {"price": prices})
    return replace(world, side=side)


SLOWER = TrainingConfig(epochs=30, batch_size=40, learning_rate=0.05, patience=30, validation_people=20)

ADVERSARIES = TrainingConfig(epochs=14, batch_size=40, learning_rate=0.02, patience=14, validation_people=20)


class SmallWorldContract(RecommenderContract):
    """On fewer people."""

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World:
        return two_domain_interactions(n_people=160)


class TestNeuMFContract(SmallWorldContract):
    configs = (NeuMFConfig(dim=8, hidden=(8, 4), negatives=10, training=QUICK),)


class TestTwoTowerContract(SmallWorldContract):
    configs = (TwoTowerConfig(dim=16, hidden=16, training=QUICK),)


class TestMFContract(SmallWorldContract):
    configs = (MFConfig(dim=8, drawn=40, regularization=0.5, training=SLOWER),)


class TestRatingsContract(SmallWorldContract):
    configs = (MFConfig(dim=8, feedback="ratings", training=QUICK),)
    crosses_domains = False  # every rating of the planted world is the same


class TestCFGANContract(SmallWorldContract):
    configs = (CFGANConfig(hidden=16, masked=1.0, training=ADVERSARIES),)


class TestTunedTextContract(RecommenderContract):
    configs = (TunedTextConfig(dim=16, length=12, hashed=512, training=QUICK),)

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World:
        interactions, topics, item_topics = two_domain_interactions(n_people=100)
        return described(interactions, item_topics), topics, item_topics

    def test_items_never_trained_are_nan(self, config, world: World) -> None:
        """Of this model: items without a text are."""
        interactions = world[0]
        dropped = interactions.space.slice("b").start + 3
        side = interactions.side
        texts = [text if item != dropped else "" for item, text in enumerate(side.texts["title"])]
        silent = replace(interactions, side=replace(side, texts={"title": texts}))
        scores = build(config).fit(silent, FitOptions(threads=1)).score(interactions.histories.take(np.arange(5)), "b")
        assert np.isnan(scores[:, 3]).all()
        assert np.isfinite(np.delete(scores, 3, axis=1)).all()


def without_item(world: Interactions, item: int) -> Interactions:
    return replace(world, histories=world.histories.keep(world.histories.items != item))


@pytest.mark.parametrize(
    "config",
    [
        TwoTowerConfig(dim=16, hidden=16, without_id=0.5, training=QUICK),
        TunedTextConfig(dim=16, length=12, hashed=512, training=QUICK),
    ],
    ids=["two-tower", "tuned-text"],
)
def test_an_item_that_nobody_used_is_scored_by_what_is_known_of_it(config) -> None:
    interactions, topics, item_topics = two_domain_interactions(n_people=200)
    world = described(interactions, item_topics)
    unseen = world.space.slice("b").start + 6
    model = build(config).fit(without_item(world, unseen), FitOptions(threads=1))
    sources = world.histories.without(world.space.slice("b")).take(np.arange(200))
    place = unseen - world.space.slice("b").start
    scores = model.score(sources, "b")[:, place]
    fitting = topics[:200] == item_topics[unseen]
    assert np.isfinite(scores).all()
    assert scores[fitting].mean() > np.quantile(scores[~fitting], 0.95)
    read = model.score(Histories.from_lists([[unseen]], world.space.n_items), "a")[0]
    assert item_topics[np.argmax(read)] == item_topics[unseen]


def test_texts_are_needed(tmp_path) -> None:
    world = replace(two_domain_interactions(n_people=50)[0], side=None)
    with pytest.raises(DataError, match="no item has one of the texts"):
        build(TunedTextConfig()).fit(world)


def test_what_an_encoder_needs_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    (tmp_path / "config.json").write_text("{}")
    interactions, _, topics = two_domain_interactions(n_people=50)
    with pytest.raises(MissingExtraError, match=r"kuajie\[encoders\]"):
        build(TunedTextConfig(encoder=tmp_path)).fit(described(interactions, topics))


def test_an_encoder_that_is_not_there_is_named(tmp_path) -> None:
    interactions, _, topics = two_domain_interactions(n_people=50)
    config = TunedTextConfig(encoder=tmp_path / "no-encoder")
    with pytest.raises(UsageError, match="no-encoder"):
        build(config).fit(described(interactions, topics))


def test_a_given_encoder_gets_an_adapter(monkeypatch) -> None:
    class Given:
        def encode(self, texts: list[str]) -> np.ndarray:
            means = np.random.default_rng(5).normal(size=(len(WORDS), 12)).astype(np.float32)
            return np.stack([means[next(n for n, word in enumerate(WORDS) if text.startswith(word))] for text in texts])

    asked = []
    monkeypatch.setattr(Sentences, "fit", lambda config, texts: asked.append(config) or Given())
    interactions, topics, item_topics = two_domain_interactions()
    world = described(interactions, item_topics)
    model = build(TunedTextConfig(dim=8, encoder="local", training=QUICK)).fit(world, FitOptions(threads=1))
    assert asked == [SentencesConfig(model="local", device="cpu")]
    scores = model.score(world.histories.without(world.space.slice("b")).take(np.arange(40)), "b")
    assert (item_topics[world.space.slice("b")][np.argmax(scores, axis=1)] == topics[:40]).mean() > 0.95


def rated_world(n_people: int = 300, seed: int = 0) -> tuple[Interactions, np.ndarray]:
    """Ratings 3 + b_u + b_i + p_u q_i of two domains that share one taste; also the noise-free ratings of all pairs."""
    rng = np.random.default_rng(seed)
    space = ItemSpace(("a", "b"), (30, 30))
    people, items = rng.normal(size=(n_people, 2)), rng.normal(size=(60, 2))
    true = 5 + 0.5 * rng.normal(size=(n_people, 1)) + 0.5 * rng.normal(size=60) + 0.7 * people @ items.T
    rows = [rng.permutation(60)[:25] for _ in range(n_people)]
    weights = [np.maximum(true[u, row] + 0.1 * rng.normal(size=25), 0) for u, row in enumerate(rows)]
    return Interactions(space, Histories.from_lists(rows, 60, weights)), true


def test_ratings_are_told_to_people_who_were_not_in_training() -> None:
    world, true = rated_world()
    training = TrainingConfig(epochs=60, batch_size=50, learning_rate=0.02, patience=8)
    config = MFConfig(dim=4, feedback="ratings", regularization=0.5, bias_regularization=0.5, training=training)
    model = build(config).fit(world.take(np.arange(250)) if hasattr(world, "take") else world, FitOptions(threads=1))
    new = np.arange(250, 300)
    told = np.concatenate([model.score(world.histories.take(new), name) for name in ("a", "b")], axis=1)
    wrong = np.sqrt(np.mean((told - true[new]) ** 2))
    assert wrong < 0.5 * np.std(true[new])


def test_folding_in_is_the_minimum_of_the_objective() -> None:
    """The solve against gradient descent on the very sum, for ratings and for use."""
    world, _ = rated_world(n_people=60)
    for feedback in ("ratings", "implicit"):
        training = TrainingConfig(epochs=2, batch_size=20, validation_people=0)
        model = build(MFConfig(dim=3, feedback=feedback, training=training)).fit(world, FitOptions(threads=1))
        network, history = model.network_, world.histories.take([7])
        got = model.folded(network, history)[0]
        person = torch.zeros(4, requires_grad=True)
        optimizer = torch.optim.LBFGS([person], max_iter=200, line_search_fn="strong_wolfe")

        def objective(person=person, network=network, history=history, feedback=feedback, model=model):
            everything = network.biases.detach() + torch.repeat_interleave(network.means, torch.tensor([30, 30]))
            everything = everything + person[0] + network.vectors.detach() @ person[1:]
            items = torch.from_numpy(history.items.astype(np.int64))
            wanted = torch.from_numpy(history.weights) if feedback == "ratings" else torch.ones(len(items))
            total = (wanted - everything[items]).square().sum() + network.zeros[0] * everything.square().sum()
            return total + 5.0 * person.square().sum()

        def closure(objective=objective, optimizer=optimizer):
            optimizer.zero_grad()
            value = objective()
            value.backward()
            return value

        optimizer.step(closure)
        torch.testing.assert_close(got.detach(), person.detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dim", [4])
def test_a_network_can_learn_a_few_people_by_heart(dim: int) -> None:
    world = two_domain_interactions(n_people=40)[0]
    training = TrainingConfig(epochs=60, batch_size=40, learning_rate=0.05, validation_people=0)
    losses = []

    class Tracking:
        def begin(self, name, params):
            return self

        def metrics(self, values, step):
            losses.append(values["loss/train"])

        def artefact(self, path):
            """Nothing."""

        def close(self):
            """Nothing."""

    config = NeuMFConfig(dim=dim, hidden=(8,), negatives=10, dropout=0.0, training=training)
    model: Recommender = build(config).fit(world, FitOptions(threads=1, tracker=Tracking()))
    assert losses[-1] < 0.5 * losses[0]
    assert np.isfinite(model.score(world.histories, "a")).all()
