"""Generated worlds with a known truth: the demo scenarios.

make_world(scenario, size, seed) -> World
World.events(domain), .interactions(), .oracle_scores(person_rows, domain)
"""

from kuajie.worlds.people import TasteSettings
from kuajie.worlds.scenarios import PLATFORM, SCENARIOS
from kuajie.worlds.sizes import SIZES, WorldSize
from kuajie.worlds.world import World, make_world

__all__ = ["PLATFORM", "SCENARIOS", "SIZES", "TasteSettings", "World", "WorldSize", "make_world"]
