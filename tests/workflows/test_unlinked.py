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
from kuajie.workflows.unlinked import is_unlinked, with_bridges

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
    assert not is_unlinked(linked, "a")
    assert is_unlinked(apart(linked), "a")
    assert is_unlinked(apart(linked, LEAST_PEOPLE - 1), "b")
    assert not is_unlinked(apart(linked, LEAST_PEOPLE + 10), "b")
    assert not is_unlinked(linked.only("a"), "a")
    assert not is_unlinked(linked.only("a"), "b")  # nobody is known there at all: nothing to rank


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
    blend, told = with_bridges(BLEND, apart(linked))
    assert len(told) == 2
    cold, known = blend.mixes_of("b")
    assert set(cold.weights) == {"metapath/unlinked/b", "bridge/unlinked/b"}
    assert (known.at_least, known.weights) == (1, {"p": 1.0})
    decided = BlendConfig(members=BLEND.members, mixes=(*BLEND.mixes, Mix(target="b", at_least=1, weights={"p": 2.0})))
    assert with_bridges(decided, apart(linked))[0].mixes_of("b")[1].weights == {"p": 2.0}


def test_linked_domains_stay_as_they_were_chosen(linked: Interactions) -> None:
    assert with_bridges(BLEND, linked) == (BLEND, [])


def test_only_kinds_that_were_asked_for_are_taken(linked: Interactions) -> None:
    blend, _ = with_bridges(BLEND, apart(linked), ("itemknn", "content"))
    assert blend.mixes_of("a")[0].weights == {"bridge/unlinked/a": 1.0}


def test_where_nothing_is_known_of_the_items_it_is_said(linked: Interactions) -> None:
    blend, told = with_bridges(BLEND, replace(apart(linked), side=None))
    assert blend == BLEND
    assert "neither texts nor triples" in str(told[0])
