"""Ranker: two stages. Generators find candidates, a learned order of trees ranks them.

    candidates(h, T) = the best items of each generator;   score = sum of trees over features of (h, item)

Everything that is not a candidate stands below, in the order of the first generator. Sums of trees have no particular
zero; each row is shifted, so that candidates have 1 and more and the rest 0 to 1/2.

Trees are learned point in time: from what people used after a moment, with generators and features that know only what
was before it (`ranker_folds`); then the generators are fitted on everything. Without times, some people lose an item
each instead.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from kuajie.core.config import Config
from kuajie.core.errors import ArtifactError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import Arrays, DataShape, Explanation, FitOptions, Plan, Recommender, per_item
from kuajie.core.space import ItemSpace
from kuajie.core.texts import Text
from kuajie.models.als import ALSConfig
from kuajie.models.blend import BlendConfig, Member, fit_scoped, known_by, scoped
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.linear import mask_unknown
from kuajie.models.popularity import PopularityConfig
from kuajie.models.ranker_facts import Facts
from kuajie.models.ranker_folds import Fold, people_fold, time_fold, timed
from kuajie.models.ranker_stage import FirstStage, Profile
from kuajie.models.ranker_trees import Boosting, Groups, grow, lightgbm_or_refuse
from kuajie.models.registry import AnyModelConfig, build, model_class
from kuajie.models.sequence import SequenceConfig
from kuajie.numerics.jit import F32
from kuajie.numerics.trees import Trees

Count = Annotated[int, pydantic.Field(ge=1)]
Positive = Annotated[float, pydantic.Field(gt=0)]
BATCH_CELLS = 4 * 2**20
"""Scores of one generator held at a time."""
LEAST_GROUPS = 50
"""With fewer examples whose item a generator found, nothing is learned for a target and the first generator decides."""
HELD_OUT = 0.2
"""Of the examples: what says when to stop growing trees."""
REMOVED = 30
"""Entries of a history that are removed one by one to see what they carry: the heaviest, and the newest of them."""


Key = tuple[str, str | None]
"""What is fitted, as JSON, and on which domain alone; None: on everything."""


class Generator(Member):
    """A model that finds candidates, and what it may see.

    Attributes:
        ordered: it is left out where histories have no order.
    """

    model: Annotated[AnyModelConfig | BlendConfig, pydantic.Field(discriminator="kind")]  # type: ignore[assignment]
    ordered: bool = False


DEFAULT_GENERATORS = (
    Generator(name="sequence", model=SequenceConfig(), ordered=True),
    Generator(name="als", model=ALSConfig(iterations=8)),
    Generator(name="itemknn", model=ItemKNNConfig(k=200, shrinkage=20.0)),
    Generator(name="popularity", model=PopularityConfig(), scope="target"),
)


class RankerConfig(Config):
    """Two stages.

    Attributes:
        generators: what finds candidates; the first one orders everything that is no candidate.
        targets: domains that are ranked anew; none: all. In the others the first generator's order stays.
        depth: best items of each generator that become candidates.
        fold: what trees learn from: the newest events (`time`), or one item of some people (`people`); `auto`: by time
            where at least half of the events have one.
        share: of the events, or of the people, that is asked for.
        examples: at most so many, over all targets.
        rounds, leaves, learning_rate, least_rows: of the trees.
        labels: fields of the side information whose share in the history is a feature.
        graph_steps: how far the graph of the side information is walked; 0: not at all.
        profile_features: columns that `fit` and `score` are given from outside.
        repeats: whether items of the history may be candidates, for domains where people come back to them.
    """

    kind: Literal["ranker"] = "ranker"
    generators: Annotated[tuple[Generator, ...], pydantic.Field(min_length=1)] = DEFAULT_GENERATORS
    targets: tuple[str, ...] = ()
    depth: Count = 100
    fold: Literal["auto", "time", "people"] = "auto"
    share: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.2
    examples: Count = 20_000
    rounds: Count = 200
    leaves: Annotated[int, pydantic.Field(ge=2)] = 15
    learning_rate: Positive = 0.05
    least_rows: Count = 100
    labels: tuple[str, ...] = ("category", "brand")
    graph_steps: Annotated[int, pydantic.Field(ge=0)] = 2
    profile_features: Annotated[int, pydantic.Field(ge=0)] = 0
    repeats: bool = False

    @pydantic.model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [generator.name for generator in self.generators]
        if len(set(names)) != len(names) or all(generator.ordered for generator in self.generators):
            raise ValueError(
                Text("generators need distinct names, and one that needs no order, got {names}", names=names)
            )
        return self

    @property
    def boosting(self) -> Boosting:
        """How trees are grown."""
        return Boosting(self.rounds, self.leaves, self.learning_rate, self.least_rows)


class Ranker:
    """Fitted generators, facts and trees for each target."""

    config_type: ClassVar[type[RankerConfig]] = RankerConfig

    def __init__(self, config: RankerConfig | None = None) -> None:
        self.config = config or RankerConfig()
        self.space_: ItemSpace
        self.support_: npt.NDArray[np.float64]
        self.fits_: dict[Key, Recommender] = {}
        self.ordered_: bool
        self.facts_: Facts
        self.known_by_: dict[str, npt.NDArray[np.bool_]] = {}
        self.trees_: dict[str, Trees] = {}

    @property
    def contains_histories(self) -> bool:
        """True where a generator's state holds people's rows."""
        return any(model.contains_histories for model in self.fits_.values())

    def plan(self, shape: DataShape, options: FitOptions) -> Plan:
        """Generators are fitted twice, examples scored once, trees grown."""
        plans = [build(generator.model).plan(shape, options) for generator in self.config.generators]
        n_features = 3 * len(plans) + 20
        pairs = min(self.config.examples, shape.n_entries) * self.config.depth * len(plans)
        seconds = 2 * sum(plan.seconds for plan in plans) + 3e-5 * pairs
        memory = sum(plan.memory_bytes for plan in plans) + 8 * pairs * n_features
        return Plan("two stages", max(memory, 1), max(seconds, 1e-3))

    def fit(
        self, interactions: Interactions, options: FitOptions | None = None, profile: Profile | None = None
    ) -> Self:
        """Learn the order on a fold, then fit the generators on everything.

        Raises:
            MissingExtraError: LightGBM is not installed.
        """
        options = options or FitOptions()
        lightgbm_or_refuse()  # before minutes are spent
        self.space_, self.support_ = interactions.space, interactions.support()
        self.ordered_ = interactions.histories.order != "none"
        self.trees_ = self._learn(self.fold(interactions, options.seed), options, profile)
        for target in self._targets:
            if target not in self.trees_:
                options.progress(
                    Text("ranker: too few examples for {target}, the first generator decides", target=target), 1, 1
                )
        self.fits_ = self._fit_generators(interactions, options)
        self.facts_ = Facts.of(interactions, self.config.labels)
        self.known_by_ = {target: self._known(target) for target in self.space_.domains}
        self.__dict__.pop("stage", None)  # of an earlier fit
        return self

    def _known(self, target: str) -> npt.NDArray[np.bool_]:
        known = self.support_ > 0
        for each in self._generators if self.space_.sizes[self.space_.index(target)] else ():
            known = known | known_by(self.fits_[key_of(each, target)], target)
        return known

    def known_of(self, target: str) -> npt.NDArray[np.bool_]:
        """Items that some generator knows, trained ones among them: bool (n_items,); all others score NaN."""
        return self.known_by_[target]

    def _learn(self, fold: Fold, options: FitOptions, profile: Profile | None) -> dict[str, Trees]:
        """The trees of each target that has enough examples."""
        asked = {target: len(fold.inside(self.space_.slice(target))) for target in self._targets}
        if max(asked.values(), default=0) < LEAST_GROUPS or not len(fold.known.histories.items):
            return {}
        stage = self._stage(self._fit_generators(fold.known, options), Facts.of(fold.known, self.config.labels))
        trees = {}
        for target in (target for target, count in asked.items() if count >= LEAST_GROUPS):
            groups, people = self.examples(stage, fold, target, profile, options.threads)
            held_out = _held_out(people)
            if len(people) >= LEAST_GROUPS and min(held_out.sum(), (~held_out).sum()) >= LEAST_GROUPS * HELD_OUT / 2:
                trees[target] = grow(groups.take(~held_out), groups.take(held_out), self.config.boosting, options)
        return trees

    @property
    def _targets(self) -> tuple[str, ...]:
        return self.config.targets or self.space_.domains

    def fold(self, interactions: Interactions, seed: int) -> Fold:
        """What trees are learned from; see `ranker_folds`."""
        config, rng = self.config, np.random.default_rng([seed, 21])
        by_time = config.fold == "time" or (config.fold == "auto" and timed(interactions.histories))
        make = time_fold if by_time else people_fold
        return make(interactions, config.share, config.examples, rng, repeats=config.repeats)

    def examples(
        self, stage: FirstStage, fold: Fold, target: str, profile: Profile | None = None, threads: int = 1
    ) -> tuple[Groups, npt.NDArray[np.int64]]:
        """The examples of a target whose item some generator found, and whose they are: groups, int64 (n_groups,)."""
        part = self.space_.slice(target)
        asked = fold.inside(part)
        features, relevant, sizes, people = [], [], [], []
        for chosen in _batches(asked, part.stop - part.start):
            histories = fold.histories.take(chosen)
            extra = None if profile is None else profile(histories)
            found = stage.candidates(histories, target, extra, threads)
            right = found.items == (fold.items[chosen] - part.start)[found.rows]
            useful = np.zeros(len(chosen), bool)
            useful[found.rows[right]] = True
            kept = useful[found.rows]
            features.append(found.features[kept])
            relevant.append(right[kept])
            sizes.append(np.bincount(found.rows, minlength=len(chosen))[useful])
            people.append(fold.people[chosen][useful])
        groups = Groups(
            np.concatenate([np.empty((0, len(stage.names(target))), np.float32), *features]),
            np.concatenate([np.empty(0, bool), *relevant]),
            np.concatenate([np.empty(0, np.int64), *sizes]),
        )
        return groups, np.concatenate([np.empty(0, np.int64), *people])

    @property
    def _generators(self) -> list[Generator]:
        return [each for each in self.config.generators if self.ordered_ or not each.ordered]

    def _fits(self) -> dict[Key, Config]:
        """The distinct fits that generators need: what is fitted, and on which domain alone."""
        return {key_of(each, target): each.model for target in self.space_.domains for each in self._generators}

    def _fit_generators(self, interactions: Interactions, options: FitOptions) -> dict[Key, Recommender]:
        return {key: fit_scoped(model, key[1], interactions, options) for key, model in self._fits().items()}

    def _stage(self, fits: Mapping[Key, Recommender], facts: Facts) -> FirstStage:
        named = {
            each.name: (each, {target: fits[key_of(each, target)] for target in self.space_.domains})
            for each in self._generators
        }
        config = self.config
        facts = facts if config.graph_steps else replace(facts, edges=None)
        return FirstStage(
            self.space_, named, facts, config.depth, config.graph_steps, config.repeats, config.profile_features
        )

    @cached_property
    def stage(self) -> FirstStage:
        """The generators and facts that serve."""
        return self._stage(self.fits_, self.facts_)

    def score(
        self, histories: Histories, target: str, profile: npt.NDArray[np.floating] | None = None
    ) -> npt.NDArray[np.float32]:
        """Scores (n_rows, items of the target domain): of the trees for candidates, below them the first generator's.

        Args:
            histories: one row for each person.
            target: the domain to recommend from.
            profile: (n_rows, profile_features), where the config asks for some; left out: unknown.
        """
        part, stage = self.space_.slice(target), self.stage
        out = np.empty((histories.n_rows, part.stop - part.start), np.float32)
        for rows in _batches(np.arange(histories.n_rows), out.shape[1]):
            out[rows] = self._ranked(stage, histories.take(rows), target, None if profile is None else profile[rows])
        return mask_unknown(out, histories, self.known_by_[target], part)

    def _ranked(
        self, stage: FirstStage, histories: Histories, target: str, profile: npt.NDArray[np.floating] | None
    ) -> F32:
        if target not in self.trees_:
            first, models = next(iter(stage.generators.values()))
            return below(models[target].score(scoped(histories, self.space_, first.scope, target), target))
        found = stage.candidates(histories, target, profile)
        scores = self.trees_[target].predict(found.features)
        lowest = np.full(histories.n_rows, np.inf)
        np.minimum.at(lowest, found.rows, scores)
        out = below(found.base)
        out[found.rows, found.items] = 1 + scores - lowest[found.rows]
        return out

    def explain(
        self,
        histories: Histories,
        target: str,
        items: npt.NDArray[np.int64],
        scored: npt.NDArray[np.floating] | None = None,
    ) -> Explanation:
        """How far each score falls when one history item is removed; what no removal takes away is the base.

        Falls that sum to more than the score are scaled down to it. What is ordered by the first generator is explained
        by it.

        Args:
            histories: one row.
            target: the domain of the items.
            items: int64 (n,), numbers inside the target.
            scored: (n,), their scores where they are known; left out: they are computed.
        """
        distinct = np.unique(histories.items).astype(np.int32)
        scored = self.score(histories, target)[0, items] if scored is None else scored
        scores = np.nan_to_num(scored.astype(np.float64))
        falls, ranked = np.zeros((len(items), len(distinct))), (scores >= 1) & (target in self.trees_)
        if ranked.any():
            falls[ranked] = self._falls(histories, target, items[ranked], distinct)
        if not ranked.all():
            falls[~ranked] = self._said_by_first(histories, target, items[~ranked], distinct)
        total = np.maximum(falls, 0).sum(axis=1)
        falls *= np.divide(scores, total, out=np.ones_like(total), where=total > scores)[:, None]
        base = np.maximum(scores - np.maximum(falls, 0).sum(axis=1), 0)
        return Explanation(distinct, falls, base, exact=False)

    def _falls(
        self, histories: Histories, target: str, items: npt.NDArray[np.int64], distinct: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float64]:
        """How far the trees' sums of some candidates fall without each of the heaviest entries: (n, distinct)."""
        numbers = np.searchsorted(distinct, histories.items)
        newest = np.zeros(len(distinct), np.int64)
        newest[numbers] = np.arange(len(numbers))
        weights = np.bincount(numbers, histories.weights, len(distinct))
        chosen = np.lexsort((-newest, -weights))[:REMOVED]
        copies = histories.take(np.zeros(len(chosen) + 1, dtype=np.int64))
        removed = np.concatenate([[-1], distinct[chosen]])[copies.rows()]
        only, places = np.unique(items, return_inverse=True)
        found = self.stage.candidates(copies.keep(copies.items != removed), target, only=only)
        sums = self.trees_[target].predict(found.features).reshape(len(chosen) + 1, len(only))[:, places]
        falls = np.zeros((len(items), len(distinct)))
        falls[:, chosen] = (sums[0] - sums[1:]).T
        return falls

    def _said_by_first(
        self, histories: Histories, target: str, items: npt.NDArray[np.int64], distinct: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float64]:
        """The first generator's contributions on the scale of `below`: (n, distinct)."""
        member, models = next(iter(self.stage.generators.values()))
        seen = scoped(histories, self.space_, member.scope, target)
        scores = models[target].score(seen, target)
        said = models[target].explain(seen, target, items)
        falls = np.zeros((len(items), len(distinct)))
        falls[:, np.searchsorted(distinct, said.history_items)] = np.nan_to_num(said.contributions)
        return np.asarray(falls / (2 * _range(scores)[1][0, 0]))

    def arrays(self) -> Arrays:
        """The generators' arrays under numbered names, the facts, and the trees of each target."""
        arrays: Arrays = {"support": self.support_, "ordered": np.array([self.ordered_], np.uint8)}
        arrays |= {f"facts.{name}": array for name, array in self.facts_.arrays().items()}
        for number, key in enumerate(self._fits()):
            arrays |= {f"fit{number}.{name}": array for name, array in self.fits_[key].arrays().items()}
        for target, known in self.known_by_.items():
            arrays[f"known.{self.space_.index(target)}"] = known
        for target, trees in self.trees_.items():
            arrays |= {f"trees{self.space_.index(target)}.{name}": array for name, array in trees.arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, config: Config, space: ItemSpace, arrays: Arrays) -> Self:
        """The fitted ranker again.

        Raises:
            ArtifactError: arrays are missing or do not fit together.
        """
        ranker = cls(config)  # type: ignore[arg-type]
        ranker.space_, ranker.support_ = space, np.asarray(per_item(arrays, "support", space), np.float64)
        if "ordered" not in arrays or arrays["ordered"].shape != (1,):
            raise ArtifactError("the stored ranker does not say whether its histories are ordered. Train again.")
        ranker.ordered_ = bool(arrays["ordered"][0])
        ranker.facts_ = Facts.from_arrays(_under(arrays, "facts."), space, ranker.support_, ranker.config.labels)
        for number, (key, model) in enumerate(ranker._fits().items()):
            own = _under(arrays, f"fit{number}.")
            kind = model.kind  # type: ignore[attr-defined]
            ranker.fits_[key] = model_class(kind).from_arrays(model, space, own)
        for target in space.domains:
            known = per_item(arrays, f"known.{space.index(target)}", space)
            ranker.known_by_[target] = np.asarray(known, np.bool_)
            own = _under(arrays, f"trees{space.index(target)}.")
            if own:
                ranker.trees_[target] = Trees.from_arrays(own, len(ranker.stage.names(target)))
        return ranker


def key_of(generator: Generator, target: str) -> Key:
    """Which fit a generator uses for a target."""
    return generator.model.model_dump_json(), target if generator.scope == "target" else None


def below(base: F32) -> F32:
    """Scores brought between 0 and 1/2, in their order; 0 where unknown."""
    low, span = _range(base)
    return np.asarray(np.nan_to_num((base - low) / span, nan=0.0) / 2, np.float32)


def _range(base: F32) -> tuple[F32, F32]:
    """The least known score of each row, 0 if none, and how far the largest is from it, 1 if nowhere: (n_rows, 1)."""
    known = np.where(np.isnan(base), np.inf, base)
    low = known.min(axis=1, keepdims=True, initial=np.inf)
    high = np.nan_to_num(base, nan=-np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    span = np.where(np.isfinite(low) & (high > low), high - low, np.float32(1))
    return np.where(np.isfinite(low), low, np.float32(0)), span


def _under(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _batches(rows: npt.NDArray[np.int64], width: int) -> list[npt.NDArray[np.int64]]:
    size = max(1, BATCH_CELLS // max(width, 1))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _held_out(people: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """A share of the people, whatever else there is: spread by their number."""
    spread = people.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray((spread >> np.uint64(40)) / 2**24 < HELD_OUT)
