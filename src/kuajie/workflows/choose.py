"""Choose: what `auto` does. Try candidates on validation rows, weigh them, gate the transfer: a blend's config.

Nothing here sees a test row. The way: pools of validation rows -> trials of every family within the budget -> the best
trial of each family and scope -> blend weights -> joint or target-only for each group by known target history.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.errors import DataError, ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress, silent
from kuajie.core.recommender import DataShape, FitOptions, Recommender, Scope
from kuajie.core.space import ItemSpace
from kuajie.evaluation.tasks import RankingTask
from kuajie.evaluation.weights import row_ndcg
from kuajie.models.blend import BlendConfig, Member, Mix, fit_scoped, scale_sample, scoped, score_scale
from kuajie.models.popularity import PopularityConfig
from kuajie.models.registry import build
from kuajie.workflows.families import Family, families
from kuajie.workflows.mixing import MixChoice, Trial, choose_mixes
from kuajie.workflows.trials import Pool, best_items, hard_pool, sampled_pool, score_pool, whole_pool


class ChooseConfig(Config):
    """The budget of choosing.

    Attributes:
        seconds: no new fit starts after so many; what was not tried is named.
        people: fits for choosing use at most so many people; more are sampled.
        rows: validation rows of each target.
        negatives: candidates that each row is judged on.
        k: NDCG@k is what choices are made by.
        kinds: only models of these kinds; none: all.
    """

    seconds: Annotated[float, Field(gt=0)] = 90.0
    people: Annotated[int, Field(ge=100)] = 20_000
    rows: Annotated[int, Field(ge=50)] = 3_000
    negatives: Annotated[int, Field(ge=10)] = 500
    k: Annotated[int, Field(ge=1)] = 10
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, and why.

    Attributes:
        config: the blend to fit on all data.
        mixes: the decision for each target.
        trials: family, scope, target and validation NDCG of everything tried, best first.
        skipped: sentences about what was not tried.
    """

    config: BlendConfig
    mixes: Mapping[str, MixChoice]
    trials: Sequence[tuple[str, str, str, dict[str, Any], float]]
    skipped: Sequence[str]

    def summary(self, target: str) -> dict[str, Any]:
        """What was chosen for one target, for reports and JSON."""
        used = {name for mix in self.config.mixes_of(target) for name in mix.weights}
        return {
            "members": {
                m.name: m.model.model_dump(mode="json", exclude_defaults=True)
                | {"kind": m.model.kind, "scope": m.scope}
                for m in self.config.members
                if m.name in used
            },
            "mixes": [mix.model_dump(mode="json") for mix in self.config.mixes_of(target)],
            **self.mixes[target].summary(),
            "skipped": list(self.skipped),
        }


def choose(
    interactions: Interactions,
    tasks: Mapping[str, RankingTask],
    options: FitOptions | None = None,
    *,
    config: ChooseConfig | None = None,
    progress: Progress = silent,
) -> Choice:
    """Choose a blend for every target; one without validation rows gets popularity.

    Args:
        interactions: training data without the validation rows.
        tasks: validation rows by target.
        options: seed, threads and memory of the fits.
        config: the budget.
        progress: told each trial.

    Raises:
        DataError: no model could be tried within the budget.
    """
    config, options = config or ChooseConfig(), options or FitOptions()
    rng = np.random.default_rng([options.seed, 77])
    bench = Bench(some_people(interactions, config.people, rng), options, config, progress)
    bench.open_pools({t: some_rows(task, config.rows, rng) for t, task in tasks.items() if task.n_rows}, rng)
    if bench.pools:
        for family in families(interactions.space, interactions.histories.order, config.kinds):
            bench.try_family(family)
    decided = {
        target: choose_mixes(pool, bench.best_trials(target), options.seed, config.k, options.threads)
        for target, pool in bench.pools.items()
    }
    blend = blend_of(decided, interactions.space)
    blind = [
        f"{t}: nobody has enough history to validate on; it gets popularity" for t in blend.targets if t not in decided
    ]
    trials = sorted(bench.log, key=lambda entry: (entry[2], -entry[4]))
    return Choice(blend, decided, trials, [*bench.skipped, *blind])


def blend_of(decided: Mapping[str, MixChoice], space: ItemSpace) -> BlendConfig:
    """The blend of all targets; those that nothing was decided for get popularity."""
    members: dict[str, Member] = {}
    mixes: list[Mix] = []
    for target in space.domains:
        if target in decided:
            mixes += decided[target].mixes
            for trial in decided[target].used:
                members[trial.name] = Member(name=trial.name, model=trial.config, scope=trial.scope)
        elif space.sizes[space.index(target)]:
            name = f"popularity/target/{target}"
            members[name] = Member(name=name, model=PopularityConfig(), scope="target")
            mixes.append(Mix(target=target, weights={name: 1.0}))
    return BlendConfig(members=tuple(members.values()), mixes=tuple(mixes))


def some_rows(task: RankingTask, most: int, rng: np.random.Generator) -> RankingTask:
    """At most so many rows, drawn at random."""
    if task.n_rows <= most:
        return task
    return task.take(np.sort(rng.choice(task.n_rows, most, replace=False)))


def some_people(interactions: Interactions, most: int, rng: np.random.Generator) -> Interactions:
    """At most so many people with a history, drawn at random."""
    active = np.flatnonzero(interactions.histories.lengths)
    if len(active) <= most:
        return interactions
    kept = np.sort(rng.choice(active, most, replace=False))
    return Interactions(interactions.space, interactions.histories.take(kept))


@dataclass(eq=False)
class Bench:
    """Fits models and keeps what they scored."""

    interactions: Interactions
    options: FitOptions
    config: ChooseConfig
    progress: Progress
    pools: dict[str, Pool] = field(default_factory=dict)
    best: dict[tuple[str, Scope, str], Trial] = field(default_factory=dict)
    log: list[tuple[str, str, str, dict[str, Any], float]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = time.monotonic()
        self.space = self.interactions.space
        self.shape = DataShape.of(self.interactions)
        self.scale_rows = self.interactions.histories.take(scale_sample(self.interactions, self.options.seed))
        self.support = self.interactions.support()

    def open_pools(self, tasks: Mapping[str, RankingTask], rng: np.random.Generator) -> None:
        """Decide on which candidates each target is judged."""
        for target, task in tasks.items():
            if task.candidates is not None:
                self.pools[target] = sampled_pool(task, self.config.negatives, rng)
            elif task.n_items <= self.config.negatives:
                self.pools[target] = whole_pool(task)
            else:
                self.pools[target] = self._hard_pool(task, rng)

    def _hard_pool(self, task: RankingTask, rng: np.random.Generator) -> Pool:
        """What simple models of different kinds rank highest."""
        scouts = [f.grid[0] for f in families(self.space, self.interactions.histories.order, ()) if f.scout]
        each = self.config.negatives // max(2 * len(scouts), 1)
        favourites = []
        for scout in scouts:
            for target in (None, task.domain):
                scope: Scope = "joint" if target is None else "target"
                model = fit_scoped(scout, target, self.interactions, self.options)
                favourites.append(best_items(model, task, scope, self.space, each))
        return hard_pool(task, self.config.negatives, favourites, rng)

    @property
    def spent(self) -> float:
        """Seconds since the bench was opened."""
        return time.monotonic() - self.start

    def try_family(self, family: Family) -> None:
        """Every config of the family's grid, jointly and for each target alone, while there is time."""
        for number, config in enumerate(family.grid):
            if "joint" in family.scopes or "source" in family.scopes:
                self._try(family, config, None)
            if "target" in family.scopes:
                for target in self.pools:
                    if self.pools[target].task.target_lengths.any() or not family.personal:
                        self._try(family, config, target)
            self.progress(f"try {family.name}", number + 1, len(family.grid))

    def _try(self, family: Family, config: Config, target: str | None) -> None:
        scope_word = f"{family.name} {'joint' if target is None else target + ' alone'}"
        try:
            plan = build(config).plan(self.shape, self.options)
        except ResourceError as error:
            self._skip(f"{scope_word}: {error}")
            return
        if self.spent + plan.seconds > self.config.seconds:
            self._skip(f"{scope_word}: predicted {plan.seconds:.0f} s do not fit into the {self.config.seconds:.0f} s")
            return
        model = fit_scoped(config, target, self.interactions, self.options)
        for name, pool in self.pools.items():
            if target in (None, name):
                for scope in family.scopes:
                    if (scope == "target") == (target is not None) and not self._pointless(scope, pool, family):
                        self._record(family, config, scope, pool, model)

    def _skip(self, sentence: str) -> None:
        if sentence not in self.skipped:
            self.skipped.append(sentence)

    def _pointless(self, scope: Scope, pool: Pool, family: Family) -> bool:
        """Without target rows in any history, source is joint."""
        return scope == "source" and "joint" in family.scopes and not pool.task.target_lengths.any()

    def _record(self, family: Family, config: Config, scope: Scope, pool: Pool, model: Recommender) -> None:
        """Score the pool once; powers of popularity only scale its columns."""
        part = self.space.slice(pool.target)
        raw = score_pool(model, pool, scope, self.space)
        sample = model.score(scoped(self.scale_rows, self.space, scope, pool.target), pool.target)
        for power in family.powers:
            factor = (self.support[part] ** power).astype(np.float32)
            scale = np.float32(score_scale(sample * factor))
            scores = raw * (factor[pool.items] / scale)
            variant = config.model_copy(update={"popularity_power": power}) if power else config
            ndcg = float(row_ndcg(np.nan_to_num(scores, nan=-np.inf), self.config.k).mean())
            self.log.append((family.name, scope, pool.target, variant.model_dump(exclude_defaults=True), ndcg))
            key = (family.name, scope, pool.target)
            if key not in self.best or ndcg > self.best[key].ndcg:
                self.best[key] = Trial(family.name, variant, scope, pool.target, scores, ndcg)

    def best_trials(self, target: str) -> list[Trial]:
        """The best trial of each family and scope for one target.

        Raises:
            DataError: nothing could be fitted.
        """
        found = [trial for (_, _, name), trial in self.best.items() if name == target]
        if not found:
            raise DataError(f"no model could be tried for '{target}': {'; '.join(self.skipped)}")
        return found
