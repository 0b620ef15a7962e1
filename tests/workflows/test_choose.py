from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.errors import ConfigError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.evaluation.candidates import with_candidates
from kuajie.evaluation.protocols import leave_one_out
from kuajie.models.als import ALSConfig
from kuajie.models.blend import Blend
from kuajie.models.registry import installed
from kuajie.workflows.choose import Choice, ChooseConfig, choose, families_to_try, schedule, with_history
from kuajie.workflows.families import families
from kuajie.workflows.fits import Fits

SPACE = ItemSpace(("a", "b"), (3, 3))
CONFIG = ChooseConfig(seconds=30, kinds=("popularity", "itemknn"), negatives=50)


def world(linked_taste: bool, n_people: int = 900, n_topics: int = 8, seed: int = 0) -> Interactions:
    """Topics in two domains; whether a person's topic is the same in both is what differs."""
    rng = np.random.default_rng(seed)
    size, per_topic = 96, 12
    rows = []
    for person in range(n_people):
        topic_a = person % n_topics
        topic_b = topic_a if linked_taste else int(rng.integers(n_topics))
        own = [topic * per_topic + rng.choice(per_topic, 4, replace=False) for topic in (topic_a, topic_b)]
        noise = rng.choice(size, 2, replace=False)
        rows.append(np.concatenate([own[0], own[1] + size, noise]).tolist())
    return Interactions(ItemSpace(("a", "b"), (size, size)), Histories.from_lists(rows, 2 * size))


def choice_for(interactions: Interactions, config: ChooseConfig = CONFIG) -> Choice:
    split = leave_one_out(interactions, np.random.default_rng(0), cold_share=0.1)
    return choose(split.train, split.tasks, FitOptions(threads=1), config=config)


@pytest.fixture(scope="module")
def shared_taste() -> Choice:
    return choice_for(world(linked_taste=True))


def test_people_without_target_history_get_the_other_domain(shared_taste: Choice) -> None:
    cold = shared_taste.config.mixes_of("b")[0]
    assert cold.at_least == 0
    assert any("/joint/" in name or "/source/" in name for name in cold.weights)
    gate = shared_taste.mixes["b"].gate
    assert gate.groups[0].joint
    assert gate.low > 0


def test_a_domain_that_says_nothing_about_the_other_stays_out() -> None:
    choice = choice_for(world(linked_taste=False))
    gate = choice.mixes["b"].gate
    assert not any(group.joint for group in gate.groups)
    assert gate.transfer_gain == pytest.approx(0, abs=0.01)
    for mix in choice.blend.mixes_of("b"):
        assert all("/target/" in name for name in mix.weights)


def test_the_choice_fits_and_serves_every_domain(shared_taste: Choice) -> None:
    interactions = world(linked_taste=True)
    blend = Blend(shared_taste.config).fit(interactions)
    for domain in interactions.space.domains:
        assert np.isfinite(blend.score(interactions.histories.take([0, 1]), domain)).all()


def test_the_same_seed_makes_the_same_choice(shared_taste: Choice) -> None:
    assert choice_for(world(linked_taste=True)).config == shared_taste.config


def test_what_did_not_fit_into_the_budget_is_named() -> None:
    choice = choice_for(
        world(linked_taste=True, n_people=200),
        ChooseConfig(seconds=1e-6, negatives=50, kinds=("popularity", "itemknn")),
    )
    assert choice.skipped
    assert choice.blend.targets == ("a", "b")


def test_a_domain_that_nobody_can_be_asked_about_gets_popularity() -> None:
    space = ItemSpace(("a", "b"), (6, 1))
    rows = [[0, 1, 2, 3, 6] if person % 2 else [2, 3, 4, 5, 6] for person in range(60)]
    choice = choice_for(Interactions(space, Histories.from_lists(rows, 7)))
    (mix,) = choice.blend.mixes_of("b")
    assert list(mix.weights) == ["popularity/target/b"]
    assert any(sentence.startswith("b:") for sentence in choice.skipped)


def test_what_is_said_of_items_joins_the_blend_where_it_helps() -> None:
    bare = world(linked_taste=True, n_people=150)
    titles = [f"话题 topic{item % 96 // 12}" for item in range(192)]
    described = replace(bare, side=SideInformation(192, {"title": titles}))
    config = ChooseConfig(seconds=60, kinds=("popularity", "itemknn", "content"), negatives=50)
    choice = choice_for(described, config)
    assert any("content" in name for mix in choice.config.mixes for name in mix.weights)


def test_without_a_word_about_items_content_is_named_as_not_tried() -> None:
    choice = choice_for(world(linked_taste=True, n_people=200), ChooseConfig(seconds=1e-6, negatives=50))
    assert "content: not tried, the data say nothing of their items" in choice.skipped
    assert "walk, metapath: not tried, there are neither triples nor labels" in choice.skipped


def test_labels_are_enough_for_the_models_of_the_graph() -> None:
    space = ItemSpace(("课程", "parts"), (2, 1))
    labelled = SideInformation(3, labels={"brand": Labels.of([None, "博世", "博世"])})
    for side, expected in ((labelled, {"walk", "metapath"}), (SideInformation(3), set()), (None, set())):
        assert {family.name for family in families(space, "none", side=side)} & {"walk", "metapath"} == expected


def test_sampled_candidates_are_what_choices_are_judged_on() -> None:
    split = leave_one_out(world(linked_taste=True), np.random.default_rng(0))
    tasks = {target: with_candidates(task, "sampled-99") for target, task in split.tasks.items()}
    assert choose(split.train, tasks, FitOptions(threads=1), config=CONFIG).mixes["a"].ndcg > 0.3


def test_summaries_are_plain(shared_taste: Choice) -> None:
    summary = shared_taste.summary("a")
    assert set(summary["members"]) == {name for mix in shared_taste.config.mixes_of("a") for name in mix.weights}
    assert {"validation_ndcg", "transfer_gain", "gate", "mixes"} <= set(summary)


def test_families_share_the_time() -> None:
    wanted = families(ItemSpace(("a",), (3,)), "none")
    ends = [until for _, until in schedule(wanted, 10, 60)]
    assert ends == sorted(ends)
    assert ends[0] > 10
    assert ends[-1] == pytest.approx(60)


def test_only_ridge_still_has_popularity_to_fall_back_to() -> None:
    choice = choice_for(world(linked_taste=True, n_people=200), ChooseConfig(seconds=5, kinds=("ridge",)))
    families_used = {member.name.partition("/")[0] for member in choice.blend.members}
    assert families_used <= {"ridge", "popularity"}
    assert choice.blend.targets


def test_a_kind_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"names nonsense; for this data there are popularity, als"):
        families(ItemSpace(("a", "b"), (3, 3)), "none", ("nonsense",))


def test_deep_families_want_minutes_or_to_be_asked_for() -> None:
    ordered = world(linked_taste=True, n_people=120)
    ordered = Interactions(ordered.space, replace(ordered.histories, order="joint"))

    def names(interactions: Interactions, **values: object) -> set[str]:
        return {family.name for family in families_to_try(interactions, ChooseConfig.parse(values))[0]}

    assert "sasrec" not in names(ordered, seconds=599)
    if installed("sasrec"):
        assert "sasrec" in names(ordered, seconds=1_800)
        assert names(ordered, kinds=["sasrec"]) == {"popularity", "sasrec"}
    assert "sasrec" not in names(world(linked_taste=True, n_people=120), seconds=1_800)  # nothing has an order


def test_a_deep_family_without_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ordered = Interactions(SPACE, Histories.from_lists([[0, 1, 5]], 6, order="joint"))
    found, missing = families_to_try(ordered, ChooseConfig(seconds=1_800))
    assert "sasrec" not in {family.name for family in found}
    assert [str(text) for text in missing] == [
        'sasrec: not tried, torch is not installed. Run: pip install "kuajie[deep]"',
        "content: not tried, the data say nothing of their items",
        "walk, metapath: not tried, there are neither triples nor labels",
    ]


def test_one_domain_alone_has_nothing_to_transfer() -> None:
    assert {family.scopes for family in families(ItemSpace(("a",), (3,)), "joint")} == {("target",)}


def test_scouts_that_do_not_fit_into_memory_are_left_out() -> None:
    interactions = world(linked_taste=True)
    assert Fits(interactions, FitOptions()).possible(ALSConfig())
    assert not Fits(interactions, FitOptions(memory_bytes=1_000)).possible(ALSConfig())


def test_people_of_whom_nothing_is_known_decide_nothing() -> None:
    task = leave_one_out(world(linked_taste=True), np.random.default_rng(0)).tasks["b"]
    first, last = task.history_of[0], task.histories.n_rows - 1
    gone = np.isin(task.histories.rows(), [first])
    worthless = np.isin(task.histories.rows(), [last])
    weights = np.where(worthless, 0, task.histories.weights).astype(np.float32)
    histories = task.histories.with_weights(weights).keep(~gone)
    judged = with_history(replace(task, histories=histories))
    assert judged.n_rows == task.n_rows - np.isin(task.history_of, [first, last]).sum()
    assert (judged.histories.lengths > 0).all()


def test_choices_have_enough_people_without_target_history() -> None:
    split = leave_one_out(world(linked_taste=True, n_people=1_500), np.random.default_rng(0), cold_share=None)
    for task in split.tasks.values():
        assert 250 < (task.target_lengths == 0).sum() <= 0.25 * 1_500
