"""Segments and topics that were planted are found."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from kuajie.core.errors import ConfigError, DataError
from kuajie.data.catalog import Catalog
from kuajie.data.strength import Events
from kuajie.profiles.audience import Audience, fit_audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import people_of
from kuajie.profiles.naming import topic_names
from kuajie.profiles.segments import chosen
from kuajie.testing.profiles import DAY, DOMAINS, NOW, TOPICS, Planted, catalog, events, planted

FITTED = datetime(2026, 6, 1, tzinfo=UTC)
CONFIG = ProfilesConfig(topics=4, segments=(2, 7), timezone="Asia/Shanghai")


def fit(items: Catalog, happened: Events, n: int, config: ProfilesConfig = CONFIG, threads: int = 1) -> Audience:
    people = people_of(happened, n, items, NOW, config)
    return fit_audience(people, items, NOW, config, snapshot_id="s", fitted_at=FITTED, threads=threads)


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted()


@pytest.fixture(scope="module")
def audience(world: Planted) -> Audience:
    return fit(world.catalog, world.events, world.n)


def test_english_readers_read_the_english_names_of_categories(audience: Audience, world: Planted) -> None:
    categories = {part for topic in audience.about.topics for part in topic.zh}
    names = topic_names(
        audience.topics, world.catalog, np.full(4, 0.25, np.float32), {c: f"{c} in English" for c in categories}
    )
    assert [topic.en for topic in names] == [tuple(f"{part} in English" for part in topic.zh) for topic in names]
    assert [topic.zh for topic in names] == [topic.zh for topic in audience.about.topics]


def labels_of(audience: Audience, world: Planted) -> np.ndarray:
    people = people_of(world.events, world.n, world.catalog, NOW, CONFIG)
    interests = audience.interests(people, audience.terms(world.catalog))
    return audience.assign(people, interests, world.catalog, NOW)[0]


def test_topics_are_the_planted_ones(audience: Audience, world: Planted) -> None:
    items = audience.topics.terms_share[: len(audience.about.items)]
    true = [world.catalog.number(*name) % 4 for name in audience.about.items]
    assert adjusted_rand_score(true, items.argmax(axis=1)) > 0.95


def test_the_silhouette_finds_the_number_of_segments_and_who_is_in_them(audience: Audience, world: Planted) -> None:
    assert len(audience.about.segments) == 4
    assert adjusted_rand_score(world.topic, labels_of(audience, world)) > 0.9
    assert sum(each.size for each in audience.about.segments) == world.n
    assert [each.size for each in audience.about.segments] == sorted(
        (each.size for each in audience.about.segments), reverse=True
    )


def test_segments_are_set_apart_by_what_was_planted(audience: Audience, world: Planted) -> None:
    labels = labels_of(audience, world)
    names = ("汽车养护", "摄影", "烹饪", "理财")
    for segment in audience.about.segments:
        liked = names[np.bincount(world.topic[labels == segment.number - 1]).argmax()]
        assert segment.categories[0].category == liked
        assert segment.categories[0].lift.low > 1
        assert audience.about.topics[segment.interests[0].trait].zh[0] == liked


def test_topics_have_names_in_both_languages(audience: Audience) -> None:
    assert {topic.zh[0] for topic in audience.about.topics} == {"汽车养护", "摄影", "烹饪", "理财"}
    english = {pair for _, _, pairs in TOPICS for pair in pairs}
    assert all(topic.en and set(topic.en) <= english for topic in audience.about.topics)


def test_a_history_of_a_second_ago_is_assigned(audience: Audience, world: Planted) -> None:
    labels = labels_of(audience, world)
    for topic in range(4):
        new = events([(0, topic + 4 * place, "view", NOW - 1, np.nan) for place in range(6)])
        people = people_of(new, 1, world.catalog, NOW, CONFIG)
        interests = audience.interests(people, audience.terms(world.catalog))
        found = audience.assign(people, interests, world.catalog, NOW)[0][0]
        assert found == np.bincount(labels[world.topic == topic]).argmax()


def test_a_new_item_is_known_by_its_words(audience: Audience, world: Planted) -> None:
    table = world.catalog.table.clone()
    grown = Catalog.of(
        table.vstack(
            table.filter(table["item"] == "parts-001").with_columns(
                item=table["item"].filter(table["item"] == "parts-001") + "x"
            )
        ),
        DOMAINS,
    )
    number = grown.number("parts", "parts-001x")
    people = people_of(events([(0, number, "view", NOW - 1, np.nan)]), 1, grown, NOW, CONFIG)
    evidence = audience.interests(people, audience.terms(grown))[0]
    assert audience.about.topics[int(evidence.argmax())].zh[0] == "摄影"
    assert 0 < evidence.sum() < 1, "words alone say less than the item itself"


def test_without_words_behaviour_is_enough() -> None:
    world = planted(words=False)
    audience = fit(world.catalog, world.events, world.n)
    assert not audience.about.words
    assert adjusted_rand_score(world.topic, labels_of(audience, world)) > 0.9
    assert all(topic.zh and topic.zh == topic.en for topic in audience.about.topics), "called by an item"


def test_without_times_interests_are_enough() -> None:
    world = planted(timed=False)
    audience = fit(world.catalog, world.events, world.n)
    assert adjusted_rand_score(world.topic, labels_of(audience, world)) > 0.9


def test_the_same_seed_gives_the_same_with_any_number_of_threads(audience: Audience, world: Planted) -> None:
    again = fit(world.catalog, world.events, world.n, threads=2)
    for name, array in audience.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name], err_msg=name)
    assert audience.about == again.about


def test_arrays_make_the_same_audience_again(audience: Audience, world: Planted) -> None:
    again = Audience.from_arrays(audience.about, audience.arrays())
    np.testing.assert_array_equal(labels_of(again, world), labels_of(audience, world))


def test_an_audience_holds_no_person(audience: Audience, world: Planted) -> None:
    n = world.n
    assert all(n not in array.shape for array in audience.arrays().values())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_people_make_few_segments(n: int) -> None:
    world = planted()
    few = world.events.where(world.events.row < n)
    audience = fit(world.catalog, few, n)
    assert 1 <= len(audience.about.segments) <= n
    assert all(not (each.interests or each.categories or each.habits) for each in audience.about.segments)


def test_people_who_are_all_alike_are_one_segment() -> None:
    rows = [(person, 0, "view", NOW - DAY, np.nan) for person in range(50)]
    audience = fit(catalog(), events(rows), 50)
    assert [each.size for each in audience.about.segments] == [50]


def test_nobody_is_no_audience() -> None:
    with pytest.raises(DataError, match="nobody has used anything"):
        fit(catalog(), events([]), 3)


def test_who_has_used_nothing_is_in_no_segment(audience: Audience, world: Planted) -> None:
    people = people_of(events([]), 2, world.catalog, NOW, CONFIG)
    labels, clear = audience.assign(
        people, audience.interests(people, audience.terms(world.catalog)), world.catalog, NOW
    )
    assert labels.tolist() == [-1, -1]
    assert clear.tolist() == [0, 0]


def test_more_topics_than_items_are_as_many_as_items() -> None:
    rows = [(person, person % 3, "view", NOW - DAY, np.nan) for person in range(60)]
    audience = fit(catalog(), events(rows), 60, replace_topics(50))
    assert len(audience.about.topics) == 3


def replace_topics(topics: int) -> ProfilesConfig:
    return CONFIG.model_copy(update={"topics": topics})


def test_the_smallest_number_within_one_standard_error_is_chosen() -> None:
    assert chosen({2: (0.30, 0.01), 3: (0.395, 0.01), 4: (0.40, 0.01), 5: (0.31, 0.01)}) == 3
    assert chosen({2: (0.30, 0.01), 3: (0.38, 0.01), 4: (0.40, 0.01)}) == 4
    assert chosen({1: (-1.0, 0.0)}) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"segments": [7, 3]}, "the smallest and the largest"),
        ({"timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"sensitive": ["shoe"]}, "there is no sensitive kind 'shoe'"),
        ({"topicz": 3}, "'topicz' is not a known key"),
        ({"expiry_days": {"never": 1}}, "'expiry_days.never' is not a known key"),
        ({"life_cycle": {"lost_days": 10.0}}, "lost_days must be more than at_risk_days"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ProfilesConfig.parse(values, "kuajie.toml")


def test_dislikes_are_no_interest(world: Planted) -> None:
    rows = [
        (0, 1, "view", NOW - 2 * DAY, np.nan),
        (0, 1, "dismiss", NOW - DAY, np.nan),
        (0, 2, "view", NOW - DAY, np.nan),
    ]
    people = people_of(events(rows), 1, world.catalog, NOW, CONFIG)
    assert people.used.indices.tolist() == [2]


def test_scales_are_safe_where_nobody_differs(world: Planted) -> None:
    flat = replace(world.events, time=np.full(len(world.events), NOW - DAY))
    audience = fit(world.catalog, flat, world.n)
    assert all(np.isfinite(array).all() for array in audience.arrays().values())
