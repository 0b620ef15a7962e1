"""New items: what nobody has used yet is recommended, and counts in histories, through items that are like it.

item is stored -> (tail) -> items of near text, brand, category -> score = mean + optimism * spread of their scores

An item is new as long as the serving model does not know it: it came after the snapshot, or nobody has used it and the
model cannot tell by its content or its place in the graph whom it suits. At most a share of a list are new items
that is stated, those that score high enough to be in it. What somebody did with a new item counts as if done with the
items that stand for it most, which stay in the list themselves.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from weakref import WeakKeyDictionary
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt
from pydantic import Field

from kuajie.core.config import Config
from kuajie.core.histories import Histories
from kuajie.core.language import message
from kuajie.core.recommender import Explanation
from kuajie.core.records import Event, Item, RankedItem, RankedList, Reason
from kuajie.data.dataset import JointDataset
from kuajie.workflows.arrivals import Arrivals, ContentModel, Key
from kuajie.workflows.new_groups import Group, Kinds, in_turn
from kuajie.workflows.recommend import Engine, Reasons, title_of
from kuajie.workflows.stand_ins import STAND_INS, StandIns
from kuajie.workflows.stores import CatalogueStore

if TYPE_CHECKING:
    from kuajie.workflows.answer import Question

F64 = npt.NDArray[np.float64]


class NewItemsConfig(Config):
    """The section `[new_items]`: items that nobody has used yet.

    Attributes:
        share: of a list may be new items, rounded down; 0: none.
        optimism: a new item scores the mean of the items that it starts from plus so many of their standard
            deviations: what is not known may be better than what it is like.
        nearest: items whose texts are nearest count by their likeness, beside those of its brand and category; 0: texts
            are not read.
        kind_weight: what those of its brand and category together count, against 1 for an equal text.
        read_new: new items whose texts count at once, the latest of all domains together; others start from brand and
            category alone.
        read_used: used items of a domain whose texts they may be near to, the most used.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.2
    optimism: Annotated[float, Field(ge=0, le=10)] = 1.0
    nearest: Annotated[int, Field(ge=0, le=100)] = 10
    kind_weight: Annotated[float, Field(ge=0, le=1_000)] = 2.0
    read_new: Annotated[int, Field(ge=0, le=200_000)] = 20_000
    read_used: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000


class NewItems:
    """The new items of one model version.

    Args:
        dataset: the snapshot of the model.
        engines: by language; titles that change are changed in them.
        content: finds what they start from.
        config: how many, how high.
        near_seconds: `CleaningConfig.near_duplicate_seconds`.
        tell: hears of every item that was put since the snapshot, new or not; None: nobody does.
    """

    def __init__(
        self,
        dataset: JointDataset,
        engines: Mapping[str, Engine],
        content: ContentModel,
        config: NewItemsConfig,
        near_seconds: float = 0.0,
        tell: Callable[[Sequence[Item]], None] | None = None,
    ) -> None:
        self._catalog, self._config = dataset.catalog, config
        self._stand_ins = StandIns(dataset.catalog.space.n_items, dataset.strength, near_seconds)
        self._support = next(iter(engines.values())).popularity
        self.arrivals = Arrivals(dataset, engines, content, config.read_new, tell)
        self._bounds: WeakKeyDictionary[Histories, dict[str, tuple[Kinds, F64]]] = WeakKeyDictionary()

    def __bool__(self) -> bool:
        """Whether there is any new item."""
        return bool(self.arrivals.items)

    def read(self, catalogue: CatalogueStore) -> int:
        """See `Arrivals.read`."""
        return self.arrivals.read(catalogue)

    def complete(
        self,
        engine: Engine,
        question: "Question",
        ranked: RankedList,
        history: Histories,
        events: Iterable[Event],
        now: datetime,
    ) -> RankedList:
        """A list with what is new.

        Args:
            engine: that ranked.
            question: what was asked.
            ranked: the answer without new items.
            history: it came from.
            events: of the person in the store; those of new items count here.
            now: the time of the request.
        """
        used, lent, scored = self._with_stand_ins(history, events, now)
        if scored is not history:
            items = self._again(engine, question, scored, history, lent)
            if items is not None:
                ranked = msgspec.structs.replace(ranked, items=items, fallback="")
        return self._merged(engine, question, ranked, self._bounds_of(engine, scored, question.target), used)

    def explained(
        self, engine: Engine, ranked: RankedList, history: Histories, events: Iterable[Event], now: datetime
    ) -> RankedList:
        """What `complete` made of a question that wanted reasons later, with reasons; see `Engine.explained`."""
        _, lent, scored = self._with_stand_ins(history, events, now)
        return engine.explained(ranked, scored, None if scored is history else self._reasons(engine, history, lent))

    def _with_stand_ins(
        self, history: Histories, events: Iterable[Event], now: datetime
    ) -> tuple[dict[Key, list[Event]], dict[Key, npt.NDArray[np.int32]], Histories]:
        """What was done with new items, what stands for them, and the history with that; itself if it says nothing."""
        used: dict[Key, list[Event]] = {}
        for event in events:
            if (event.domain, event.item) in self.arrivals.items:
                used.setdefault((event.domain, event.item), []).append(event)
        lent = self._lent(used)
        return used, lent, self._stand_ins.added(history, lent, used, now) if lent else history

    def counts(self, events: Iterable[Event]) -> bool:
        """Whether something was done with a new item that counts through its neighbours."""
        return any(self._lent([(event.domain, event.item)]) for event in events)

    def similar(self, engine: Engine, question: "Question", domain: str, item: str) -> tuple[RankedItem, ...] | None:
        """What goes with a new item: what goes with its neighbours, and they themselves; None where it is not new."""
        lent = self._lent([(domain, item)])
        if not lent:
            return None
        size = self._catalog.space.n_items
        nothing = Histories.from_lists([[]], size)
        return self._again(engine, question, self._stand_ins.alone(lent[domain, item]), nothing, lent)

    def _lent(self, keys: Iterable[Key]) -> dict[Key, npt.NDArray[np.int32]]:
        """The items that stand for some new ones in histories."""
        found: dict[Key, npt.NDArray[np.int32]] = {}
        for key in keys:
            start = self.arrivals.starts.get(key)
            if start is not None:
                found[key] = start.heaviest(STAND_INS)
        return found

    def _again(
        self,
        engine: Engine,
        question: "Question",
        scored: Histories,
        real: Histories,
        lent: Mapping[Key, npt.NDArray[np.int32]],
    ) -> tuple[RankedItem, ...] | None:
        """Rank by a history with stand-ins; what is no candidate is told by the real one. None: nothing is known."""
        part = self._catalog.space.slice(question.target)
        left_out = self._catalog.ids[question.target].numbers(sorted(question.exclude))
        seen = np.concatenate([real.own_items, left_out[left_out >= 0] + np.int32(part.start)])
        answer = engine.answering.answer(scored, question.target, question.k, explain=question.explains, seen=seen)
        if answer is None:
            return None
        reasons: Sequence[tuple[Reason, ...]] = [()] * len(answer.places)
        if answer.explanation is not None:
            tell = self._reasons(engine, real, lent)
            reasons = tell(answer.explanation, answer.scores.tolist(), part.start + answer.places)
        return tuple(
            RankedItem(
                domain=domain,
                item=item,
                title=engine.titles[number],
                score=score,
                reasons=why,
                propensity=1.0,
            )
            for place, score, why in zip(answer.places.tolist(), answer.scores.tolist(), reasons, strict=True)
            for number in [part.start + place]
            for domain, item in [self._catalog.name(number)]
        )

    def _reasons(self, engine: Engine, real: Histories, lent: Mapping[Key, npt.NDArray[np.int32]]) -> Reasons:
        """Reasons that name the new items instead of their stand-ins."""
        names = [(*key, self._title(key, engine.language)) for key in lent]

        def told(
            explanation: Explanation, scores: Sequence[float], items: npt.NDArray[np.integer]
        ) -> Sequence[tuple[Reason, ...]]:
            return self._stand_ins.reasons(explanation, scores, engine, real, lent, names, items.astype(np.int32))

        return told

    def _bounds_of(self, engine: Engine, history: Histories, target: str) -> tuple[Kinds, F64] | None:
        """The groups of a target with their scores for a history; the popular ones where nothing is known of it."""
        kinds = self.arrivals.kinds(target)
        if kinds is None:
            return None
        known = self._bounds.setdefault(history, {}).get(target)
        if known is not None and known[0] is kinds:
            return known
        scores: npt.NDArray[np.floating] | None = engine.answering.scores(history, target)
        if scores is None:
            scores = self._support[self._catalog.space.slice(target)]
        found = kinds, kinds.bounds(scores, self._config.optimism)
        self._bounds[history][target] = found
        return found

    def _merged(
        self,
        engine: Engine,
        question: "Question",
        ranked: RankedList,
        bounds: tuple[Kinds, F64] | None,
        used: Mapping[Key, object],
    ) -> RankedList:
        """Put the best new items where their scores belong, at most the stated share of the list."""
        most = int(self._config.share * (question.shown or question.k) + 1e-9)
        if bounds is None or not most:
            return ranked
        items = list(ranked.items)
        least = items[question.k - 1].score if len(items) >= question.k else -np.inf
        if not bounds[1].max() > least:
            return ranked  # nearly always
        present = {each.item for each in items}
        for group, score in self._best(question, bounds, used, least):
            if group[1] in present:
                continue
            worse = (place for place, each in enumerate(items) if each.score < score)
            place = next(worse, len(items))
            if not most or place >= question.k:
                break
            items.insert(place, self._shown(engine, question, *group, score))
            most -= 1
        return msgspec.structs.replace(ranked, items=tuple(items[: question.k]))

    def _best(
        self, question: "Question", bounds: tuple[Kinds, F64], used: Mapping[Key, object], least: float
    ) -> Iterable[tuple[tuple[Group, str], float]]:
        """New items that the person has not used and that score more than the least of a list, best first."""
        kinds, scores = bounds
        start = crc32(f"{question.account.domain}\0{question.account.user}".encode("utf-8", "replace"))
        better = np.flatnonzero(scores > least)
        for place in better[np.argsort(-scores[better], kind="stable")].tolist():
            group = kinds.group(place)
            for item in in_turn(self.arrivals.parts(group), start):
                if item not in question.exclude and (question.target, item) not in used:
                    yield (group, item), float(scores[place])

    def _shown(self, engine: Engine, question: "Question", group: Group, item: str, score: float) -> RankedItem:
        reasons: tuple[Reason, ...] = ()
        if question.explain:
            kind, arrived = group.start.kind, item in group.arrived
            if kind is not None:
                text = engine.translate(NEW if arrived else UNUSED).format(group=kind.label)
            else:
                like = engine.titles[group.start.items[0]]
                text = engine.translate(NEW_LIKE if arrived else UNUSED_LIKE).format(title=like)
            reasons = (
                Reason(domain=question.target, item="", title="", share=1.0, exact=False, text=text, kind="new"),
            )
        title = self._title((question.target, item), engine.language)
        return RankedItem(domain=question.target, item=item, title=title, score=score, reasons=reasons, propensity=1.0)

    def _title(self, key: Key, language: str) -> str:
        """Of an item that may have been forgotten a moment ago."""
        item = self.arrivals.items.get(key)
        return key[1] if item is None else title_of(item, language)


NEW, UNUSED = message("New in {group}"), message("Nobody has tried it yet: {group}")
NEW_LIKE, UNUSED_LIKE = message("New, like “{title}”"), message("Nobody has tried it yet: like “{title}”")
