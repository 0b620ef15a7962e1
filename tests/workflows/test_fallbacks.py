"""Cached lists are written seldom, little at a time and never for long; who said no is remembered."""

import threading

import msgspec
import pytest

from kuajie.core.errors import StoreError
from kuajie.core.records import Account, Consent, EditorList, Item, RankedItem, RankedList
from kuajie.storage.cache.memory import MemoryCache
from kuajie.testing.memory_store import MemoryStore
from kuajie.testing.stores import NOW
from kuajie.workflows.fallbacks import (
    MOST_KEPT,
    MOST_WAITING,
    REFRESH_SECONDS,
    TITLES_SECONDS,
    CachedLists,
    Chosen,
    EditorLists,
)
from kuajie.workflows.pace import PAUSE_SECONDS, SLOW_IN_A_ROW, ModelPace
from kuajie.workflows.refusals import Refusals

WHO = Account(domain="课程", user="张:三")


class CountingCache(MemoryCache):
    def __init__(self) -> None:
        super().__init__(clock=lambda: 0.0)
        self.puts = 0

    def put(self, name: str, value: bytes, seconds: int) -> None:
        self.puts += 1
        super().put(name, value, seconds)


def ranked(user: str = WHO.user, length: int = 3, model: str = "v") -> RankedList:
    items = tuple(RankedItem(domain="车", item=f"物{n}", title="标题", score=1 / (n + 1)) for n in range(length))
    account = Account(domain="课程", user=user)
    return RankedList(list_id="l", account=account, target="车", model_version=model, created_at=NOW, items=items)


def test_a_list_is_kept_once_in_a_while() -> None:
    seconds = 100.0
    cache = CountingCache()
    lists = CachedLists(cache, 3_600, lambda: seconds)
    for _ in range(5):
        lists.note(ranked())
        lists.flush()
    assert cache.puts == 1
    found = lists.find(WHO, "车", NOW)
    assert found is not None
    assert found.items == (("物0", 1.0), ("物1", 0.5), ("物2", 1 / 3))
    assert lists.find(WHO, "课程", NOW) is lists.find(Account(domain="课程", user="张"), "车", NOW) is None
    lists.note(ranked(length=8))
    lists.note(ranked(length=5))
    lists.flush()
    assert cache.puts == 2, "a longer list is worth more"
    seconds += REFRESH_SECONDS
    lists.note(ranked(model="w", length=200))
    lists.flush()
    found = lists.find(WHO, "车", NOW)
    assert found is not None
    assert (found.model_version, len(found.items)) == ("w", MOST_KEPT)
    assert len(msgspec.json.encode(found)) < 1_000


def test_what_waits_is_bounded_and_written_little_by_little() -> None:
    cache = CountingCache()
    lists = CachedLists(cache, 60, lambda: 0.0)
    for number in range(MOST_WAITING + 50):
        lists.note(ranked(str(number)))
    lists.flush(most=10)
    assert cache.puts == 10
    lists.flush(most=10 * MOST_WAITING)
    assert cache.puts == MOST_WAITING


def test_nothing_is_kept_where_it_is_not_wanted() -> None:
    cache = CountingCache()
    lists = CachedLists(cache, 0, lambda: 0.0)
    lists.note(ranked())
    lists.flush()
    assert (cache.puts, lists.find(WHO, "车", NOW)) == (0, None)


def test_what_was_forgotten_is_gone_also_while_it_waits() -> None:
    cache = CountingCache()
    lists = CachedLists(cache, 60, lambda: 0.0)
    lists.note(ranked())
    lists.forget([WHO], ["车", "课程"])
    lists.flush()
    assert lists.find(WHO, "车", NOW) is None
    lists.note(ranked())
    lists.flush()
    assert lists.find(WHO, "车", NOW) is not None, "who says yes again is cached again"


@pytest.mark.parametrize("value", [b"", b"{}", b'["v", 1]', b"\xff", b"null", b'["v", 1.0, [["a"]]]'])
def test_what_another_version_wrote_is_not_believed(value: bytes) -> None:
    cache = MemoryCache()
    lists = CachedLists(cache, 60, lambda: 0.0)
    lists.note(ranked())
    lists.flush()
    (name,) = cache._values
    cache.put(name, value, 60)
    assert lists.find(WHO, "车", NOW) is None


def test_many_threads_may_note_and_flush() -> None:
    cache = CountingCache()
    lists = CachedLists(cache, 60, lambda: 0.0)

    def note(start: int) -> None:
        for number in range(start, start + 200):
            lists.note(ranked(str(number)))
            lists.flush(3)

    threads = [threading.Thread(target=note, args=(start,)) for start in range(0, 800, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lists.flush(1_000)
    assert cache.puts == 800


def test_an_editors_item_has_a_title_in_any_language() -> None:
    both = Chosen("1", "标题", "Title")
    assert (both.title_in("zh"), both.title_in("en")) == ("标题", "Title")
    assert (Chosen("1", "标题").title_in("en"), Chosen("1").title_in("zh")) == ("标题", "1")


def test_titles_of_editors_lists_are_read_when_lists_change_and_once_in_a_while() -> None:
    seconds, store = 100.0, MemoryStore()
    lists = EditorLists(lambda: seconds)
    store.catalogue.put_items([Item(domain="车", item="1", title="旧")])
    store.catalogue.put_editor_list(EditorList(target="车", placement="", items=("1", "2")))
    lists.read(store.catalogue)
    assert lists.find("车", "首页") == (Chosen("1", "旧"), Chosen("2"))
    assert lists.has("车")
    assert not lists.has("课程")
    store.catalogue.put_items([Item(domain="车", item="1", title="新")])
    lists.read(store.catalogue)
    assert lists.find("车", "")[0].title == "旧"
    seconds += TITLES_SECONDS
    lists.read(store.catalogue)
    assert lists.find("车", "")[0].title == "新"
    store.catalogue.put_editor_list(EditorList(target="车", placement="", items=()))
    lists.read(store.catalogue)
    assert (lists.find("车", ""), lists.has("车")) == ((), False)


def test_refusals_are_those_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    store, refusals = MemoryStore(), Refusals()
    assert not refusals.allow([WHO]), "nothing is known yet"
    other = Account(domain="车", user="7")

    def says(account: Account, personalised: bool) -> None:
        store.catalogue.put_consents([Consent(account=account, personalised=personalised, changed_at=NOW)])

    says(WHO, False)
    says(other, True)
    assert len(refusals.read(store.catalogue)) == 2
    assert not refusals.allow([other, WHO])
    assert refusals.allow([other])
    assert refusals.read(store.catalogue) == []
    says(WHO, True)
    says(other, False)

    def down(*_: object) -> None:
        raise StoreError("down")

    with monkeypatch.context() as broken:
        broken.setattr(store.catalogue, "consents_after", down)
        with pytest.raises(StoreError):
            refusals.read(store.catalogue)
        assert not refusals.allow([WHO]), "what was known stays"
    assert len(refusals.read(store.catalogue)) == 2
    assert refusals.allow([WHO])
    assert not refusals.allow([other])


def test_a_slow_model_is_paused_and_tried_again() -> None:
    seconds = 0.0
    pace = ModelPace(0.5, lambda: seconds)
    for took in (0.6, 0.7, 0.1, 0.9, 0.6):
        assert pace.may_ask()
        pace.took(took)
    assert pace.may_ask(), "a quick one in between"
    pace.took(0.6)
    assert not pace.may_ask()
    seconds = PAUSE_SECONDS
    assert pace.may_ask()
    pace.took(0.6)
    assert not pace.may_ask()
    seconds += PAUSE_SECONDS
    pace.took(0.2)
    for _ in range(SLOW_IN_A_ROW - 1):
        pace.took(0.6)
        assert pace.may_ask()
