"""Profile features as columns for a ranker."""

import numpy as np

from kuajie.data.catalog import Catalog
from kuajie.data.config import StrengthConfig
from kuajie.data.strength import Events
from kuajie.profiles.audience import Audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import F32, Numbers, behaviour_features, people_of


def profile_features(
    events: Events,
    n: int,
    catalog: Catalog,
    at: float | Numbers,
    config: ProfilesConfig | None = None,
    audience: Audience | None = None,
    rules: StrengthConfig | None = None,
    threads: int = 1,
) -> tuple[F32, tuple[str, ...]]:
    """Features of n people, as they were at a moment: float32 (n, d), NaN where unknown, and the d names.

    Only events before `at` count, and what an audience that was fitted on earlier events makes of them. A row depends
    on its own events alone. `profiles.features.events_of` makes events of histories.

    Args:
        events: rows 0..n-1, oldest first in each.
        n: people.
        catalog: the items.
        at: unix seconds, one for all or one of each person (n,).
        config: time zone, pauses, stages; left out: the audience's, else the usual one.
        audience: adds interests (`topic.*`, shares) and segments (`segment.*`, 0 or 1); fit it on events before `at`.
        rules: what a dislike is.
        threads: how many.
    """
    config = config or (audience.config if audience else ProfilesConfig())
    people = people_of(events, n, catalog, at, config, rules)
    values, names = behaviour_features(people, catalog, at)
    if audience is None:
        return values, names
    interests = audience.interests(people, audience.terms(catalog), threads)
    labels = audience.assign(people, interests, catalog, at)[0]
    total = interests.sum(axis=1, keepdims=True)
    shares = np.divide(interests, total, out=np.full_like(interests, np.nan), where=total > 0)
    places = np.arange(len(audience.about.segments))
    member = (labels[:, None] == places).astype(np.float32)
    more = (*(f"topic.{t + 1}" for t in range(shares.shape[1])), *(f"segment.{s + 1}" for s in places.tolist()))
    return np.concatenate([values, shares, member], axis=1), (*names, *more)
