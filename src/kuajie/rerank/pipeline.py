"""A pipeline of re-rankers, as `[rerank]` in kuajie.toml names it: each step reads the order of the one before."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pydantic
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.errors import UsageError
from kuajie.core.texts import Text
from kuajie.numerics.jit import F64, I32
from kuajie.rerank.base import I8, Candidates, Context, StepConfig, kind_of
from kuajie.rerank.registry import EXPLORING, AnyStep, build

MOST_CANDIDATES = 2_000
"""Of one list, however long it is and whatever the factor: nobody who asks makes the service rank without end."""


class RerankConfig(Config):
    """The section `[rerank]`: what becomes of lists before they are shown.

    Attributes:
        factor: a list of k is chosen from so many times k candidates, at most 2,000.
        answer_minutes: `thompson` and `linucb` learn from a list when so many minutes have passed since it was made.
        steps: in the order in which they are done, each `[[rerank.steps]]`; none: lists stay as the model made them.
    """

    factor: Annotated[int, Field(ge=1, le=100)] = 5
    answer_minutes: Annotated[int, Field(ge=1, le=10_080)] = 60
    steps: tuple[AnyStep, ...] = ()

    @pydantic.field_validator("steps")
    @classmethod
    def _drawn_last(cls, steps: tuple[StepConfig, ...]) -> tuple[StepConfig, ...]:
        drawn = [kind_of(step) for step in steps[:-1] if kind_of(step) in EXPLORING]
        if drawn:
            raise ValueError(
                Text(
                    "'{kind}' must be the last step: what comes after it would make its propensities wrong",
                    kind=drawn[0],
                )
            )
        return steps

    @pydantic.field_validator("steps")
    @classmethod
    def _counted_once(cls, steps: tuple[StepConfig, ...]) -> tuple[StepConfig, ...]:
        counting = [step for step in steps if kind_of(step) == "fairness"]
        for one, other in itertools.combinations(counting, 2):
            if not one.targets or not other.targets or set(one.targets) & set(other.targets):
                raise ValueError(Text("only one 'fairness' step may work on a list: name other targets in each"))
        return steps

    def of(self, target: str) -> tuple[StepConfig, ...]:
        """The steps for lists of one domain."""
        return tuple(step for step in self.steps if not step.targets or target in step.targets)

    def candidates(self, target: str, k: int) -> int:
        """How many ranked items a list of k is chosen from: at least k, and else at most `MOST_CANDIDATES`."""
        return max(k, min(self.factor * k, MOST_CANDIDATES)) if self.of(target) else k


@dataclass(frozen=True, eq=False)
class Trail:
    """What one step did.

    Attributes:
        kind: its name.
        before, after: int32 (n, m), the first candidates by place, -1 where there is none.
        why: int8 (n, m), for each first candidate 0, or 1 + the place in `words` of why it was dropped.
        words: reasons.
    """

    kind: str
    before: I32
    after: I32
    why: I8
    words: tuple[Text, ...]


@dataclass(frozen=True)
class Note:
    """What one step did to one candidate.

    Attributes:
        place: of the candidate in the list that was given.
        kind: of the step.
        text: what it did.
    """

    place: int
    kind: str
    text: Text


@dataclass(frozen=True, eq=False)
class Reranked:
    """What a pipeline made of its candidates.

    Attributes:
        order: int32 (n, k or more), places of the candidates that were given; -1 where a list is shorter.
        propensity: float64, as `order`, the probability of each item at its place; None: it could be no other.
        steps: names of what was done.
        trails: of each step.
        state: by kind, what steps with a memory know now.
        relevance: float64, as `order`, what the last step saw of each item; None: it does not learn from that.
    """

    order: I32
    propensity: F64 | None
    steps: tuple[str, ...]
    trails: tuple[Trail, ...]
    state: Mapping[str, Any]
    relevance: F64 | None = None

    def notes(self, row: int) -> list[Note]:
        """What moved in one list and what was dropped, step after step."""
        found = []
        k = self.order.shape[1]
        for trail in self.trails:
            before, after = (
                {int(c): p for p, c in enumerate(side[row]) if c >= 0} for side in (trail.before, trail.after)
            )
            for place, at in before.items():
                if trail.why[row, place]:
                    found.append(Note(place, trail.kind, trail.words[trail.why[row, place] - 1]))
                elif place in after and after[place] != at and min(after[place], at) < k:
                    moved = Text("moved from place {old} to {new}", old=at + 1, new=after[place] + 1)
                    found.append(Note(place, trail.kind, moved))
        return found


def rerank(
    steps: Sequence[StepConfig],
    candidates: Candidates,
    k: int,
    context: Context,
    threads: int = 1,
    keep: int | None = None,
) -> Reranked:
    """Let steps work on lists, one after the other.

    Args:
        steps: configs; none: the first k candidates.
        candidates: (n, m), best first.
        k: places of each list; more than there are candidates makes shorter lists.
        context: what is known.
        threads: of the kernels.
        keep: how many of the last order are wanted where that is more than the k places which steps count.

    Raises:
        UsageError: k < 1, or a step needs something that is not known.
    """
    if k < 1:
        raise UsageError("k must be at least 1, got {k}", k=k)
    n, m = candidates.items.shape
    now = np.where(candidates.present, np.arange(m, dtype=np.int32), np.int32(-1)).astype(np.int32)
    propensity, relevance, trails, state = None, None, [], dict(context.state)
    for step in steps:
        outcome = build(step).rerank(candidates, k, replace(context, state=state), threads)
        after = np.where(
            outcome.order >= 0, np.take_along_axis(now, np.maximum(outcome.order, 0), axis=1), np.int32(-1)
        )
        why = np.zeros((n, m), np.int8)
        if outcome.why is not None:
            rows, places = np.nonzero(outcome.why)
            why[rows, now[rows, places]] = outcome.why[rows, places]
        trails.append(Trail(kind_of(step), now, after, why, outcome.words))
        candidates, now = candidates.reordered(outcome.order), after
        propensity, relevance = outcome.propensity, outcome.relevance
        if outcome.state is not None:
            state[kind_of(step)] = outcome.state
    keep = max(k, keep or k)
    shown = np.full((n, keep), -1, np.int32)
    shown[:, : min(keep, m)] = packed(now)[:, :keep]
    kinds = tuple(kind_of(step) for step in steps)
    return Reranked(shown, _wide(propensity, keep), kinds, tuple(trails), state, _wide(relevance, keep))


def _wide(values: F64 | None, keep: int) -> F64 | None:
    """So many places of each list, NaN where there is none."""
    if values is None:
        return None
    return np.pad(values, ((0, 0), (0, max(0, keep - values.shape[1]))), constant_values=np.nan)[:, :keep]


def packed(order: I32) -> I32:
    """Rows with their -1 at the end."""
    return np.take_along_axis(order, np.argsort(order < 0, axis=1, kind="stable"), axis=1)
