"""Searching the configs of model families on validation pools, one setting after the other, within a budget.

Time is what fits and scoring cost: both are predicted from what they took so far, and nothing starts that would not end
within the budget.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.errors import DataError, ResourceError
from kuajie.core.progress import Progress
from kuajie.core.recommender import Scope
from kuajie.core.texts import Joined, Text
from kuajie.evaluation.tuning import changed
from kuajie.evaluation.weights import row_ndcg
from kuajie.models.blend import scale_sample, scoped, score_scale
from kuajie.workflows.families import Family
from kuajie.workflows.fits import Fits
from kuajie.workflows.mixing import Trial
from kuajie.workflows.trials import Pool, score_pool

Floats = npt.NDArray[np.float32]
SEARCH_SHARE = 0.8
"""Of the time of choosing: what searching may take; weights and gate take the rest."""
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
    """Tries models and keeps what they scored.

    Attributes:
        fits: fits on the training data.
        begun: `time.monotonic()` when choosing began.
        seconds: of choosing; the search ends after `SEARCH_SHARE` of them.
        pools: all validation rows of each target.
        tuning: of these, the row numbers that settings are compared on.
        best: the best trial of each (family, way).
        log: everything tried, all on the tuning rows.
    """

    fits: Fits
    begun: float
    seconds: float
    k: int
    progress: Progress
    pools: Mapping[str, Pool]
    tuning: Mapping[str, npt.NDArray[np.int64]]
    best: dict[tuple[str, Way], Trial] = field(default_factory=dict)
    log: list[LogEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        interactions = self.fits.interactions
        self.space = interactions.space
        self.scale_rows = interactions.histories.take(scale_sample(interactions, self.fits.options.seed))
        self.tuning_pools = {target: pool.take(self.tuning[target]) for target, pool in self.pools.items()}
        self._tried: dict[tuple[str, Way], float] = {}
        self._scoring: dict[str, float] = {}
        self._refused: dict[str, None] = {}
        self._cut: dict[str, None] = {}

    @property
    def until(self) -> float:
        """Seconds since choosing began at which the search ends."""
        return SEARCH_SHARE * self.seconds

    @property
    def spent(self) -> float:
        """Seconds since choosing began."""
        return time.monotonic() - self.begun

    @property
    def _left(self) -> float:
        """Seconds until the search ends: models that can stop early do so then."""
        return max(self.until - self.spent, 1.0)

    def open_family(self, family: Family, until: float) -> None:
        """Score every useful way of the family's start that was not scored yet, for the blend to have some of all."""
        ways = [Way(scope, target) for scope in family.scopes for target in self.pools]
        for way in (way for way in ways if self._useful(family, way) and (family.name, way) not in self.best):
            limit = float("inf") if family.always else until
            # popularity is what everything else falls back to: it is tried whatever the time
            if not family.personal or self._affordable(family, family.start, way, limit):
                self._keep(family, family.start, way)
        self.fits.forget()

    def vary_family(self, family: Family, until: float) -> None:
        """Try the family's settings one after the other, until so many seconds of the whole search."""
        ways = [way for name, way in self.best if name == family.name]
        searched = [way for way in ways if way.scope != "source" or "joint" not in family.scopes]
        current = dict.fromkeys(searched, family.start)
        stage = Text("try {family}", family=family.name)
        moves = [(name, value) for name, values in family.moves for value in values]
        for number, (name, value) in enumerate(moves):
            self.progress(stage, number, len(moves))
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
        self.fits.forget()
        self.progress(stage, len(moves), len(moves))

    def _useful(self, family: Family, way: Way) -> bool:
        """Without target history in any row, target-only models score nobody, and source is joint."""
        lengths = self.pools[way.target].task.target_lengths
        if way.scope == "target":
            return bool(lengths.any()) or not family.personal
        return way.scope == "joint" or "joint" not in family.scopes or bool(lengths.any())

    def _affordable(self, family: Family, config: Config, way: Way, until: float) -> bool:
        try:
            fitting = self.fits.seconds(config, way.alone)
        except ResourceError as error:
            self._refused[error.text] = None
            return False
        affordable = self.spent + fitting + self._scoring.get(way.target, 0.0) <= until
        if not affordable:
            self._cut[family.name] = None
        return affordable

    @property
    def skipped(self) -> list[str]:
        """Sentences about what was not tried."""
        tried = {name for name, _ in self.best}
        never = [name for name in self._cut if name not in tried]
        partly = [name for name in self._cut if name in tried]
        cut: list[str] = []
        if never:
            names = ", ".join(never)
            cut.append(
                Text(
                    "{families}: not tried, the {seconds:.0f} s of choosing were not enough",
                    families=names,
                    seconds=self.seconds,
                )
            )
        if partly:
            names = ", ".join(partly)
            cut.append(
                Text(
                    "{families}: some settings were not tried, the {seconds:.0f} s of choosing were not enough",
                    families=names,
                    seconds=self.seconds,
                )
            )
        return [*self._refused, *cut]

    def _try(self, family: Family, config: Config, way: Way) -> float:
        """NDCG on the tuning rows, remembered."""
        key = (config.model_dump_json(), way)
        if key not in self._tried:
            model = self.fits.get(config, way.alone, self._left)
            begun = time.monotonic()
            scores = score_pool(model, self.tuning_pools[way.target], way.scope, self.space)
            self._scoring[way.target] = time.monotonic() - begun
            self._tried[key] = float(self._ndcg(scores).mean())
            self._note(family, config, way, self._tried[key])
        return self._tried[key]

    def _ndcg(self, scores: Floats) -> npt.NDArray[np.float64]:
        return row_ndcg(np.where(np.isnan(scores), np.float32(-np.inf), scores), self.k)

    def _keep(self, family: Family, config: Config, way: Way) -> None:
        """Score all validation rows, as the blend will scale them; the better of this and what was kept stays."""
        model = self.fits.get(config, way.alone, self._left)
        sample = model.score(scoped(self.scale_rows, self.space, way.scope, way.target), way.target)
        scores = score_pool(model, self.pools[way.target], way.scope, self.space)
        ndcg = self._ndcg(scores)
        scores /= np.float32(score_scale(sample))
        trial = Trial(family.name, config, way.scope, way.target, scores, float(ndcg.mean()))
        before = self.best.get((family.name, way))
        if before is None or trial.ndcg > before.ndcg:
            self.best[family.name, way] = trial
        key = (config.model_dump_json(), way)
        if key not in self._tried:
            self._tried[key] = float(ndcg[self.tuning[way.target]].mean())
            self._note(family, config, way, self._tried[key])

    def _note(self, family: Family, config: Config, way: Way, ndcg: float) -> None:
        self.log.append((family.name, way.scope, way.target, config.model_dump(exclude_defaults=True), ndcg))

    def best_trials(self, target: str) -> list[Trial]:
        """The best trial of each family and scope for one target.

        Raises:
            DataError: nothing could be fitted.
        """
        found = [trial for (_, way), trial in self.best.items() if way.target == target]
        if not found:
            raise DataError(
                "no model could be tried for '{target}': {reasons}", target=target, reasons=Joined(self.skipped)
            )
        return found
