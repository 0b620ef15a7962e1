"""Limits on repetition: at most so many of one brand or category in a list, and no item more often than n times."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from kuajie.core.texts import Text
from kuajie.numerics.jit import I32, kernel
from kuajie.numerics.threads import run_blocks
from kuajie.rerank.base import I8, Candidates, Context, Outcome, StepConfig, as_they_are

Count = Annotated[int, Field(ge=1)]


class LimitsConfig(StepConfig):
    """What is too much of the same; no limit unless named.

    Attributes:
        most: by label of items, how many of one word a list may hold, such as `{ brand = 2 }`.
        shown: an item that the person was shown so often in `days` is not shown again; None: no limit.
        days: over which showings are counted.
        fill: whether places that would stay empty take what is over the limits of `most`.
    """

    kind: Literal["limits"] = "limits"
    most: dict[str, Count] = Field(default={})
    shown: Count | None = None
    days: Annotated[int, Field(ge=1, le=366)] = 7
    fill: bool = False

    def at(self, strength: float, k: int) -> Self:
        """From k of one word, which is no limit, down to one."""
        most = {name: max(1, round(k - strength * (k - 1))) for name in self.most}
        return self.model_copy(update={"most": most})


@dataclass(frozen=True)
class Limits:
    """See the module; where showings were not counted, none is held against an item."""

    config: LimitsConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        names, config = list(self.config.most), self.config
        codes = [context.items.label(name).of(candidates.items) for name in names]
        stacked = np.stack(codes) if codes else np.empty((0, *candidates.items.shape), np.int32)
        caps = np.array([config.most[name] for name in names], np.int32)
        fresh = np.ones(candidates.items.shape, bool)
        if config.shown is not None and candidates.shown is not None:
            fresh = candidates.shown < config.shown
        why = np.where(candidates.present & ~fresh, np.int8(1), np.int8(0)).astype(np.int8)
        order = as_they_are(candidates, fresh)

        def work(low: int, high: int) -> None:
            _walk(low, high, k, stacked, caps, config.fill, order, why)

        run_blocks(work, len(order), threads)
        words = [Text("was shown {count} times in {days} days", count=config.shown, days=config.days)]
        words += [Text("the list has {count} of this {label}", count=config.most[name], label=name) for name in names]
        return Outcome(order, why, tuple(words))


@kernel
def _walk(low: int, high: int, k: int, codes: I32, caps: I32, fill: bool, order: I32, why: I8) -> None:
    m = order.shape[1]
    rest, over = np.empty(m, np.int32), np.empty(m, np.int32)
    for number in range(low, high):
        row, kept, n_rest, n_over = order[number], 0, 0, 0
        for at in range(m):
            place = row[at]
            if place < 0:
                break
            reached = -1
            for label in range(len(caps)):
                code, count = codes[label, number, place], 0
                for earlier in range(min(kept, k)):
                    count += code >= 0 and codes[label, number, row[earlier]] == code
                if count >= caps[label]:
                    reached = label
                    break
            if kept >= k:
                rest[n_rest] = place
                n_rest += 1
            elif reached < 0:
                row[kept] = place  # never in front of what is still to be read
                kept += 1
            else:
                over[n_over] = place
                n_over += 1
                why[number, place] = 2 + reached
        filled = min(k - kept, n_over) if fill and kept < k else 0
        for extra in range(filled):
            row[kept] = over[extra]
            why[number, over[extra]] = 0
            kept += 1
        for extra in range(n_rest):
            row[kept] = rest[extra]
            kept += 1
        row[kept:] = -1
