"""Domains that share nobody: what serves people of the others there, when no row can judge it.

Validation rows ask people for what they used in a domain where they are known. Where nobody is known in two domains,
none of them tells what a person of another domain wants, and whatever was chosen knows nothing but popularity for them.
So what leads across is decided beforehand: the knowledge graph and a bridge of texts, with the weights and settings
that did best on validation rows of other data (ADR 23).
"""

from collections.abc import Sequence

from kuajie.core.config import Config
from kuajie.core.histories import Interactions
from kuajie.core.side import SideInformation
from kuajie.core.texts import Text
from kuajie.evaluation.gate import LEAST_PEOPLE
from kuajie.models.blend import BlendConfig, Member, Mix
from kuajie.models.bridge import BridgeConfig
from kuajie.models.item_features import describes
from kuajie.models.metapath import MetaPathConfig
from kuajie.workflows.families import connects

WEIGHTS = {"metapath": 0.5, "bridge": 0.5}
READ_AS = {"metapath": "metapath", "bridge": "content"}
"""Which kind of those that `[training] kinds` may name stands for each."""
STARTS: dict[str, Config] = {"metapath": MetaPathConfig(popularity_power=1.0), "bridge": BridgeConfig()}


def with_bridges(
    blend: BlendConfig, interactions: Interactions, kinds: Sequence[str] = ()
) -> tuple[BlendConfig, list[Text]]:
    """The blend, with what leads across for people who are new in a target that shares hardly anybody.

    Args:
        blend: what was chosen.
        interactions: training data with what is known of the items.
        kinds: only these kinds of models, the bridge being one of `content`; none: all.

    Returns:
        the blend, and a sentence about each target that nothing could judge.
    """
    allowed = [kind for kind in kinds_across(interactions.side) if not kinds or READ_AS[kind] in kinds]
    told = []
    for target in blend.targets:
        if not is_unlinked(interactions, target):
            continue
        if not allowed:
            told.append(
                Text(
                    "{target}: fewer than {least} people are known there and elsewhere, and neither texts nor "
                    "triples lead there; people of other domains get what everybody likes",
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


def is_unlinked(interactions: Interactions, target: str) -> bool:
    """Whether people are known elsewhere, and too few of them in the target, too, to learn or judge anything."""
    counts = interactions.domain_counts() > 0
    inside = counts[:, interactions.space.index(target)]
    elsewhere = counts.sum(axis=1) > inside
    return bool(inside.any() and (elsewhere & ~inside).any()) and int((elsewhere & inside).sum()) < LEAST_PEOPLE


def bridged(blend: BlendConfig, target: str, kinds: Sequence[str]) -> BlendConfig:
    """What was chosen serves who is known in the target; who is not gets the models of these kinds."""
    total = sum(WEIGHTS[kind] for kind in kinds)
    names = {f"{kind}/unlinked/{target}": kind for kind in kinds}
    members = tuple(Member(name=name, model=STARTS[kind]) for name, kind in names.items())
    new = Mix(target=target, weights={name: WEIGHTS[kind] / total for name, kind in names.items()})
    others = tuple(mix for mix in blend.mixes if mix.target != target)
    first, *more = blend.mixes_of(target)
    known = [] if more and more[0].at_least == 1 else [first.model_copy(update={"at_least": 1})]
    return BlendConfig(members=(*blend.members, *members), mixes=(*others, new, *known, *more))
