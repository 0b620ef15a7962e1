"""What `auto` tries: families of models with small grids, in the order in which they are worth their time."""

from dataclasses import dataclass

from kuajie.core.config import Config
from kuajie.core.histories import Order
from kuajie.core.recommender import Scope
from kuajie.core.space import ItemSpace
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.popularity import PopularityConfig


@dataclass(frozen=True)
class Family:
    """Configs of one kind of model that compete for one place in the blend for each scope.

    Attributes:
        name: of the family; members of the blend are called after it.
        grid: configs to fit; the first is tried first and is the one that scouts candidates.
        scopes: what it may see.
        powers: of popularity, for models with `popularity_power`; costs no further fit.
        scout: its favourites make the pool of hard candidates where all items are ranked.
        personal: whether it needs a history; without target history in any row, others are not tried on the target.
    """

    name: str
    grid: tuple[Config, ...]
    scopes: tuple[Scope, ...] = ("joint", "target")
    powers: tuple[float, ...] = (0.0,)
    scout: bool = False
    personal: bool = True


def families(space: ItemSpace, order: Order, kinds: tuple[str, ...] = ()) -> list[Family]:
    """The families for data of this kind; `kinds` keeps only some kinds of models."""
    found = [
        Family("popularity", (PopularityConfig(), PopularityConfig(power=0.5)), ("target",), personal=False),
        Family("itemknn", (ItemKNNConfig(k=200, shrinkage=5.0), ItemKNNConfig(k=50)), scout=True),
    ]
    return [family for family in found if not kinds or family.grid[0].kind in kinds]  # type: ignore[attr-defined]
