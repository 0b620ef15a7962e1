import pytest

from kuajie.worlds import World, WorldSize, make_world

TINY = WorldSize(people=1_500, courses=180, products=120, events_per_account=16.0)


@pytest.fixture(scope="session")
def pair() -> World:
    return make_world("car-parts", TINY, 3)


@pytest.fixture(scope="session")
def everybody() -> World:
    return make_world("all", TINY, 3)
