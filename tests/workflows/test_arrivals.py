"""What learning costs and in which order it goes: unchanged items, bounds of texts, two looks at once."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from kuajie.core.records import Item
from kuajie.core.space import ItemSpace
from kuajie.data.catalog import Catalog
from kuajie.data.content import Neighbours
from kuajie.data.starts import Start
from kuajie.workflows import arrivals
from kuajie.workflows.arrivals import Arrivals
from kuajie.workflows.stores import Change


class Content:
    """Every title is a start of its own; remembers what it was asked. The first item of a domain is its only kind."""

    def __init__(self, size: int = 1) -> None:
        self.read: list[str] = []
        self.kinds = {name: Neighbours(np.array([at], np.int32), "甲") for name, at in (("a", 0), ("b", size))}
        self.by_kind = {name: Start(kind, 1.0, kind.items[:0], np.empty(0)) for name, kind in self.kinds.items()}
        self.starts: dict[str, Start] = {}

    def of(self, items: Sequence[Item], *, texts: bool = True) -> list[Start | None]:
        if not texts:
            return [self.by_kind[item.domain] if item.category else None for item in items]
        self.read += [item.item for item in items]
        return [self.starts.setdefault(item.title, self._near(self.kinds[item.domain])) for item in items]

    @staticmethod
    def _near(kind: Neighbours) -> Start:
        return Start(kind, 0.5, kind.items, np.array([0.5]))


class Shelf:
    """A catalogue store: the last record of each item, in order of its last change."""

    def __init__(self) -> None:
        self.changes: dict[tuple[str, str], Change[Item]] = {}
        self.sequence = 0

    def put(self, *items: Item) -> None:
        for item in items:
            self.sequence += 1
            self.changes[item.domain, item.item] = Change(self.sequence, item)

    def items_after(self, sequence: int, most: int = 1_000) -> list[Change[Item]]:
        found = sorted((each for each in self.changes.values() if each.sequence > sequence), key=lambda c: c.sequence)
        return found[:most]


def made(content: Content, read_new: int = 10, unused: int = 0, tell: Any = None) -> Arrivals:
    """One used item in each of two domains; the others are not used."""
    size = 1 + unused
    space = ItemSpace(("a", "b"), (size, size))
    table = {
        "domain": ["a"] * size + ["b"] * size, "item": [*map(str, range(size))] * 2,
        "title": [f"标题{n}" for n in range(2 * size)], "category": ["甲"] * 2 * size,
    }  # fmt: skip
    used = np.zeros(2 * size)
    used[[0, size]] = 1
    engine: Any = SimpleNamespace(
        catalog=SimpleNamespace(space=space),
        popularity=used,
        model=SimpleNamespace(score=lambda probe, target: np.full((1, size), np.nan)),
        retitle=lambda number, title: None,
        language="en",
    )
    dataset: Any = SimpleNamespace(
        catalog=Catalog.of(pl.DataFrame(table), space.domains), snapshot=SimpleNamespace(store_sequence=0)
    )
    return Arrivals(dataset, {"en": engine}, content, read_new, tell)


def new(number: object, title: str = "新", **more: Any) -> Item:
    return Item(domain="a", item=f"新{number}", title=title, category="甲", **more)


def test_an_item_that_did_not_change_is_not_read_again_and_makes_no_averages() -> None:
    content, shelf = Content(), Shelf()
    learned = made(content)
    shelf.put(new(1, "涡轮"), new(2, "口红"))
    assert learned.read(shelf) == 2  # type: ignore[arg-type]
    kinds = learned.kinds("a")
    assert kinds is not None
    assert len(kinds) == 2
    shelf.put(new(2, "口红"), new(1, "涡轮"))
    assert learned.read(shelf) == 2  # type: ignore[arg-type]
    assert content.read == ["新1", "新2"]
    assert learned.kinds("a") is kinds
    shelf.put(new(1, "涡轮", price=3.0))
    learned.read(shelf)  # type: ignore[arg-type]
    assert content.read == ["新1", "新2", "新1"]
    assert learned.kinds("a") is kinds, "it starts as before"
    assert learned.items["a", "新1"].price == 3.0


def test_texts_of_the_latest_alone_count_and_others_start_from_their_kind() -> None:
    content, shelf = Content(), Shelf()
    learned = made(content, read_new=3)
    shelf.put(*(new(number, f"标题{number}") for number in range(5)), Item(domain="a", item="无类", title="别的"))
    shelf.put(new(5, "标题5"), new(6, "标题6"))
    learned.read(shelf)  # type: ignore[arg-type]
    by_kind = [item for (_, item), start in learned.starts.items() if not len(start.items)]
    assert by_kind == [f"新{number}" for number in range(5)]
    assert [item for (_, item), start in learned.starts.items() if len(start.items)] == ["无类", "新5", "新6"]
    shelf.put(new(7, "标题7"))
    learned.read(shelf)  # type: ignore[arg-type]
    assert ("a", "无类") not in learned.starts, "nothing else is known of it"
    kinds = learned.kinds("a")
    assert kinds is not None
    shown = [kinds.group(place).parts()[0] for place in range(len(kinds))]
    assert {*filter(None, shown)} == {tuple(by_kind), ("新5",), ("新6",), ("新7",)}


def test_loading_reads_a_bounded_number_of_texts_of_each_domain_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    content = Content(21)
    learned = made(content, read_new=6, unused=20)
    assert sorted(content.read) == sorted(["1", "2", "3"] * 2)
    assert len(learned.items) == 40
    assert sum(not len(start.items) for start in learned.starts.values()) == 34
    monkeypatch.setattr(arrivals, "MOST_NEW", 10)
    few = made(Content(21), read_new=6, unused=20)
    assert sorted(few.items) == [(domain, str(number)) for domain in "ab" for number in range(1, 6)]


def test_an_unused_item_that_is_put_as_it_was_arrives_with_the_start_it_had() -> None:
    content, shelf = Content(4), Shelf()
    learned = made(content, unused=3)
    item = learned.items["a", "2"]
    start, before = learned.starts["a", "2"], list(content.read)
    shelf.put(item)
    learned.read(shelf)  # type: ignore[arg-type]
    assert content.read == before
    assert learned.starts["a", "2"] is start
    kinds = learned.kinds("a")
    assert kinds is not None
    parts = [kinds.group(place).parts() for place in range(len(kinds)) if kinds.group(place).start is start]
    assert parts == [(("2",), ())]


def test_an_older_record_never_comes_after_a_newer_one() -> None:
    content, shelf, told = Content(), Shelf(), list[float | None]()
    learned = made(content, tell=lambda items: told.extend(item.price for item in items))
    slow, go = threading.Event(), threading.Event()
    of = content.of

    def waits(items: Sequence[Item], *, texts: bool = True) -> list[Start | None]:
        if items and items[0].price == 5 and not go.is_set():
            slow.set()
            assert go.wait(10)
        return of(items, texts=texts)

    content.of = waits  # type: ignore[method-assign]
    shelf.put(new(1, "旧", price=5.0))
    threads = [threading.Thread(target=learned.read, args=(shelf,)) for _ in range(2)]
    threads[0].start()
    assert slow.wait(10)
    shelf.put(new(1, "新", price=0.0))
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive(), "the first look is not over"
    go.set()
    for thread in threads:
        thread.join(10)
    assert (learned.items["a", "新1"].title, learned.items["a", "新1"].price) == ("新", 0.0)
    assert told == [5.0, 0.0]
