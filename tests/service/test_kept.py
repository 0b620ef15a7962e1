"""Lists on their way to the store: bundled, sent again where it refused, never without bound."""

from concurrent.futures import Future
from datetime import UTC, datetime

from kuajie.core.errors import BusyError, StoreError
from kuajie.core.records import Account, RankedList
from kuajie.service import kept
from kuajie.service.kept import KeptLists
from kuajie.testing.memory_store import MemoryShown, MemoryStore


def ranked(number: int) -> RankedList:
    return RankedList(
        list_id=f"{number}",
        account=Account(domain="课程", user="张三"),
        target="car",
        model_version="m",
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        items=(),
    )


class Moody(MemoryShown):
    """Refuses at the door, or later."""

    def __init__(self) -> None:
        super().__init__(MemoryStore().events)
        self.mood = "good"
        self.bundles: list[int] = []

    def submit_lists(self, lists) -> Future[None]:
        if self.mood == "busy":
            raise BusyError("full")
        self.bundles.append(len(lists))
        if self.mood == "down":
            future: Future[None] = Future()
            future.set_exception(StoreError("down"))
            return future
        return super().submit_lists(lists)


def test_lists_travel_in_bundles_and_stay_at_hand() -> None:
    shown = Moody()
    lists = KeptLists(shown)
    for number in range(kept.BUNDLE + 7):
        lists.keep(ranked(number))
    assert lists.waiting == kept.BUNDLE + 7
    assert not shown.lists
    lists.flush()
    assert shown.bundles == [kept.BUNDLE, 7]
    assert lists.waiting == 0
    assert lists.get("3") == shown.ranked_list("3") == ranked(3)
    assert lists.get("another") is None


def test_what_the_store_refuses_is_sent_again_in_order() -> None:
    shown = Moody()
    lists = KeptLists(shown)
    lists.keep(ranked(1))
    lists.keep(ranked(2))
    for mood in ("busy", "busy"):
        shown.mood = mood
        lists.flush()
        assert lists.waiting == 2
    shown.mood = "good"
    lists.flush()
    assert list(shown.lists) == ["1", "2"]
    assert lists.lost == 0


def test_a_store_that_fails_later_is_not_asked_for_ever_in_one_flush() -> None:
    shown = Moody()
    shown.mood = "down"
    lists = KeptLists(shown)
    lists.keep(ranked(1))
    lists.flush()
    assert shown.bundles == [1]
    assert lists.waiting == 1
    shown.mood = "good"
    lists.flush()
    assert list(shown.lists) == ["1"]


def test_the_oldest_are_lost_where_there_is_no_room(monkeypatch) -> None:
    monkeypatch.setattr(kept, "MOST_WAITING", 3)
    monkeypatch.setattr(kept, "AT_HAND", 2)
    lists = KeptLists(Moody())
    for number in range(5):
        lists.keep(ranked(number))
    assert (lists.waiting, lists.lost) == (3, 2)
    assert lists.get("2") is None
    assert lists.get("4") is not None
