"""From trials to mixes: blend weights for each target, and joint or target-only for each group of people.

Weights are fitted twice more on halves of the people, so that the gate compares blends on people they were not
fitted on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kuajie.core.config import Config
from kuajie.core.recommender import Scope
from kuajie.evaluation.gate import LEAST_PEOPLE, GateDecision, decide_gate, group_numbers, hashed_folds, merge_groups
from kuajie.evaluation.slices import HISTORY_LIMITS
from kuajie.evaluation.weights import MemberScores, fit_weights, refine, row_ndcg
from kuajie.models.blend import Mix
from kuajie.workflows.trials import Pool

Floats = npt.NDArray[np.float64]
LEAST_ROWS_OF_OWN = 400
"""Groups with fewer validation rows use everybody's weights."""
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

    @property
    def name(self) -> str:
        """The member's name; each target has its own best config."""
        return f"{self.family}/{self.scope}/{self.target}"


@dataclass(frozen=True, eq=False)
class MixChoice:
    """The decision for one target.

    Attributes:
        mixes: weights for each group.
        used: trials with a weight in some mix.
        ndcg: of the mixes on all validation rows, which also fitted them.
        gate: groups, their decisions, and the transfer gain on people not used for fitting.
    """

    target: str
    mixes: tuple[Mix, ...]
    used: tuple[Trial, ...]
    ndcg: float
    gate: GateDecision

    def summary(self) -> dict[str, Any]:
        """For reports and JSON."""
        gain = self.gate
        return {
            "validation_ndcg": round(self.ndcg, 6),
            "transfer_gain": {"ndcg": gain.transfer_gain, "low": gain.low, "high": gain.high, "people": gain.people},
            "gate": [
                {
                    "at_least": g.at_least,
                    "people": g.people,
                    "gain": g.gain,
                    "low": g.low,
                    "high": g.high,
                    "level": g.level,
                    "joint": g.joint,
                }
                for g in gain.groups
            ],
        }


def choose_mixes(pool: Pool, trials: Sequence[Trial], seed: int, k: int, threads: int = 1) -> MixChoice:
    """Weigh the trials of one target and gate the transfer for each group of people."""
    task = pool.task
    starts = merge_groups(task.people, task.target_lengths, HISTORY_LIMITS, LEAST_PEOPLE)
    groups = group_numbers(task.target_lengths, starts)
    joint, alone = member_scores(trials), member_scores([trial for trial in trials if trial.scope == "target"])
    half = hashed_folds(task.people, 2) == 0
    grouped = Groups(groups, len(starts), task.target_lengths)
    held_out = [held_out_ndcg(members, grouped, half, k, threads) for members in (alone, joint)]
    rng = np.random.default_rng([seed, 78])
    gate = decide_gate(held_out[0], held_out[1], task.people, task.target_lengths, rng, limits=starts, least_people=1)
    decided = gate.uses_joint(task.target_lengths)
    weights_of = [group_weights(members, grouped, k, threads) for members in (alone, joint)]
    mixes = [
        named_mix(pool.target, group.at_least, members, weights_of[int(group.joint)][number])
        for number, group in enumerate(gate.groups)
        for members in [joint if group.joint else alone]
    ]
    used = {name for mix in mixes for name in mix.weights}
    values = [
        blended_ndcg(members, grouped, weights, k) for members, weights in zip((alone, joint), weights_of, strict=True)
    ]
    return MixChoice(
        pool.target,
        without_equal_neighbours(mixes),
        tuple(trial for trial in trials if trial.name in used),
        float(np.where(decided, values[1], values[0]).mean()),
        gate,
    )


def member_scores(trials: Sequence[Trial]) -> MemberScores:
    """Trials as one array; what a member does not know counts 0, as in the blend."""
    scores = np.stack([trial.scores for trial in trials])
    unknown = np.isnan(scores)
    names = tuple(trial.name for trial in trials)
    scores[unknown] = 0.0
    return MemberScores(names, scores, np.asarray(~unknown.all(axis=0))).hardest()


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows by how much of the target their person has used.

    Attributes:
        numbers: int64 (n_rows,), group of each row.
        count: number of groups.
        target_lengths: int64 (n_rows,).
    """

    numbers: npt.NDArray[np.int64]
    count: int
    target_lengths: npt.NDArray[np.int64]

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Groups":
        """Some rows."""
        return Groups(self.numbers[chosen], self.count, self.target_lengths[chosen])


def group_weights(members: MemberScores, groups: Groups, k: int, threads: int) -> list[Floats]:
    """Everybody's weights, refined for each group with enough rows.

    People without target history have weights of their own: what serves the others may not know them at all.
    """
    everybody = fit_weights(members, k, threads=threads)
    weights = []
    for number in range(groups.count):
        inside = groups.numbers == number
        if not groups.target_lengths[inside].any() and inside.any():
            weights.append(fit_weights(members.rows(inside), k, least_gain=0.01, threads=threads))
        elif inside.sum() >= LEAST_ROWS_OF_OWN and groups.count > 1:
            weights.append(refine(members.rows(inside), everybody, k, least_gain=0.01, threads=threads))
        else:
            weights.append(everybody)
    return weights


def blended_ndcg(members: MemberScores, groups: Groups, weights: list[Floats], k: int) -> Floats:
    """NDCG of each row under its group's weights."""
    values = np.zeros(len(groups.numbers))
    for number, group in enumerate(weights):
        inside = groups.numbers == number
        values[inside] = row_ndcg(members.rows(inside).total(group), k)
    return values


def held_out_ndcg(members: MemberScores, groups: Groups, half: npt.NDArray[np.bool_], k: int, threads: int) -> Floats:
    """NDCG of each row under weights fitted on the other half of the people."""
    values = np.zeros(len(groups.numbers))
    for fitted in (half, ~half):
        weights = group_weights(members.rows(fitted), groups.take(fitted), k, threads)
        values[~fitted] = blended_ndcg(members.rows(~fitted), groups.take(~fitted), weights, k)
    return values


def named_mix(target: str, at_least: int, members: MemberScores, weights: Floats) -> Mix:
    """Weights by name; small ones are dropped."""
    kept = np.where(weights >= LEAST_WEIGHT * weights.max(), weights, 0.0)
    named = zip(members.names, kept / kept.sum(), strict=True)
    return Mix(target=target, at_least=at_least, weights={name: round(float(w), 6) for name, w in named if w > 0})


def without_equal_neighbours(mixes: Sequence[Mix]) -> tuple[Mix, ...]:
    """Neighbouring groups with the same weights become one."""
    return tuple(mix for place, mix in enumerate(mixes) if place == 0 or mix.weights != mixes[place - 1].weights)
