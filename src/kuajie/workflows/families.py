"""What `auto` tries: families of models, each with a start and settings to vary, most useful first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError
from kuajie.core.histories import Order
from kuajie.core.recommender import Scope
from kuajie.core.side import SideInformation
from kuajie.core.space import ItemSpace
from kuajie.evaluation.tuning import changed
from kuajie.models.als import ALSConfig
from kuajie.models.content import ContentConfig
from kuajie.models.deep.order_configs import SASRecConfig
from kuajie.models.diffusion import DiffusionConfig
from kuajie.models.ease import EASEConfig
from kuajie.models.item_features import describes
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.metapath import MetaPathConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.ridge import RidgeConfig
from kuajie.models.sequence import SequenceConfig
from kuajie.models.trend import TrendConfig
from kuajie.models.walk import WalkConfig

TIMED_SETTINGS = ("trend", "half_life_days")
READS_SIDE = ("content",)
"""Models of what is said of items."""
READS_GRAPH = ("walk", "metapath")
"""Models of triples and labels."""
Moves = tuple[tuple[str, tuple[object, ...]], ...]


@dataclass(frozen=True)
class Family:
    """Configs of one kind of model that compete for one place in the blend for each scope.

    Attributes:
        name: of the family; members of the blend are called after it.
        start: tried first.
        moves: settings and their values, tried one after the other from the best so far.
        scopes: what it may see.
        scout: quick to fit; its favourites make the pool of hard candidates where all items are ranked.
        personal: whether it needs a history; without target history in any row, others are not tried on the target.
        share: of the time of choosing.
        always: its start is tried whatever the time, so that a slow first minute does not leave popularity alone.
        least_seconds: of choosing; with less it is tried only where its kind is asked for.
    """

    name: str
    start: Config
    moves: Moves = ()
    scopes: tuple[Scope, ...] = ("joint", "target")
    scout: bool = False
    personal: bool = True
    share: float = 1.0
    always: bool = False
    least_seconds: float = 0.0


def families(
    space: ItemSpace,
    order: Order,
    kinds: tuple[str, ...] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    timed: bool = True,
    side: SideInformation | None = None,
) -> list[Family]:
    """The families for data of this kind.

    Args:
        space: the joint item space.
        order: what the order of histories means.
        kinds: keep only these kinds of models, and popularity, which everything else falls back to; none: all.
        settings: family -> settings of a start that a person decided on; they are not varied.
        timed: whether events have times; without, settings that read them are not varied.
        side: what is known of the items; what reads it is tried where there is something to read.

    Raises:
        ConfigError: kinds or settings of families that do not exist, or settings that their model does not have.
    """
    found = [family if timed else untimed(family) for family in default_families(space, order, side)]
    found = [family for family in found if describes(side) or kind_of(family) not in READS_SIDE]
    unknown = set(settings or {}) - {family.name for family in found}
    if unknown:
        names = ", ".join(family.name for family in found)
        raise ConfigError(
            "[training.settings] names {unknown}; for this data there are {names}",
            unknown=", ".join(sorted(unknown)),
            names=names,
        )
    known = dict.fromkeys(kind_of(family) for family in found)
    if set(kinds) - known.keys():
        raise ConfigError(
            "[training] kinds names {unknown}; for this data there are {names}",
            unknown=", ".join(sorted(set(kinds) - known.keys())),
            names=", ".join(known),
        )
    decided = [with_settings(family, (settings or {}).get(family.name, {})) for family in found]
    return [family for family in decided if not kinds or kind_of(family) in {*kinds, "popularity"}]


def connects(side: SideInformation | None) -> bool:
    """Whether triples or labels connect items."""
    return side is not None and side.joint.n_triples > 0


def kind_of(family: Family) -> str:
    """The kind of model."""
    return str(family.start.kind)  # type: ignore[attr-defined]


def untimed(family: Family) -> Family:
    """The family without the settings that read times."""
    return replace(family, moves=tuple(move for move in family.moves if move[0] not in TIMED_SETTINGS))


def with_settings(family: Family, settings: Mapping[str, Any]) -> Family:
    """The family with a start that was decided on."""
    if not settings:
        return family
    moves = tuple((key, values) for key, values in family.moves if key.partition(".")[0] not in settings)
    return replace(family, start=changed(family.start, settings), moves=moves)


def within(family: Family, seconds: float, kinds: tuple[str, ...]) -> bool:
    """Whether a family is worth trying in so many seconds of choosing."""
    return family.least_seconds <= seconds or kind_of(family) in kinds


def default_families(space: ItemSpace, order: Order, side: SideInformation | None = None) -> list[Family]:
    """What is tried where nobody decided anything; what helps most comes first."""
    found = [
        Family(
            "popularity",
            PopularityConfig(),
            (("power", (0.5,)), ("half_life_days", (30.0,))),
            ("target",),
            personal=False,
            share=0.2,
        ),
        *([SEQUENCE] if order != "none" else []),
        *SETS[:1],
        *(GRAPH if connects(side) else ()),
        *SETS[1:],
        *([SASREC] if order != "none" else []),
    ]
    if len(space.domains) > 1:
        return found
    alone = [family for family in found if "target" in family.scopes]
    return [replace(family, scopes=("target",)) for family in alone]


SEQUENCE = Family(
    "sequence",
    SequenceConfig(),
    (
        (
            "trend",
            tuple(
                TrendConfig(half_life_days=days, power=power) for days, power in ((4.0, 0.85), (8.0, 0.7), (30.0, 0.5))
            ),
        ),
        ("half_life_positions", (1.0, 6.5, 23.0)),
        ("half_life_days", (20.0, 90.0, 365.0)),
        ("popularity_power", (0.2, -0.2)),
        ("source_weight", (0.15, 1.0)),
        ("steps", (4,)),
        ("in_power", (0.3, 0.5)),
        ("damping", (0.3, 1.2)),
        ("across", (0.3,)),
        ("kept", (1_000,)),
    ),
    scout=True,
    share=4.0,
)
"""What follows what; its scoring settings come first, for they need no new fit."""

SASREC = Family(
    "sasrec",
    SASRecConfig(
        prior=SequenceConfig(
            half_life_days=365.0, popularity_power=0.0, trend=TrendConfig(half_life_days=4.0, power=0.85)
        )
    ),
    (("prior_weight", (0.1, 0.3, 0.45)),),
    share=0.5,
    least_seconds=600.0,
)
"""Attention to the order on top of what follows what, where there is the time to train it: minutes, not seconds.

Alone, or beside the neighbourhood as a summand, it brings little on public data; as a factor it does (docs/deep.md)."""

SETS = (
    Family(
        "als",
        ALSConfig(iterations=8),
        (("zeros", (8.0, 50.0)), ("regularization", (2.5, 10.0)), ("absent", (False,))),
        scout=True,
    ),
    Family(
        "diffusion",
        DiffusionConfig(),
        (
            ("popularity_power", (0.3, 0.8)),
            ("item_power", (0.25, 0.5)),
            ("person_power", (0.35,)),
            ("continuation", (0.6, 1.5)),
            ("steps", (5,)),
        ),
    ),
    Family("als-wide", ALSConfig(factors=128, iterations=8), (("zeros", (8.0,)), ("regularization", (8.0,)))),
    Family("ridge", RidgeConfig(), (("regularization", (100.0, 300.0)), ("popularity_power", (0.5,))), ("source",)),
    Family("als-prior", ALSConfig(prior=True, iterations=8), (("prior_weight", (2.0, 15.0)),), ("joint",), share=0.7),
    Family(
        "diffusion-low-rank",
        DiffusionConfig(form="low-rank", rank=128, item_power=0.3, person_power=0.5),
        (("rank", (64,)), ("steps", (1,)), ("popularity_power", (0.3, 0.7))),
        share=0.5,
    ),
    # of EASE the exact forms alone: where neither is affordable, diffusion says the same for less
    Family("ease", EASEConfig(form="top-k"), (("regularization", (600.0,)), ("popularity_power", (0.0, 0.5)))),
    Family(
        "content",
        ContentConfig(background=0.0),
        (("popularity_power", (0.0, 1.0)), ("sharpness", (1.0,))),
        share=0.5,
    ),
    Family(
        "itemknn",
        ItemKNNConfig(k=200, shrinkage=20.0),
        (("alpha", (0.35,)), ("shrinkage", (100.0,))),
        scout=True,
        share=0.5,
        always=True,
    ),
)
"""Models of sets: they serve any data, ordered or not."""

GRAPH = (
    Family(
        "walk",
        WalkConfig(),
        (
            ("popularity_power", (0.3, 0.6)),
            ("behaviour", (0.8, 0.95)),
            ("restart", (0.15, 0.5)),
            ("neighbours", (150,)),
            ("shrinkage", (30.0,)),
            ("hub_power", (0.25,)),
        ),
    ),
    Family(
        "metapath",
        MetaPathConfig(),
        (("popularity_power", (0.3, 0.6)), ("sharpness", (2.0,)), ("hub_power", (0.5,))),
        share=0.3,
    ),
)
"""Models of the knowledge graph: tried where there are triples."""
