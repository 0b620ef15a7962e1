"""Domains that share nobody: what `auto` serves there."""

from dataclasses import replace

import numpy as np
import pytest

from kuajie.core.histories import Interactions
from kuajie.core.recommender import FitOptions
from kuajie.evaluation.gate import LEAST_PEOPLE
from kuajie.evaluation.protocols import leave_one_out
from kuajie.models.blend import Blend, BlendConfig, Member, Mix
from kuajie.models.popularity import PopularityConfig
from kuajie.testing.planted import described_world
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.train import choose_for
from kuajie.workflows.unlinked import is_unlinked, linked_people, with_bridges

OPTIONS = FitOptions(threads=1)
NOBODY = {"a": 0, "b": 0}
BLEND = BlendConfig(
    members=(Member(name="p", model=PopularityConfig(), scope="target"),),
    mixes=(Mix(target="a", weights={"p": 1.0}), Mix(target="b", weights={"p": 1.0})),
)


@pytest.fixture(scope="module")
def linked() -> Interactions:
    return described_world()[0]


def apart(interactions: Interactions, linked: int = 0) -> Interactions:
    """All but so many people keep one domain alone."""
    people = interactions.histories.rows()
    own = interactions.space.domain_of(interactions.histories.items) == people // 4 % 2
    return replace(interactions, histories=interactions.histories.keep(own | (people < linked)))


def test_who_is_linked_is_counted(linked: Interactions) -> None:
    assert linked_people(linked) == {"a": linked.n_people, "b": linked.n_people}
    few = linked_people(apart(linked, 30))
    assert few == {"a": 30, "b": 30}
    assert is_unlinked(apart(linked), "a", LEAST_PEOPLE - 1)
    assert not is_unlinked(apart(linked), "a", LEAST_PEOPLE)
    assert not is_unlinked(linked, "a", 0), "nobody is known elsewhere alone"
    assert not is_unlinked(linked.only("a"), "a", 0)
    assert not is_unlinked(linked.only("a"), "b", 0), "nobody is known there at all: nothing to rank"


def test_people_of_other_domains_get_what_leads_across(linked: Interactions) -> None:
    _, topics, item_topics = described_world()
    world = apart(linked)
    split = leave_one_out(world, np.random.default_rng(0), cold_share=0.1)
    config = ChooseConfig(
        seconds=10, kinds=("popularity", "itemknn", "metapath", "content"), negatives=20, people=1_000
    )
    choice = choose(split.train, split.tasks, FitOptions(threads=1), config=config)
    told = [str(sentence) for sentence in choice.skipped]
    assert any(sentence.startswith("b: fewer than") and "metapath, bridge" in sentence for sentence in told)
    first, second = choice.blend.mixes_of("b")[:2]
    assert (first.at_least, second.at_least) == (0, 1)
    model = Blend(choice.blend).fit(world)
    part = world.space.slice("b")
    asked = linked.histories.only(world.space.slice("a")).take(np.arange(100))
    best = np.argmax(model.score(asked, "b"), axis=1)
    assert (item_topics[part][best] == topics[:100]).mean() > 0.9  # chance: 0.25


def test_people_known_in_the_target_keep_what_was_chosen(linked: Interactions) -> None:
    blend, told = with_bridges(BLEND, apart(linked), OPTIONS, NOBODY)
    assert len(told) == 2
    cold, known = blend.mixes_of("b")
    assert set(cold.weights) == {"metapath/unlinked/b", "bridge/unlinked/b", "popularity/unlinked/b"}
    assert cold.weights["popularity/unlinked/b"] < 0.02
    assert (known.at_least, known.weights) == (1, {"p": 1.0})
    decided = BlendConfig(members=BLEND.members, mixes=(*BLEND.mixes, Mix(target="b", at_least=1, weights={"p": 2.0})))
    assert with_bridges(decided, apart(linked), OPTIONS, NOBODY)[0].mixes_of("b")[1].weights == {"p": 2.0}


def test_linked_domains_stay_as_they_were_chosen(linked: Interactions) -> None:
    assert with_bridges(BLEND, linked, OPTIONS, linked_people(linked)) == (BLEND, [])


def test_only_kinds_that_were_asked_for_are_taken(linked: Interactions) -> None:
    blend, _ = with_bridges(BLEND, apart(linked), OPTIONS, NOBODY, ("itemknn", "content"))
    assert set(blend.mixes_of("a")[0].weights) == {"bridge/unlinked/a", "popularity/unlinked/a"}


def test_a_sample_with_few_links_of_many_is_not_unlinked(linked: Interactions) -> None:
    """110 people are linked, fewer of them in what models are chosen on."""
    whole = apart(linked, LEAST_PEOPLE + 10)
    config = ChooseConfig(seconds=5, kinds=("popularity", "itemknn", "metapath"), negatives=20, people=100)
    choice = choose_for(whole, FitOptions(threads=1), config)
    assert not any("unlinked" in member.name for member in choice.blend.members)


def test_what_does_not_fit_into_memory_is_left_out_and_named(linked: Interactions) -> None:
    blend, told = with_bridges(BLEND, apart(linked), FitOptions(memory_bytes=1_000), NOBODY)
    assert blend == BLEND
    assert [str(sentence).split(" ")[0] for sentence in told[:2]] == ["metapath", "content"]
    assert all("GiB" in str(sentence) for sentence in told[:2])


def test_where_nothing_is_known_of_the_items_it_is_said(linked: Interactions) -> None:
    blend, told = with_bridges(BLEND, replace(apart(linked), side=None), OPTIONS, NOBODY)
    assert blend == BLEND
    assert "no model of texts or triples" in str(told[0])
