"""Recommend: one person's history in, ranked items of a target domain with reasons out."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import UsageError
from kuajie.core.histories import Histories
from kuajie.core.language import translator
from kuajie.core.recommender import Recommender
from kuajie.core.records import Account, RankedItem, RankedList, Reason
from kuajie.core.texts import Translate
from kuajie.data.catalog import Catalog
from kuajie.workflows.reasons import reasons_of

FALLBACK = "popular"


def best_places(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """The k largest scores, NaN never, ties by item number: (<= k,)."""
    known = int(np.count_nonzero(~np.isnan(scores)))
    k = min(k, known)
    if k == 0:
        return np.empty(0, dtype=np.int64)
    sortable = np.where(np.isnan(scores), -np.inf, scores)
    if k < len(scores):
        limit = np.partition(sortable, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(sortable >= limit)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-sortable[places], kind="stable")][:k]


def new_list_id() -> str:
    """A fresh key of a ranked list."""
    return uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class Engine:
    """Everything that answering needs, in memory: a fitted model, the catalogue, what is popular.

    Attributes:
        model: fitted on the catalogue's item space.
        catalog: names of the items.
        popularity: float (n_items,), 0 = never used: the order of the fallback.
        model_version: carried into every list.
        language: of titles and reasons.
    """

    model: Recommender
    catalog: Catalog
    popularity: npt.NDArray[np.float64]
    model_version: str
    language: str = "en"
    clock: Clock = system_clock
    list_id: Callable[[], str] = new_list_id
    titles: list[str] = field(init=False)
    translate: Translate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "titles", self.catalog.titles(self.language))
        object.__setattr__(self, "translate", translator(self.language))

    def recommend(
        self, account: Account, history: Histories, target: str, k: int = 10, *, explain: bool = True
    ) -> RankedList:
        """The k best items of the target that the history does not hold.

        Args:
            account: who asks; named in the list.
            history: one row over the catalogue's item space.
            target: domain to recommend from.
            k: number of items; fewer where the catalogue is smaller.
            explain: whether items carry reasons.

        Returns:
            The list; `fallback` is "popular" where the history holds nothing that the model knows.

        Raises:
            UsageError: k < 1, or no such domain.
        """
        if k < 1:
            raise UsageError("k must be at least 1, got {k}", k=k)
        part = self.catalog.space.slice(target)
        scores = self.model.score(history, target)[0]
        fallback = ""
        if np.isnan(scores).all():
            fallback = FALLBACK
            scores = np.where(self.popularity[part] > 0, self.popularity[part], np.nan).astype(np.float32)
        seen = history.items[(history.items >= part.start) & (history.items < part.stop)] - part.start
        scores[seen] = np.nan
        places = best_places(scores, k)
        reasons = self._reasons(history, target, places, scores[places]) if explain and not fallback else None
        return RankedList(
            list_id=self.list_id(),
            account=account,
            target=target,
            model_version=self.model_version,
            created_at=self.clock(),
            items=tuple(
                RankedItem(
                    domain=target,
                    item=self._name(part.start + int(place))[1],
                    title=self.titles[part.start + int(place)],
                    score=float(scores[place]),
                    reasons=reasons[rank] if reasons else self._popular() if fallback else (),
                )
                for rank, place in enumerate(places)
            ),
            fallback=fallback,
        )

    def _reasons(
        self, history: Histories, target: str, places: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]
    ) -> list[tuple[Reason, ...]]:
        explanation = self.model.explain(history, target, places)
        return reasons_of(explanation, scores.tolist(), self._name, self.translate)

    def _name(self, number: int) -> tuple[str, str, str]:
        space = self.catalog.space
        domain = space.domains[int(space.domain_of(np.array([number]))[0])]
        return domain, self.catalog.ids[domain].id(number - space.slice(domain).start), self.titles[number]

    def _popular(self) -> tuple[Reason, ...]:
        text = self.translate("Popular with everybody")
        return (Reason(domain="", item="", title="", share=1.0, exact=True, text=text),)
