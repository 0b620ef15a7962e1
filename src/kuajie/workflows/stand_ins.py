"""Stand-ins: known items that count in a history in the place of one that the model has not learned."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from kuajie.core.histories import Histories
from kuajie.core.recommender import Explanation
from kuajie.core.records import Event, Reason
from kuajie.data.config import StrengthConfig
from kuajie.data.entries import Weighed, histories
from kuajie.data.kinds import KINDS
from kuajie.data.live import joined, oldest_first
from kuajie.data.strength import Events, strength
from kuajie.workflows.reasons import reasons_of
from kuajie.workflows.recommend import Engine

STAND_INS = 3
"""Neighbours that stand for one item; few, since models may count entries rather than add their weights."""
Key = tuple[str, str]
Numbers = npt.NDArray[np.int32]


class StandIns:
    """Adds them to histories, and takes them out of reasons again.

    Args:
        n_items: of the joint item space.
        config: how much an event says.
        near_seconds: `CleaningConfig.near_duplicate_seconds`.
    """

    def __init__(self, n_items: int, config: StrengthConfig, near_seconds: float) -> None:
        self._n_items, self._config, self._near = n_items, config, near_seconds

    def alone(self, items: Numbers) -> Histories:
        """The history of somebody who used one new item."""
        return Histories.from_lists([items.tolist()], self._n_items, [[1 / len(items)] * len(items)])

    def added(
        self, history: Histories, lent: Mapping[Key, Numbers], used: Mapping[Key, Sequence[Event]], now: datetime
    ) -> Histories:
        """A history with the events of new items, each shared out among its stand-ins; itself if they say nothing.

        Args:
            history: one row.
            lent: the stand-ins of new items.
            used: what the person did with them.
            now: the time of the request.
        """
        own = joined([_events(list(lent), used)], self._near)
        moment = now.timestamp()
        weights = strength(own, moment, self._config)
        telling = np.flatnonzero(weights > 0)
        if not len(telling):
            return history
        stand_ins = list(lent.values())
        parts = [stand_ins[place] for place in own.item[telling].tolist()]
        sizes = np.array([len(part) for part in parts])
        extra = Weighed(
            np.zeros(sizes.sum(), np.int32),
            np.concatenate(parts),
            np.repeat(weights[telling] / sizes, sizes).astype(np.float32),
            np.repeat(own.time[telling], sizes),
        )
        times = np.full(len(history.items), np.nan) if history.times is None else history.times
        base = Weighed(np.zeros(len(history.items), np.int32), history.items, history.weights, times, history.borrowed)
        at = moment if history.at is None else float(history.at[0])
        return histories([base, extra], 1, self._n_items, at, history.order)

    def reasons(
        self,
        explanation: Explanation,
        scores: Sequence[float],
        engine: Engine,
        real: Histories,
        lent: Mapping[Key, Numbers],
        names: Sequence[tuple[str, str, str]],
        items: Numbers,
    ) -> list[tuple[Reason, ...]]:
        """Reasons that name the new items instead of their stand-ins.

        Args:
            explanation: of the history with stand-ins.
            scores: that it explains.
            engine: names the other items.
            real: the history without them.
            lent: the stand-ins of new items.
            names: domain, id and title of the new items.
            items: joint numbers of the explained items.
        """
        owner = {item: place for place, items in reversed(list(enumerate(lent.values()))) for item in items.tolist()}
        own = set(real.items.tolist())
        numbers = [
            self._n_items + owner[item] if item in owner and item not in own else item
            for item in explanation.history_items.tolist()
        ]
        column_of = {number: column for column, number in enumerate(dict.fromkeys(numbers))}
        columns = [column_of[number] for number in numbers]
        contributions = np.zeros((len(scores), len(column_of)))
        np.add.at(contributions.T, np.array(columns, np.int64), explanation.contributions.T)
        folded = Explanation(np.array(list(column_of), np.int32), contributions, explanation.base, exact=False)

        def name(number: int) -> tuple[str, str, str]:
            if number >= self._n_items:
                return names[number - self._n_items]
            return (*engine.catalog.name(number), engine.titles[number])

        return reasons_of(
            folded,
            scores,
            name,
            engine.translate,
            links=engine.links,
            items=items,
            borrowed=real.borrowed_items,
        )


def _events(keys: Sequence[Key], used: Mapping[Key, Sequence[Event]]) -> Events:
    """What was done with new items; their numbers are places among the keys."""
    rows = [(place, event) for place, key in enumerate(keys) for event in used[key]]
    times = [np.nan if event.occurred_at is None else event.occurred_at.timestamp() for _, event in rows]
    return oldest_first(
        Events(
            row=np.zeros(len(rows), np.int32),
            item=np.array([place for place, _ in rows], np.int32),
            kind=np.array([KINDS.index(event.kind) for _, event in rows], np.uint8),
            time=np.array(times, np.float64),
            value=np.array([np.nan if event.value is None else event.value for _, event in rows], np.float64),
        )
    )
