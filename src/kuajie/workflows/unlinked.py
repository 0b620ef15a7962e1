"""Domains that share nobody: what serves people of the others there, when no row can judge it.

Validation rows ask people for what they used in a domain where they are known. Where nobody is known in two domains,
none of them tells what a person of another domain wants, and whatever was chosen knows nothing but popularity for them.
So what leads across is decided beforehand: the knowledge graph and a bridge of texts, with the weights and settings
that did best on validation rows of other data (ADR 23).
"""

from collections.abc import Mapping, Sequence

from kuajie.core.config import Config
from kuajie.core.errors import ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.side import SideInformation
from kuajie.core.texts import Text
from kuajie.evaluation.gate import LEAST_PEOPLE
from kuajie.models.blend import BlendConfig, Member, Mix
from kuajie.models.bridge import BridgeConfig
from kuajie.models.item_features import describes
from kuajie.models.metapath import MetaPathConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.registry import build
from kuajie.workflows.families import connects

WEIGHTS = {"metapath": 0.5, "bridge": 0.5}
PADDING = 0.01
"""Weight of popularity: it orders what nothing leads to."""
MOST_SECONDS = 120.0
"""A model that takes longer to fit is left out: nobody granted it."""
READ_AS = {"metapath": "metapath", "bridge": "content"}
"""Which kind of those that `[training] kinds` may name stands for each."""
STARTS: dict[str, Config] = {"metapath": MetaPathConfig(popularity_power=1.0), "bridge": BridgeConfig()}


def linked_people(interactions: Interactions) -> dict[str, int]:
    """How many people are known in each domain and in another one, too."""
    known = interactions.domain_counts() > 0
    several = known.sum(axis=1) > 1
    return dict(zip(interactions.space.domains, (known & several[:, None]).sum(axis=0).tolist(), strict=True))


def with_bridges(
    blend: BlendConfig,
    interactions: Interactions,
    options: FitOptions,
    linked: Mapping[str, int],
    kinds: Sequence[str] = (),
) -> tuple[BlendConfig, list[Text]]:
    """The blend, with what leads across for people who are new in a target that shares hardly anybody.

    Args:
        blend: what was chosen.
        interactions: training data with what is known of the items.
        options: of the fits; what does not fit into the memory is left out and named.
        linked: people of each target who are known elsewhere, too, of all data (see `linked_people`).
        kinds: only these kinds of models, the bridge being one of `content`; none: all.

    Returns:
        the blend, and a sentence about each target that nothing could judge.
    """
    wanted = [kind for kind in kinds_across(interactions.side) if not kinds or READ_AS[kind] in kinds]
    targets = [target for target in blend.targets if is_unlinked(interactions, target, linked[target])]
    if not targets:
        return blend, []
    allowed, told = what_fits(wanted, DataShape.of(interactions), options)
    for target in targets:
        if not allowed:
            told.append(
                Text(
                    "{target}: fewer than {least} people are known there and elsewhere, and no model of texts or "
                    "triples can lead there; people of other domains get what everybody likes",
                    target=target,
                    least=LEAST_PEOPLE,
                )
            )
            continue
        blend = bridged(blend, target, allowed)
        told.append(
            Text(
                "{target}: fewer than {least} people are known there and elsewhere; what leads there from "
                "other domains ({models}) could not be judged on validation rows",
                target=target,
                least=LEAST_PEOPLE,
                models=", ".join(allowed),
            )
        )
    return blend, told


def kinds_across(side: SideInformation | None) -> list[str]:
    """Kinds of models that lead from one domain into another by what is known of items."""
    return [*(["metapath"] if connects(side) else []), *(["bridge"] if describes(side) else [])]


def what_fits(kinds: Sequence[str], shape: DataShape, options: FitOptions) -> tuple[list[str], list[Text]]:
    """The kinds that memory and `MOST_SECONDS` allow, and a sentence about each other one."""
    fitting, told = [], []
    for kind in kinds:
        try:
            seconds = build(STARTS[kind]).plan(shape, options).seconds
        except ResourceError as error:
            told.append(error.text)
            continue
        if seconds <= MOST_SECONDS:
            fitting.append(kind)
        else:
            told.append(Text("{kind}: left out, a fit would take about {seconds:.0f} s", kind=kind, seconds=seconds))
    return fitting, told


def is_unlinked(interactions: Interactions, target: str, linked: int) -> bool:
    """Whether people are known elsewhere alone, and too few in both to learn or judge anything."""
    known = interactions.domain_counts() > 0
    inside = known[:, interactions.space.index(target)]
    elsewhere = known.sum(axis=1) > inside
    return bool(inside.any() and (elsewhere & ~inside).any()) and linked < LEAST_PEOPLE


def bridged(blend: BlendConfig, target: str, kinds: Sequence[str]) -> BlendConfig:
    """What was chosen serves who is known in the target; who is not gets the models of these kinds."""
    total = sum(WEIGHTS[kind] for kind in kinds) + PADDING
    names = {f"{kind}/unlinked/{target}": kind for kind in kinds}
    popular = Member(name=f"popularity/unlinked/{target}", model=PopularityConfig(), scope="target")
    members = (*(Member(name=name, model=STARTS[kind]) for name, kind in names.items()), popular)
    weights = {name: WEIGHTS[kind] / total for name, kind in names.items()} | {popular.name: PADDING / total}
    new = Mix(target=target, weights=weights)
    others = tuple(mix for mix in blend.mixes if mix.target != target)
    first, *more = blend.mixes_of(target)
    known = [] if more and more[0].at_least == 1 else [first.model_copy(update={"at_least": 1})]
    return BlendConfig(members=(*blend.members, *members), mixes=(*others, new, *known, *more))
