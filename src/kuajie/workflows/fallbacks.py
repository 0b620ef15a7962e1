"""What is shown when there is no list that fits the person.

    live -> cached -> popular -> editor's list          `fallback`: "", "cached", "popular", "editor"

cached     the last good list of the person and target, where the model or the store fails and nothing better is known;
           never for who said no. What is kept is items and scores alone: words are made when it is shown.
popular    what people of the same place like (`workflows.groups`), else what everybody likes (`Engine.popular`)
editor     what an editor of the target's owner chose, where popularity knows nothing: the placement's list, else the
           one for every placement. All of them are in memory, so that no answer waits for the store.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from kuajie.core.records import Account, EditorList, Item, RankedItem, RankedList, Reason, ReasonKind
from kuajie.workflows.recommend import Engine
from kuajie.workflows.stores import Cache, CatalogueStore

CACHED, EDITOR = "cached", "editor"
REFRESH_SECONDS = 60.0
"""A person's cached list of a target is replaced at most this often."""
TITLES_SECONDS = 60.0
"""How old the titles of editor's lists may be."""
MOST_DUE = 50_000
MOST_WAITING = 2_000
MOST_KEPT = 20
"""Items of a cached list."""


class CachedList(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of a list.

    Attributes:
        made_at: unix seconds.
        items: id and score, best first.
    """

    model_version: str
    made_at: float
    items: tuple[tuple[str, float], ...]


class CachedLists:
    """The last good lists, in the cache that processes share.

    Args:
        cache: where they are.
        seconds: how old a list may become; 0: none is kept.
        monotonic: seconds.
    """

    def __init__(self, cache: Cache, seconds: int, monotonic: Callable[[], float]) -> None:
        self._cache, self._seconds, self._monotonic = cache, seconds, monotonic
        self._lock = threading.Lock()
        self._due: OrderedDict[tuple[Account, str], tuple[float, int]] = OrderedDict()
        self._waiting: OrderedDict[tuple[Account, str], RankedList] = OrderedDict()

    def note(self, ranked: RankedList) -> None:
        """A good list; it is put into the cache by the next `flush`, if one that is as long was not lately."""
        key, length, now = (ranked.account, ranked.target), len(ranked.items), self._monotonic()
        due, longest = self._due.get(key, (0.0, 0))
        if (now < due and length <= longest) or not self._seconds:
            return
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting[key] = ranked
                self._due[key] = (now + REFRESH_SECONDS, length)
                self._due.move_to_end(key)
                if len(self._due) > MOST_DUE:
                    self._due.popitem(last=False)

    def flush(self, most: int = 200) -> None:
        """Put what waits into the cache, the oldest first; not all at once, for a cache may be far away."""
        for _ in range(most):
            with self._lock:
                if not self._waiting:
                    return
                (account, target), ranked = self._waiting.popitem(last=False)
            items = tuple((each.item, each.score) for each in ranked.items[:MOST_KEPT])
            kept = CachedList(ranked.model_version, ranked.created_at.timestamp(), items)
            self._cache.put(_name(account, target), msgspec.json.encode(kept), self._seconds)

    def find(self, account: Account, target: str, now: datetime) -> CachedList | None:
        """The last good list, if it is not too old; may wait for the cache."""
        found = self._cache.get(_name(account, target)) if self._seconds else None
        if not found:
            return None
        try:
            kept = msgspec.json.decode(found, type=CachedList)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None  # another version wrote it
        return kept if now.timestamp() - kept.made_at <= self._seconds else None

    def forget(self, accounts: Collection[Account], targets: Sequence[str]) -> None:
        """These are kept no longer: somebody said no."""
        for account in accounts:
            for target in targets:
                with self._lock:
                    self._waiting.pop((account, target), None)
                    self._due.pop((account, target), None)
                self._cache.put(_name(account, target), b"", 1)


def _name(account: Account, target: str) -> str:
    return f"list:{target}:{account.domain}:{account.user}"


def from_cache(
    engine: Engine, account: Account, target: str, k: int, kept: CachedList, without: Collection[str]
) -> RankedList:
    """A cached list as one of now, without what is not wanted or not there any more."""
    known = engine.catalog.ids[target]
    start = engine.catalog.space.slice(target).start
    named = [(item, score) for item, score in kept.items if item not in without]
    numbers = known.numbers([item for item, _ in named]).tolist()
    why = _general(engine.translate("Chosen for you a while ago"), exact=False, kind="history")
    items = [
        RankedItem(domain=target, item=item, title=engine.titles[start + number], score=score, reasons=why)
        for (item, score), number in zip(named, numbers, strict=True)
        if number >= 0
    ]
    return _list(engine, account, target, items[:k], CACHED)


@dataclass(frozen=True)
class Chosen:
    """An item of an editor's list and its titles."""

    item: str
    title: str = ""
    title_en: str = ""

    def title_in(self, language: str) -> str:
        """The title in a language, else in the other, else the id."""
        titles = (self.title_en, self.title) if language == "en" else (self.title, self.title_en)
        return next((title for title in titles if title), self.item)


class EditorLists:
    """All editor's lists, in memory.

    Args:
        monotonic: seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._read: list[EditorList] = []
        self._titled_at = 0.0
        self._lists: dict[tuple[str, str], tuple[Chosen, ...]] = {}

    def read(self, store: CatalogueStore) -> None:
        """Read them all; where they have changed, and once in a while, the titles of their items too.

        Raises:
            StoreError: the store does not answer; what was known stays.
        """
        chosen, now = store.editor_lists(), self._monotonic()
        if chosen == self._read and now - self._titled_at < TITLES_SECONDS:
            return
        wanted: dict[str, dict[str, None]] = {}
        for each in chosen:
            wanted.setdefault(each.target, {}).update(dict.fromkeys(each.items))
        titles = {target: store.items(target, list(items)) for target, items in wanted.items()}
        self._lists = {(each.target, each.placement): _chosen(each, titles[each.target]) for each in chosen}
        self._read, self._titled_at = chosen, now

    def find(self, target: str, placement: str) -> tuple[Chosen, ...]:
        """The list of the placement, else the one of every placement, else nothing."""
        return self._lists.get((target, placement)) or self._lists.get((target, ""), ())

    def has(self, target: str) -> bool:
        """Whether there is one of the target."""
        return any(known == target for known, _ in self._lists)


def _chosen(each: EditorList, titles: dict[str, Item]) -> tuple[Chosen, ...]:
    found = [titles.get(item) for item in each.items]
    return tuple(
        Chosen(item) if known is None else Chosen(item, known.title, known.title_en)
        for item, known in zip(each.items, found, strict=True)
    )


def from_editor(
    engine: Engine, account: Account, target: str, k: int, chosen: Sequence[Chosen], without: Collection[str]
) -> RankedList:
    """An editor's list as a ranked one; it has an order and no scores, so they count down."""
    left = [each for each in chosen if each.item not in without][:k]
    why = _general(engine.translate("Chosen by the editors"), exact=True, kind="editor")
    items = [
        RankedItem(
            domain=target,
            item=each.item,
            title=_title(engine, target, each),
            score=float(len(left) - place),
            reasons=why,
            propensity=1.0,
        )
        for place, each in enumerate(left)
    ]
    return _list(engine, account, target, items, EDITOR)


def _title(engine: Engine, target: str, chosen: Chosen) -> str:
    """As the store says, else as the snapshot does."""
    known = engine.catalog.ids.get(target, ())
    if not (chosen.title or chosen.title_en) and chosen.item in known:
        return engine.titles[engine.catalog.number(target, chosen.item)]
    return chosen.title_in(engine.language)


def _general(text: str, *, exact: bool, kind: ReasonKind) -> tuple[Reason, ...]:
    return (Reason(domain="", item="", title="", share=1.0, exact=exact, text=text, kind=kind),)


def _list(engine: Engine, account: Account, target: str, items: Sequence[RankedItem], fallback: str) -> RankedList:
    return RankedList(
        list_id=engine.list_id(),
        account=account,
        target=target,
        model_version=engine.model_version,
        created_at=engine.clock().astimezone(UTC),
        items=tuple(items),
        fallback=fallback,
    )
