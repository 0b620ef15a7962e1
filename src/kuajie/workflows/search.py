"""Searching the configs of model families on validation pools, one setting after the other, within a budget.

Fits are what costs: a fitted model is kept while its neighbours are tried, and settings that only touch scoring are
tried on the fitted arrays.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.errors import DataError, ResourceError
from kuajie.core.histories import Interactions
from kuajie.core.progress import Progress
from kuajie.core.recommender import DataShape, FitOptions, Recommender, Scope
from kuajie.evaluation.tuning import changed
from kuajie.evaluation.weights import row_ndcg
from kuajie.models.blend import fit_scoped, scale_sample, scoped, score_scale
from kuajie.models.linear import LinearModel
from kuajie.models.registry import build
from kuajie.workflows.families import Family
from kuajie.workflows.mixing import Trial
from kuajie.workflows.trials import Pool, score_pool

Floats = npt.NDArray[np.float32]
KEPT_FITS = 3
LogEntry = tuple[str, str, str, dict[str, Any], float]
"""Family, scope, target, settings that differ from the defaults, validation NDCG."""


@dataclass(frozen=True)
class Way:
    """A scope for one target: what is searched on its own."""

    scope: Scope
    target: str

    @property
    def alone(self) -> str | None:
        """The domain that a fit sees alone; None for everything."""
        return self.target if self.scope == "target" else None


@dataclass(eq=False)
class Search:
    """Fits models and keeps what they scored.

    Attributes:
        interactions: what is fitted on.
        pools: all validation rows of each target, and fewer for tuning.
        best: the best trial of each (family, way).
        log: everything tried.
    """

    interactions: Interactions
    options: FitOptions
    seconds: float
    k: int
    progress: Progress
    pools: Mapping[str, Pool]
    tuning_pools: Mapping[str, Pool]
    best: dict[tuple[str, Way], Trial] = field(default_factory=dict)
    log: list[LogEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begun = time.monotonic()
        self.space = self.interactions.space
        self.shape = DataShape.of(self.interactions)
        self.scale_rows = self.interactions.histories.take(scale_sample(self.interactions, self.options.seed))
        self.support = self.interactions.support()
        self._fits: OrderedDict[tuple[str, str | None], Recommender] = OrderedDict()
        self._tried: dict[tuple[str, Way], float] = {}
        self._refused: dict[str, None] = {}
        self._cut: dict[str, None] = {}

    @property
    def spent(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self.begun

    def open_family(self, family: Family) -> None:
        """Score every useful way of the family's start, so that the blend has something of everything."""
        ways = [Way(scope, target) for scope in family.scopes for target in self.pools]
        for way in (way for way in ways if self._useful(family, way)):
            # popularity is what everything else falls back to: it is tried whatever the time
            limit = float("inf") if family.always else self.seconds
            if not family.personal or self._affordable(family, family.start, way, limit):
                self._keep(family, family.start, way)
        self._fits.clear()

    def vary_family(self, family: Family, until: float) -> None:
        """Try the family's settings one after the other, until so many seconds of the whole search."""
        ways = [way for name, way in self.best if name == family.name]
        searched = [way for way in ways if way.scope != "source" or "joint" not in family.scopes]
        current = dict.fromkeys(searched, family.start)
        moves = [(name, value) for name, values in family.moves for value in values]
        for number, (name, value) in enumerate(moves):
            self.progress(f"try {family.name}", number, len(moves))
            for way, config in current.items():
                candidate = changed(config, {name: value})
                if candidate == config or not self._affordable(family, candidate, way, until):
                    continue
                if self._try(family, candidate, way) > self._try(family, config, way):
                    current[way] = candidate
        for way, config in current.items():
            source = Way("source", way.target)
            for found in (way, source) if way.scope == "joint" and source in ways else (way,):
                if config != family.start:
                    self._keep(family, config, found)
        self._fits.clear()
        self.progress(f"try {family.name}", len(moves), len(moves))

    def _useful(self, family: Family, way: Way) -> bool:
        """Without target history in any row, target-only models score nobody, and source is joint."""
        lengths = self.pools[way.target].task.target_lengths
        if way.scope == "target":
            return bool(lengths.any()) or not family.personal
        return way.scope == "joint" or "joint" not in family.scopes or bool(lengths.any())

    def _affordable(self, family: Family, config: Config, way: Way, until: float) -> bool:
        try:
            plan = build(config).plan(self.shape, self.options)
        except ResourceError as error:
            self._refused[str(error)] = None
            return False
        new = (fit_signature(config), way.alone) not in self._fits
        affordable = self.spent + (plan.seconds if new else 0.0) <= until
        if not affordable:
            self._cut[family.name] = None
        return affordable

    @property
    def skipped(self) -> list[str]:
        """Sentences about what was not tried."""
        tried = {name for name, _ in self.best}
        never = [name for name in self._cut if name not in tried]
        partly = [name for name in self._cut if name in tried]
        budget = f"the {self.seconds:.0f} s of choosing were not enough"
        cut = [f"{', '.join(never)}: not tried, {budget}"] if never else []
        cut += [f"{', '.join(partly)}: some settings were not tried, {budget}"] if partly else []
        return [*self._refused, *cut]

    def fitted(self, config: Config, alone: str | None) -> Recommender:
        """A fitted model, from memory where only its scoring differs from one that was fitted."""
        key = (fit_signature(config), alone)
        if key not in self._fits:
            self._fits[key] = fit_scoped(config, alone, self.interactions, self.options)
            while len(self._fits) > KEPT_FITS:
                self._fits.popitem(last=False)
        self._fits.move_to_end(key)
        model = self._fits[key]
        return model if model.config == config else rescoring(model, config)

    def _try(self, family: Family, config: Config, way: Way) -> float:
        """NDCG on the tuning rows, remembered."""
        key = (config.model_dump_json(), way)
        if key not in self._tried:
            scores = score_pool(self.fitted(config, way.alone), self.tuning_pools[way.target], way.scope, self.space)
            self._tried[key] = self._ndcg(scores)
            settings = config.model_dump(exclude_defaults=True)
            self.log.append((family.name, way.scope, way.target, settings, self._tried[key]))
        return self._tried[key]

    def _ndcg(self, scores: Floats) -> float:
        return float(row_ndcg(np.nan_to_num(scores, nan=-np.inf), self.k).mean())

    def _keep(self, family: Family, config: Config, way: Way) -> None:
        """Score all validation rows, as the blend will scale them; the better of this and what was kept stays."""
        model = self.fitted(config, way.alone)
        sample = model.score(scoped(self.scale_rows, self.space, way.scope, way.target), way.target)
        scores = score_pool(model, self.pools[way.target], way.scope, self.space) / np.float32(score_scale(sample))
        trial = Trial(family.name, config, way.scope, way.target, scores, self._ndcg(scores))
        before = self.best.get((family.name, way))
        if before is None or trial.ndcg > before.ndcg:
            self.best[family.name, way] = trial
        settings = config.model_dump(exclude_defaults=True)
        if before is None:
            self.log.append((family.name, way.scope, way.target, settings, trial.ndcg))

    def best_trials(self, target: str) -> list[Trial]:
        """The best trial of each family and scope for one target.

        Raises:
            DataError: nothing could be fitted.
        """
        found = [trial for (_, way), trial in self.best.items() if way.target == target]
        if not found:
            raise DataError(f"no model could be tried for '{target}': {'; '.join(self.skipped)}")
        return found


def fit_signature(config: Config) -> str:
    """What of a config the fit depends on."""
    model = build(config)
    scoring = model.scoring_fields if isinstance(model, LinearModel) else frozenset()
    return config.model_dump_json(exclude=set(scoring))


def rescoring(model: Recommender, config: Config) -> Recommender:
    """The fitted arrays under a config that differs in scoring only."""
    if isinstance(model, LinearModel):
        return model.with_config(config)
    raise AssertionError("only linear models have settings that touch scoring alone")
