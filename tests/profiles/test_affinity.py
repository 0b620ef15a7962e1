"""Items fit those who like their topic, and say so."""

from datetime import UTC, datetime

import numpy as np

from kuajie.core.language import translator
from kuajie.profiles.affinity import affinity, interest_reasons, item_topics
from kuajie.profiles.audience import fit_audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import people_of
from kuajie.testing.profiles import NOW, planted


def test_items_of_the_own_topic_fit_best_and_the_reason_names_it() -> None:
    config = ProfilesConfig(topics=4, segments=(2, 5))
    world = planted(150)
    people = people_of(world.events, world.n, world.catalog, NOW, config)
    audience = fit_audience(
        people, world.catalog, NOW, config, snapshot_id="s", fitted_at=datetime(2026, 6, 1, tzinfo=UTC)
    )
    terms = audience.terms(world.catalog)
    interests, topics = audience.interests(people, terms), item_topics(audience, terms)
    np.testing.assert_allclose(topics.sum(axis=1), 1, rtol=1e-5)
    fits = affinity(interests, topics)
    assert ((fits >= 0) & (fits <= 1 + 1e-6)).all()
    mine = np.arange(world.catalog.space.n_items) % 4 == world.topic[:, None]
    assert fits[mine].mean() > 5 * fits[~mine].mean()
    np.testing.assert_allclose(
        fits[3, 5], sum(interests[3] / interests[3].sum() * topics[5]), rtol=1e-5, err_msg="the sum of its parts"
    )
    photographer = int(np.flatnonzero(world.topic == 1)[0])
    reasons = interest_reasons(audience, interests[photographer], topics[:4], "zh")
    assert reasons[1] is not None
    assert reasons[1].share > 0.5
    assert reasons[1].text.say(translator("zh")) == "因为您对“摄影”感兴趣"
    nothing = interest_reasons(audience, np.zeros(len(audience.about.topics), np.float32), topics[:2], "zh")
    assert list(nothing) == [None, None]
