"""The transfer gate: joining domains is used only where it pays.

For one target domain, rows are grouped by how much of the target their person has used. A group takes the joint
candidate only where a paired interval over people lies above 0; else it stays target-only. For people without any
history in the target a narrower interval decides: target-only knows nothing of them but what everybody likes, and there
are few of them to measure on. The gain that this brings is measured on people who had no part in the choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kuajie.core.errors import UsageError
from kuajie.evaluation.compare import bootstrap_interval
from kuajie.evaluation.slices import HISTORY_LIMITS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_PEOPLE = 100
"""Groups with fewer validation people are merged with a neighbour."""
FOLDS = 5
LEVEL, COLD_LEVEL = 0.95, 0.8
"""Of the interval that must lie above 0 to join: for people with history in the target, and without any."""


@dataclass(frozen=True)
class GroupDecision:
    """One group of people, by entries of their history in the target domain.

    Attributes:
        at_least: smallest number of entries.
        below: first number of entries of the next group; None for the last group.
        people, rows: validation people and rows that decided.
        gain: mean over rows of joint less target-only.
        low, high: paired interval of the gain over people that decided.
        joint: whether the group takes the joint candidate.
        level: of the interval.
    """

    at_least: int
    below: int | None
    people: int
    rows: int
    gain: float
    low: float
    high: float
    joint: bool
    level: float = LEVEL


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided for one target domain.

    Attributes:
        groups: from no history to much, without gaps.
        transfer_gain: mean over rows of the gated choice less target-only, each person measured by a gate chosen
            without them.
        low, high: interval of the transfer gain over people.
        people: validation people.
    """

    groups: tuple[GroupDecision, ...]
    transfer_gain: float
    low: float
    high: float
    people: int

    def uses_joint(self, target_lengths: Ints) -> npt.NDArray[np.bool_]:
        """Whether histories with so many entries of the target take the joint candidate."""
        limits = [group.at_least for group in self.groups]
        choices = np.array([group.joint for group in self.groups])
        return choices[np.searchsorted(limits, target_lengths, side="right") - 1]


def decide_gate(
    target_only: Floats,
    joint: Floats,
    people: Ints,
    target_lengths: Ints,
    rng: np.random.Generator,
    *,
    limits: Sequence[int] = HISTORY_LIMITS,
    least_people: int = LEAST_PEOPLE,
    level: float = LEVEL,
    cold_level: float = COLD_LEVEL,
    folds: int = FOLDS,
) -> GateDecision:
    """Decide each group, and measure what the decision brings by cross-fitting.

    Args:
        target_only: the metric of each validation row under the target-only candidate, (n_rows,).
        joint: the same under the joint candidate.
        people: (n_rows,), whom a row belongs to.
        target_lengths: (n_rows,), entries of the row's history in the target.
        rng: draws the resamples.
        limits: smallest number of entries of each group, from 0.
        least_people: groups of fewer validation people join a neighbour.
        level: of the intervals.
        cold_level: of the one that decides for people without history in the target.
        folds: parts of the people, by a hash, that take turns at being measured.

    Raises:
        UsageError: arrays of different lengths.
    """
    gains = np.asarray(joint, dtype=np.float64) - np.asarray(target_only, dtype=np.float64)
    if not len(gains) == len(people) == len(target_lengths):
        raise UsageError(
            "the gate needs one person and length for each row, got {rows}, {people}, {lengths}",
            rows=len(gains),
            people=len(people),
            lengths=len(target_lengths),
        )
    starts = merge_groups(people, target_lengths, limits, least_people)
    levels = (level, cold_level)
    groups = decide_groups(gains, people, target_lengths, starts, rng, levels)
    gated = np.zeros(len(gains))
    fold = hashed_folds(people, folds)
    for number in range(folds):
        measured = fold == number
        if not measured.any():
            continue
        chosen = decide_groups(gains[~measured], people[~measured], target_lengths[~measured], starts, rng, levels)
        takes_joint = np.array([group.joint for group in chosen])[group_numbers(target_lengths[measured], starts)]
        gated[measured] = np.where(takes_joint, gains[measured], 0.0)
    low, high = bootstrap_interval(gated, people, rng, level)
    gain = float(gated.mean()) if len(gated) else float("nan")
    return GateDecision(groups, gain, float(low), float(high), len(np.unique(people)))


def merge_groups(people: Ints, target_lengths: Ints, limits: Sequence[int], least_people: int) -> tuple[int, ...]:
    """The smallest lengths of the groups that stay: one with too few people joins the next, the last the one before."""
    starts = list(limits)
    place = 0
    while len(starts) > 1 and place < len(starts):
        inside = group_numbers(target_lengths, starts) == place
        if len(np.unique(people[inside])) >= least_people:
            place += 1
        elif place + 1 < len(starts):
            del starts[place + 1]
        else:
            del starts[place]
            place -= 1
    return tuple(starts)


def decide_groups(
    gains: Floats,
    people: Ints,
    target_lengths: Ints,
    starts: Sequence[int],
    rng: np.random.Generator,
    levels: tuple[float, float],
) -> tuple[GroupDecision, ...]:
    """The decision of each group on some rows, by the level for people with history and that for those without.

    A group without rows stays target-only.
    """
    numbers = group_numbers(target_lengths, starts)
    groups = []
    for number, start in enumerate(starts):
        inside = numbers == number
        below = starts[number + 1] if number + 1 < len(starts) else None
        level = levels[int(below == 1)]
        low, high = (float(end) for end in bootstrap_interval(gains[inside], people[inside], rng, level))
        gain = float(gains[inside].mean()) if inside.any() else float("nan")
        n_people = len(np.unique(people[inside]))
        groups.append(GroupDecision(start, below, n_people, int(inside.sum()), gain, low, high, low > 0, level))
    return tuple(groups)


def group_numbers(target_lengths: Ints, starts: Sequence[int]) -> Ints:
    """Group of each row."""
    return np.searchsorted(starts, target_lengths, side="right") - 1


def hashed_folds(people: Ints, folds: int) -> Ints:
    """Fold of each person by a hash of the number (splitmix64), so that it depends on nobody else."""
    x = np.asarray(people).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) % np.uint64(folds)).astype(np.int64)
