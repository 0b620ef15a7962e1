"""Blend: weighted sums of other models' scores, with weights that depend on how much of the target is known.

    score(h, T) = sum_m  w_m(T, n) / s_m(T) * score_m(h restricted to the member's scope, T)

`n` is the number of history entries in the target domain. The scale `s_m(T)`, one constant for each member and target,
is fixed at fit, so that linear members stay linear and reasons stay exact.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, Recommender, Scope
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.models.linear import known_items
from kuajie.models.registry import AnyModelConfig, build, model_class
from kuajie.numerics.single import repeats_between

Floats = npt.NDArray[np.float32]
SCALE_PEOPLE = 256
"""People whose scores set a member's scale."""


class Member(Config):
    """One model of a blend and what it may see."""

    name: str
    model: AnyModelConfig
    scope: Scope = "joint"


class Mix(Config):
    """The weights for one target and for histories with at least so many entries of it."""

    target: str
    at_least: Annotated[int, pydantic.Field(ge=0)] = 0
    weights: dict[str, float]


class BlendConfig(Config):
    """Members and mixes; a member without a weight in any mix of a target is not used for it."""

    kind: Literal["blend"] = "blend"
    members: tuple[Member, ...]
    mixes: tuple[Mix, ...]

    @pydantic.model_validator(mode="after")
    def _names_match(self) -> Self:
        names = [member.name for member in self.members]
        unknown = {name for mix in self.mixes for name in mix.weights} - set(names)
        if len(set(names)) != len(names) or unknown:
            raise ValueError(
                Text(
                    "members need distinct names that mixes refer to, got {names} and unknown {unknown}",
                    names=names,
                    unknown=sorted(unknown),
                )
            )
        if any(not any(mix.target == t and mix.at_least == 0 for mix in self.mixes) for t in self.targets):
            raise ValueError(Text("every target needs a mix with at_least = 0"))
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets that have mixes, in order."""
        return tuple(dict.fromkeys(mix.target for mix in self.mixes))

    def mixes_of(self, target: str) -> tuple[Mix, ...]:
        """The mixes of one target, from few known entries to many."""
        mixes = tuple(sorted((m for m in self.mixes if m.target == target), key=lambda mix: mix.at_least))
        if not mixes:
            raise ConfigError(
                "the blend has no mix for '{target}'; it serves {served}", target=target, served=", ".join(self.targets)
            )
        return mixes


@dataclass(frozen=True)
class FitKey:
    """Members that need the same fit share it: target fits differ by target, all others are the joint fit."""

    model: Config
    target: str | None


def fit_key(member: Member, target: str) -> FitKey:
    """Which fit a member uses for a target."""
    return FitKey(member.model, target if member.scope == "target" else None)


def scoped(histories: Histories, space: ItemSpace, scope: Scope, target: str) -> Histories:
    """What a member of this scope sees of the histories."""
    part = space.slice(target)
    if scope == "target":
        return histories.only(part)
    return histories.without(part) if scope == "source" else histories


def fit_scoped(model: Config, target: str | None, interactions: Interactions, options: FitOptions) -> Recommender:
    """Fit a member on everything (`target` None) or on one domain alone."""
    return build(model).fit(interactions if target is None else interactions.only(target), options)


FitOne: TypeAlias = Callable[[Config, str | None, Interactions, FitOptions], Recommender]


def known_by(model: Recommender, target: str) -> npt.NDArray[np.bool_]:
    """The items that a model knows when it scores a target, whether they were used or not: bool (n_items,)."""
    if hasattr(model, "known_of"):
        return np.asarray(model.known_of(target))
    support: npt.NDArray[np.float64] = model.support_  # type: ignore[attr-defined]
    return np.asarray(getattr(model, "known_", support > 0))


def score_scale(scores: Floats) -> float:
    """Root of the mean over rows of the variance over items, of what is known; 1 where nothing varies."""
    known = np.flatnonzero(~np.isnan(scores).all(axis=1))
    if not len(known):
        return 1.0
    rows = scores[np.ix_(known, ~np.isnan(scores[known[0]]))]
    rows = np.nan_to_num(rows - rows.mean(axis=1, keepdims=True), copy=False)
    scale = float(np.sqrt(np.vdot(rows, rows) / rows.size)) if rows.size else 0.0
    return scale if np.isfinite(scale) and scale > 0 else 1.0


class Blend:
    """Fitted members, their scales, and the mixes of the config."""

    config_type: ClassVar[type[BlendConfig]] = BlendConfig

    def __init__(self, config: BlendConfig) -> None:
        self.config = config
        self.space_: ItemSpace
        self.support_: npt.NDArray[np.float64]
        self.fits_: dict[FitKey, Recommender] = {}
        self.scales_: dict[tuple[str, str], float] = {}

    @property
    def contains_histories(self) -> bool:
        """True where a member's state holds people's rows."""
        return any(model.contains_histories for model in self.fits_.values())

    def members_of(self, target: str) -> list[Member]:
        """Members with a weight other than 0 in some mix of the target."""
        used = {name for mix in self.config.mixes_of(target) for name, weight in mix.weights.items() if weight}
        return [member for member in self.config.members if member.name in used]

    def known_of(self, target: str) -> npt.NDArray[np.bool_]:
        """Items that some member knows, trained ones among them: bool (n_items,); all others score NaN.

        What a member does not know counts 0 in its place, so that an item that only content or a graph knows is ranked
        by what they say.
        """
        known = self.support_ > 0
        for member in self.members_of(target):
            known = known | known_by(self.fits_[fit_key(member, target)], target)
        return known

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Members are fitted one after the other; their states add up to at most the sum of the peaks."""
        plans = [build(key.model).plan(shape, options) for key in self._keys()]
        memory = sum(plan.memory_bytes for plan in plans)
        return Plan("members", max(memory, 1), max(sum(plan.seconds for plan in plans), 1e-3))

    def fit(
        self, interactions: Interactions, options: FitOptions | None = None, fit_one: "FitOne | None" = None
    ) -> Self:
        """Fit every distinct member once and fix its scales; `fit_one` in the place of `fit_scoped`."""
        options, fit_one = options or FitOptions(), fit_one or fit_scoped
        self.space_, self.support_ = interactions.space, interactions.support()
        self.fits_ = {key: fit_one(key.model, key.target, interactions, options) for key in self._keys()}
        sample = interactions.histories.take(scale_sample(interactions, options.seed))
        for target in self.config.targets:
            for member in self.members_of(target):
                scores = self._member_scores(member, sample, target)
                self.scales_[member.name, target] = score_scale(scores)
        return self

    def _keys(self) -> Iterable[FitKey]:
        return dict.fromkeys(fit_key(m, target) for target in self.config.targets for m in self.members_of(target))

    def _member_scores(self, member: Member, histories: Histories, target: str) -> Floats:
        seen = scoped(histories, self.space_, member.scope, target)
        return self.fits_[fit_key(member, target)].score(seen, target)

    def coefficients(self, histories: Histories, target: str) -> dict[str, Floats]:
        """Weight over scale of each member for each row: (n_rows,)."""
        mixes = self.config.mixes_of(target)
        part = self.space_.slice(target)
        mix_of_row = mix_numbers(histories, part, mixes)
        return {
            member.name: (
                np.array([mix.weights.get(member.name, 0.0) for mix in mixes])[mix_of_row]
                / self.scales_[member.name, target]
            ).astype(np.float32)
            for member in self.members_of(target)
        }

    def score(self, histories: Histories, target: str) -> Floats:
        """Weighted sum; a member without a score for an entry adds nothing there."""
        return self.score_parts(histories, target)[0]

    def score_parts(self, histories: Histories, target: str, keep: bool = False) -> tuple[Floats, dict[str, Floats]]:
        """The weighted sum, and what each member alone gives (where its weight is not 0), if that is to be kept."""
        part = self.space_.slice(target)
        total = np.zeros((histories.n_rows, part.stop - part.start), dtype=np.float32)
        coefficients = self.coefficients(histories, target)
        parts = {}
        for member in self.members_of(target):
            coefficient = coefficients[member.name]
            rows = np.flatnonzero(coefficient)
            if keep:
                parts[member.name] = np.full(total.shape, np.nan, np.float32)
            if len(rows):
                scores = self._member_scores(member, histories.take(rows), target)
                if keep:
                    parts[member.name][rows] = scores
                total[rows] += coefficient[rows, None] * np.nan_to_num(scores, copy=False, nan=0.0)
        known = self.known_of(target)
        total[:, ~known[part]] = np.nan
        return without_unknown_rows(total, histories, known), parts

    def explain(self, histories: Histories, target: str, items: npt.NDArray[np.int64]) -> Explanation:
        """The members' explanations, weighted and added."""
        known = np.unique(histories.items).astype(np.int32)
        contributions, base, exact = np.zeros((len(items), len(known))), np.zeros(len(items)), True
        coefficients = self.coefficients(histories, target)
        for member in self.members_of(target):
            coefficient = float(coefficients[member.name][0])
            if coefficient == 0:
                continue
            seen = scoped(histories, self.space_, member.scope, target)
            part = self.fits_[fit_key(member, target)].explain(seen, target, items)
            columns = np.searchsorted(known, part.history_items)
            contributions[:, columns] += coefficient * np.nan_to_num(part.contributions)
            base += coefficient * np.nan_to_num(part.base)
            exact &= part.exact
        limits = [mix.at_least for mix in self.config.mixes_of(target)]
        stays = not removal_changes_mix(histories.items, self.space_.slice(target), limits)
        return Explanation(known, contributions, base, exact and stays)

    def arrays(self) -> Arrays:
        """The members' arrays under numbered names, the scales and the support."""
        arrays: Arrays = {"support": self.support_}
        for number, model in enumerate(self.fits_.values()):
            arrays |= {f"fit{number}.{name}": array for name, array in model.arrays().items()}
        for target in self.config.targets:
            scales = [self.scales_[member.name, target] for member in self.members_of(target)]
            arrays[f"scales.{self.space_.index(target)}"] = np.array(scales, dtype=np.float64)
        return arrays

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted blend again."""
        blend = cls(config)  # type: ignore[arg-type]
        blend.space_, blend.support_ = space, np.asarray(arrays["support"], dtype=np.float64)
        for number, key in enumerate(blend._keys()):
            prefix = f"fit{number}."
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            kind = key.model.kind  # type: ignore[attr-defined]
            blend.fits_[key] = model_class(kind).from_arrays(key.model, space, own)
        for target in blend.config.targets:
            scales = arrays[f"scales.{space.index(target)}"]
            for member, scale in zip(blend.members_of(target), scales, strict=True):
                blend.scales_[member.name, target] = float(scale)
        return blend


def without_unknown_rows(total: Floats, histories: Histories, known: npt.NDArray[np.bool_]) -> Floats:
    """NaN for rows that no member knows: without a known item, or with nothing but zeros; changes `total`."""
    total[known_items(histories, known) == 0] = np.nan
    total[~np.nan_to_num(total).any(axis=1)] = np.nan
    return total


def removal_changes_mix(items: npt.NDArray[np.integer], part: slice, limits: Iterable[int]) -> bool:
    """Whether removing one item with all its repeats may move a history into another mix: shares are then approximate.

    Args:
        items: of a single history, repeats kept.
        part: the target's slice.
        limits: `at_least` of its mixes.
    """
    count, most = repeats_between(items.astype(np.int32, copy=False), part.start, part.stop)
    return any(count - most < limit <= count for limit in limits)


def count_in(histories: Histories, part: slice) -> npt.NDArray[np.int64]:
    """Entries of each row inside one slice of the item space."""
    inside = (histories.items >= part.start) & (histories.items < part.stop)
    return np.bincount(histories.rows()[inside], minlength=histories.n_rows)


def mix_numbers(histories: Histories, part: slice, mixes: tuple[Mix, ...]) -> npt.NDArray[np.int64]:
    """Which of the mixes, sorted by `at_least`, each row uses."""
    limits = np.array([mix.at_least for mix in mixes])
    return np.searchsorted(limits, count_in(histories, part), side="right") - 1


def scale_sample(interactions: Interactions, seed: int) -> npt.NDArray[np.int64]:
    """People with a history, at most `SCALE_PEOPLE`, drawn from the seed."""
    people = np.flatnonzero(interactions.histories.lengths)
    if len(people) <= SCALE_PEOPLE:
        return people
    return np.sort(np.random.default_rng(seed).choice(people, SCALE_PEOPLE, replace=False))
