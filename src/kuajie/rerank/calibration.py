"""Calibration: the list has the mix of topics, or of domains, that the person's history has.

    greedily maximise  (1 - strength) sum_i relevance(i) - strength KL(p, q~),   q~ = (1 - alpha) q + alpha p

p is the history's share of each group, q the mean share of the items chosen so far.

Source: Steck (2018), "Calibrated recommendations", RecSys, equations 3 to 5. People of whom no mix is known keep their
list as it is.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kuajie.core.errors import UsageError
from kuajie.numerics.jit import F64, I32, I64, kernel
from kuajie.rerank.base import Candidates, Context, Outcome, Share, StepConfig, as_they_are
from kuajie.rerank.greedy import bring, by_groups, count_present, spread_row


class CalibrationConfig(StepConfig):
    """How hard the list is pulled to the history's mix.

    Attributes:
        strength: 0: relevance alone; 1: the mix alone.
        by: groups or a label of items, such as category or domain.
        alpha: part of p in q~, so that a group that the list lacks costs a finite amount.
    """

    kind: Literal["calibration"] = "calibration"
    strength: Share = 0.3
    by: str = "category"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01


@dataclass(frozen=True)
class Calibration:
    """See the module."""

    config: CalibrationConfig

    def rerank(self, candidates: Candidates, k: int, context: Context, threads: int = 1) -> Outcome:
        """See `base.Reranker`."""
        config = self.config
        if not config.strength:
            return Outcome(as_they_are(candidates))
        if config.by not in context.people.mixes:
            raise UsageError("calibration needs the mix of '{name}' in people's histories", name=config.by)
        rows, mix = context.items.group(config.by).matrix, context.people.mixes[config.by]
        return Outcome(by_groups(_choose, candidates, k, (config.strength, config.alpha), rows, mix, threads))


@kernel
def _choose(
    low: int, high: int, k: int, strength: float, alpha: float, items: I32, worth: F64,
    indptr: I64, columns: I32, values: F64, starts: I64, groups: I32, mix: F64, width: int, order: I32,
) -> None:  # fmt: skip
    wanted, sums = np.zeros(width), np.zeros(width)
    for number in range(low, high):
        mine = groups[starts[number] : starts[number + 1]]
        if not len(mine):
            continue
        wanted[mine] = mix[starts[number] : starts[number + 1]]
        row, count = order[number], count_present(order[number])
        for at in range(min(k, count)):
            size, without = at + 1.0, 0.0  # the sum of -p log q~ when the new item has none of the groups
            for group in mine:
                p = wanted[group]
                without -= p * np.log((1 - alpha) * sums[group] / size + alpha * p)
            best, most = at, -np.inf
            for place in range(at, count):
                item, cost = items[number, row[place]], without
                if item >= 0:
                    for entry in range(indptr[item], indptr[item + 1]):
                        p = wanted[columns[entry]]
                        if p > 0:
                            old = sums[columns[entry]]
                            cost -= p * np.log(((1 - alpha) * (old + values[entry]) / size + alpha * p)
                                               / ((1 - alpha) * old / size + alpha * p))  # fmt: skip
                value = (1 - strength) * worth[number, row[place]] - strength * cost
                if value > most + 1e-12:  # rounding must not part equals
                    best, most = place, value
            bring(row, at, best)
            spread_row(items[number, row[at]], indptr, columns, values, sums, 1.0)
        wanted[mine] = 0.0
        for at in range(min(k, count)):
            item = items[number, row[at]]
            if item >= 0:
                sums[columns[indptr[item] : indptr[item + 1]]] = 0.0
