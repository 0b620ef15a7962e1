"""From trials to mixes: blend weights for each target, and for each group of people joint or target-only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.recommender import Scope
from kuajie.evaluation.weights import MemberScores, fit_weights, row_ndcg
from kuajie.models.blend import Mix
from kuajie.workflows.trials import Pool

GROUPS = (0, 1, 5, 10)
"""Lower ends of the groups of known target rows: 0, 1-4, 5-9, 10+."""
LEAST_PEOPLE = 100
"""Groups with fewer validation people are merged with their neighbour."""
LEAST_WEIGHT = 0.01
"""Members that carry less than this are dropped."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One model under one scope on one target's pool; scores as the blend scales them, NaN where unknown."""

    family: str
    config: Config
    scope: Scope
    target: str
    scores: npt.NDArray[np.float32]
    ndcg: float


@dataclass(frozen=True, eq=False)
class MixChoice:
    """The decision for one target."""

    target: str
    mixes: tuple[Mix, ...]
    used: tuple[Trial, ...]
    ndcg: float

    @staticmethod
    def name_of(trial: Trial) -> str:
        """A member's name; joint fits with one config are shared between targets through the config."""
        return member_name(trial)

    def summary(self) -> dict[str, Any]:
        """For reports and JSON."""
        return {"validation_ndcg": round(self.ndcg, 6)}


def member_name(trial: Trial) -> str:
    """Names are per target, for each target has its own best config."""
    return f"{trial.family}/{trial.scope}/{trial.target}"


def choose_mixes(pool: Pool, trials: list[Trial], seed: int, k: int) -> MixChoice:
    """Weigh the trials of one target."""
    members = member_scores(trials)
    weights = fit_weights(members, k)
    kept = weights >= LEAST_WEIGHT
    weights = np.where(kept, weights, 0.0) / weights[kept].sum()
    used = tuple(trial for trial, keep in zip(trials, kept, strict=True) if keep)
    named = {member_name(trial): round(float(w), 6) for trial, w in zip(trials, weights, strict=True) if w > 0}
    return MixChoice(
        pool.target,
        (Mix(target=pool.target, weights=named),),
        used,
        float(row_ndcg(members.total(weights), k).mean()),
    )


def member_scores(trials: list[Trial]) -> MemberScores:
    """Trials as one array; what a member does not know counts 0, as in the blend."""
    scores = np.stack([trial.scores for trial in trials])
    unknown = np.isnan(scores)
    return MemberScores(
        tuple(member_name(trial) for trial in trials),
        np.nan_to_num(scores, copy=False, nan=0.0),
        np.asarray(~unknown.all(axis=0)),
    )
