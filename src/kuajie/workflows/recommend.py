"""Recommend: one person's history in, ranked items of a target domain with reasons out."""

import threading
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.language import translator
from kuajie.core.recommender import Explanation, Recommender
from kuajie.core.records import Account, Item, RankedItem, RankedList, Reason
from kuajie.core.texts import Translate
from kuajie.data.catalog import Catalog
from kuajie.models.answering import Answer, Answering, answering, best_places, seen_places
from kuajie.workflows.links import Links, Things
from kuajie.workflows.reasons import reasons_of

FALLBACK = "popular"
MOST_REMEMBERED = 20_000
"""Items of lists; one with its reasons takes some 0.8 kB."""
MOST_NAMED = 50_000
"""Items whose names stay at hand."""
Ranked = tuple[int, float, tuple[Reason, ...]]
"""Joint item number, score, reasons."""
Reasons = Callable[[Explanation, Sequence[float], npt.NDArray[np.integer]], Sequence[tuple[Reason, ...]]]
"""Explanation of some items, their scores and joint numbers -> reasons of each."""


def new_list_id() -> str:
    """A fresh key of a ranked list."""
    return uuid.uuid4().hex


class Remembered:
    """What was ranked for histories that have not changed since: whoever comes back is told the same at once.

    A history is never changed, only replaced by what somebody did (`workflows.live`), so the same object is the same
    question. The oldest are forgotten.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most, self._lock = most, threading.Lock()
        self._items: dict[tuple[int, str, int, bool], tuple[Histories, tuple[RankedItem, ...]]] = {}
        self._size = 0

    def get(self, history: Histories, target: str, k: int, explain: bool) -> tuple[RankedItem, ...] | None:
        """The items, if they are remembered."""
        known = self._items.get((id(history), target, k, explain))
        return None if known is None else known[1]

    def put(self, history: Histories, target: str, k: int, explain: bool, items: tuple[RankedItem, ...]) -> None:
        """Remember items; keeping the history keeps its id its own."""
        with self._lock:
            self._take((id(history), target, k, explain))
            self._items[id(history), target, k, explain] = history, items
            self._size += len(items)
            while self._size > self._most:
                self._take(next(iter(self._items)))

    def _take(self, key: tuple[int, str, int, bool]) -> None:
        known = self._items.pop(key, None)
        self._size -= 0 if known is None else len(known[1])

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self._size = 0


@dataclass(frozen=True, eq=False)
class Liked:
    """What many like of one target.

    Attributes:
        scores: (n_target,), 0 or NaN = nobody.
        text: the reason, in the language of the list.
    """

    scores: npt.NDArray[np.floating]
    text: str


@dataclass(frozen=True, eq=False)
class Engine:
    """Everything that answering needs, in memory: a fitted model, the catalogue, what is popular.

    Attributes:
        model: fitted on the catalogue's item space.
        catalog: names of the items.
        popularity: float (n_items,), 0 = never used: the order of the fallback.
        model_version: carried into every list.
        language: of titles and reasons.
        things: of the knowledge graph: reasons say how a history item is connected with what it carried, by a path over
            these or by words of both titles; None: they do not.
    """

    model: Recommender
    catalog: Catalog
    popularity: npt.NDArray[np.float64]
    model_version: str
    language: str = "en"
    clock: Clock = system_clock
    list_id: Callable[[], str] = new_list_id
    things: Things | None = None
    titles: list[str] = field(init=False)
    translate: Translate = field(init=False)
    answering: Answering = field(init=False)
    _starts: list[int] = field(init=False)
    _named: dict[int, tuple[str, str, str]] = field(init=False, default_factory=dict)
    _remembered: "Remembered" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", self.catalog.titles(self.language))
        object.__setattr__(self, "translate", translator(self.language))
        object.__setattr__(self, "answering", answering(self.model))
        object.__setattr__(self, "_remembered", Remembered())
        object.__setattr__(self, "_starts", self.catalog.space.offsets[:-1].tolist())

    @cached_property
    def links(self) -> Links | None:
        """How items are connected; who serves asks for it before the first list does."""
        if self.things is None:
            return None
        names = self.things.english if self.language == "en" else {}
        return Links.of(self.things, self.titles, names)

    def recommend(
        self,
        account: Account,
        history: Histories,
        target: str,
        k: int = 10,
        *,
        explain: bool = True,
        remember: bool = True,
        repeats: bool = False,
    ) -> RankedList:
        """The k best items of the target that the person did not use, as far as the history says.

        Args:
            account: who asks; named in the list.
            history: one row over the catalogue's item space.
            target: domain to recommend from.
            k: number of items; fewer where the catalogue is smaller.
            explain: whether items carry reasons.
            remember: whether the same history may come again.
            repeats: whether items of the history may be in the list, where people come back to them.

        Returns:
            The list; `fallback` is "popular" where the history holds nothing that the model knows.

        Raises:
            UsageError: k < 1, or no such domain.
        """
        if k < 1:
            raise UsageError("k must be at least 1, got {k}", k=k)
        remember &= not repeats
        items = None if repeats else self._remembered.get(history, target, k, explain)
        if items is None:
            seen = np.empty(0, np.int32) if repeats else history.own_items
            answer = self.answering.answer(history, target, k, explain=explain, seen=seen)
            if answer is None:
                return self.popular(account, history, target, k)
            items = self._items(answer, target, history)
            if remember:
                self._remembered.put(history, target, k, explain, items)
        return self._list(account, target, items)

    def explained(self, ranked: RankedList, history: Histories, reasons: Reasons | None = None) -> RankedList:
        """A list with reasons, where its items have none yet; what the catalogue does not hold stays as it is.

        Args:
            ranked: by the model, of one target.
            history: that it was ranked by.
            reasons: says them; left out: the items of the history are named.
        """
        ids = self.catalog.ids[ranked.target]
        bare = [place for place, each in enumerate(ranked.items) if not each.reasons and each.item in ids]
        if not bare:
            return ranked
        items = list(ranked.items)
        places = ids.numbers([items[place].item for place in bare]).astype(np.int64)
        explanation = self.answering.explain(history, ranked.target, places)
        if explanation is None:
            return ranked
        numbers = places + self.catalog.space.slice(ranked.target).start
        told = (reasons or self._reasons(history))(explanation, [items[place].score for place in bare], numbers)
        for place, why in zip(bare, told, strict=True):
            items[place] = msgspec.structs.replace(items[place], reasons=why)
        return msgspec.structs.replace(ranked, items=tuple(items))

    def popular(
        self, account: Account, history: Histories, target: str, k: int = 10, liked: "Liked | None" = None
    ) -> RankedList:
        """What everybody likes of the target, without what the history holds; the model is not asked.

        Args:
            account: who asks; named in the list.
            history: one row over the catalogue's item space.
            target: domain to recommend from.
            k: number of items.
            liked: what people of the same group like; left out: everybody.

        Raises:
            UsageError: no such domain.
        """
        part = self.catalog.space.slice(target)
        liked = liked or Liked(self.popularity[part], self.translate("Popular with everybody"))
        return self._list(account, target, self._shown(self._popular(history, part, k, liked)), FALLBACK)

    def retitle(self, number: int, title: str) -> None:
        """Show another title of an item from now on."""
        if self.titles[number] == title:
            return
        self.titles[number] = title
        made: Links | None = self.__dict__.get("links")
        if made is not None:
            made.retitled(number)
        self._named.pop(number, None)
        self._remembered.clear()

    def _list(self, account: Account, target: str, items: tuple[RankedItem, ...], fallback: str = "") -> RankedList:
        return RankedList(
            list_id=self.list_id(),
            account=account,
            target=target,
            model_version=self.model_version,
            created_at=self.clock(),
            items=items,
            fallback=fallback,
        )

    def _items(self, answer: Answer, target: str, history: Histories) -> tuple[RankedItem, ...]:
        start = self.catalog.space.slice(target).start
        reasons: Sequence[tuple[Reason, ...]] = [()] * len(answer.places)
        if answer.explanation is not None:
            reasons = self._reasons(history)(answer.explanation, answer.scores.tolist(), answer.places + start)
        ranked = zip(answer.places.tolist(), answer.scores.tolist(), reasons, strict=True)
        return self._shown((start + place, score, why) for place, score, why in ranked)

    def _shown(self, ranked: Iterable[Ranked]) -> tuple[RankedItem, ...]:
        name = self._name
        return tuple(
            [  # a list is a third quicker than a generator
                RankedItem(domain=domain, item=item, title=title, score=score, reasons=reasons, propensity=1.0)
                for number, score, reasons in ranked
                for domain, item, title in [name(number)]
            ]
        )

    def _reasons(self, history: Histories) -> Reasons:
        def told(
            explanation: Explanation, scores: Sequence[float], items: npt.NDArray[np.integer]
        ) -> Sequence[tuple[Reason, ...]]:
            return reasons_of(
                explanation,
                scores,
                self._name,
                self.translate,
                links=self.links,
                items=items,
                borrowed=history.borrowed_items,
            )

        return told

    def _name(self, number: int) -> tuple[str, str, str]:
        named = self._named.get(number)
        if named is None:
            if len(self._named) >= MOST_NAMED:
                self._named.clear()
            named = self._named[number] = self._look_up(number)
        return named

    def _look_up(self, number: int) -> tuple[str, str, str]:
        place = bisect_right(self._starts, number) - 1
        domain = self.catalog.space.domains[place]
        return domain, self.catalog.ids[domain].id(number - self._starts[place]), self.titles[number]

    def _popular(self, history: Histories, part: slice, k: int, liked: "Liked") -> list[Ranked]:
        """What many like, without what the history holds."""
        scores = np.where(liked.scores > 0, liked.scores, np.nan).astype(np.float32)
        scores[seen_places(history.own_items, part)] = np.nan
        why = (Reason(domain="", item="", title="", share=1.0, exact=True, text=liked.text, kind="popular"),)
        return [(part.start + place, float(scores[place]), why) for place in best_places(scores, k).tolist()]


def title_of(item: Item, language: str) -> str:
    """An item's title, the English one for "en"; the other where there is but one; else the id."""
    first, second = (item.title_en, item.title) if language == "en" else (item.title, item.title_en)
    return first or second or item.item
