"""The data that benchmarks share."""

from functools import cache

from kuajie.core.histories import Interactions
from kuajie.worlds import World, make_world

THREADS = 2


@cache
def seed_world() -> World:
    """100,000 people, 1,000 courses, 500 car parts."""
    return make_world("car-parts", "seed", seed=0)


@cache
def seed_interactions() -> Interactions:
    """About 2,000,000 events of them."""
    return seed_world().interactions()
