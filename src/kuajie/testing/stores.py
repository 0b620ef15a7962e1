"""The contract of `workflows.stores.Store` as a test class: subclass it and give a fixture `store`, empty and open.

class TestOnSqlite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path): ...
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kuajie.core.errors import UsageError
from kuajie.core.records import (
    Account,
    ApiKey,
    BadEvent,
    Consent,
    EditorList,
    Event,
    Exposure,
    Item,
    Link,
    Organisation,
    RankedItem,
    RankedList,
    Reason,
    Signal,
    Traits,
    Triple,
)
from kuajie.workflows.stores import About, Store

NOW = datetime(2026, 3, 1, 8, 30, 15, 123456, tzinfo=UTC)
IDS = [
    "a",
    "A",
    "a ",
    " a",
    "á",
    "a\u0301",
    "é",
    "张三",
    "😀",
    "%_'\"\\;--",
    "0",
    "00",
    "日" * 42,
    "x" * 128,
    "\u202eabc",
]
"""Ids that some database takes for equal, or for something else than text."""


def event(event_id: str = "1", **other: Any) -> Event:  # noqa: ANN401 # any field
    """A view of a course."""
    values = {"domain": "课程", "user": "张三", "item": "py", "kind": "view", "occurred_at": NOW, **other}
    return Event(event_id=event_id, **values)


class StoreContract:
    """What every store must do, whatever it stores in."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An empty store, closed afterwards."""
        raise NotImplementedError

    # events

    def test_what_is_accepted_is_kept_exactly(self, store: Store) -> None:
        sent = [
            event("1", value=0.1 + 0.2, properties={"页": [1, None, 2.5, {"深": True}], "n": "\u0000"}),
            event("2", kind="purchase", occurred_at=None, exposure_id="e"),
            event("3", occurred_at=datetime(1990, 1, 1, tzinfo=UTC)),
        ]
        verdicts = store.events.append(sent, NOW)
        assert [(each.id, each.status) for each in verdicts] == [
            ("1", "accepted"),
            ("2", "accepted"),
            ("3", "accepted"),
        ]
        stored = store.events.after(0)
        assert [each.event for each in stored] == sent
        assert all(each.received_at == NOW for each in stored)

    def test_an_event_is_accepted_once_forever(self, store: Store) -> None:
        def statuses(*rows: Event) -> list[str]:
            return [verdict.status for verdict in store.events.append(rows, NOW)]

        assert statuses(event("1"), event("1"), event("2")) == ["accepted", "duplicate", "accepted"]
        assert statuses(event("2", user="other"), event("1", domain="car")) == ["duplicate", "accepted"]
        assert [each.event.user for each in store.events.after(0)] == ["张三"] * 3

    def test_feedback_counts_once_for_each_kind(self, store: Store) -> None:
        rows = [
            event("1", kind="click", exposure_id="e"),
            event("2", kind="click", exposure_id="e"),
            event("3", kind="purchase", exposure_id="e"),
            event("4", kind="click", exposure_id="f"),
            event("5", kind="click"),
            event("6", kind="click"),
        ]
        verdicts = store.events.append(rows, NOW)
        assert [each.status for each in verdicts] == ["accepted", "duplicate", *["accepted"] * 4]
        assert "answered" in verdicts[1].reason
        again = store.events.append([event("7", kind="click", exposure_id="e")], NOW)
        assert again[0].status == "duplicate"

    @pytest.mark.parametrize("name", ["event_id", "user", "item"])
    def test_ids_are_kept_and_compared_exactly(self, store: Store, name: str) -> None:
        rows = [event(**{"event_id": f"{name} {place}", name: text}) for place, text in enumerate(IDS)]
        assert [each.status for each in store.events.append(rows, NOW)] == ["accepted"] * len(IDS)
        assert [getattr(each.event, name) for each in store.events.after(0)] == IDS

    def test_the_order_of_sequence_is_the_order_of_arrival(self, store: Store) -> None:
        for number in range(5):
            store.events.append([event(f"{number}.{part}") for part in range(3)], NOW)
        stored = store.events.after(0)
        assert [each.event.event_id for each in stored] == [f"{n}.{part}" for n in range(5) for part in range(3)]
        sequences = [each.sequence for each in stored]
        assert sequences == sorted(set(sequences))
        assert store.events.newest() == sequences[-1]
        assert store.events.after(sequences[6], most=4) == stored[7:11]
        assert store.events.after(sequences[-1]) == []

    def test_recent_events_are_the_newest_by_time(self, store: Store) -> None:
        hours = [5, 1, 9, 3, 7]
        rows = [event(str(hour), occurred_at=NOW + timedelta(hours=hour)) for hour in hours]
        rows += [event("none", occurred_at=None), event("o", user="other"), event("c", domain="car")]
        store.events.append(rows, NOW)
        mine, unknown = Account(domain="课程", user="张三"), Account(domain="课程", user="nobody")
        found = store.about([], [mine, unknown, mine]).events
        assert [each.event_id for each in found[mine]] == ["none", "1", "3", "5", "7", "9"]
        assert [each.event_id for each in store.about([], [mine], most=2).events[mine]] == ["7", "9"]
        assert unknown not in found

    def test_bad_events_are_quarantined_and_released(self, store: Store) -> None:
        bad = [
            BadEvent(reason="坏", raw='{"a": "\x01\u202e😀"}', domain="课程", event_id="9"),
            BadEvent(reason="?", raw=""),
        ]
        verdicts = store.events.append([bad[0], event("1"), bad[1]], NOW)
        assert [(each.id, each.status) for each in verdicts] == [("9", "rejected"), ("1", "accepted"), ("", "rejected")]
        rows = store.events.quarantined()
        assert [(row.bad, row.received_at) for row in rows] == [(bad[0], NOW), (bad[1], NOW)]
        assert store.events.quarantined(after=rows[0].number) == rows[1:]
        assert store.events.quarantined(domain="课程") == store.events.quarantined(most=1) == rows[:1]
        released = store.events.release([rows[0].number], [event("9")], NOW)
        assert [each.status for each in released] == ["accepted"]
        assert store.events.quarantined() == rows[1:]
        assert [each.event.event_id for each in store.events.after(0)] == ["1", "9"]

    def test_nothing_is_nothing(self, store: Store) -> None:
        assert store.events.append([], NOW) == []
        assert not store.events.after(0)
        assert not store.events.quarantined()
        assert not store.about([], []).events
        assert not store.catalogue.people([])
        assert not store.catalogue.items("a", [])
        assert not store.catalogue.links_of([])
        assert store.events.newest() == 0
        store.catalogue.put_items([])
        assert list(store.export.frames("events", 10**9)) == []

    def test_many_callers_at_once(self, store: Store) -> None:
        """Every event exactly once, although each is sent by two callers; the tail misses none of them."""
        start = threading.Barrier(9)
        seen: list[str] = []

        def send(caller: int) -> list[str]:
            start.wait()
            statuses: list[str] = []
            for number in range(15):
                row = event(f"{caller // 2}.{number}")
                statuses.append(store.events.append([row], NOW)[0].status)
            return statuses

        def tail() -> None:
            start.wait()
            last = 0
            while len(seen) < 60:
                for each in store.events.after(last, most=7):
                    last = each.sequence
                    seen.append(each.event.event_id)

        with ThreadPoolExecutor(9) as pool:
            reading = pool.submit(tail)
            statuses = [status for each in pool.map(send, range(8)) for status in each]
            reading.result(20)
        assert sorted(statuses) == ["accepted"] * 60 + ["duplicate"] * 60
        assert sorted(seen) == sorted(f"{caller}.{number}" for caller in range(4) for number in range(15))

    def test_a_failed_job_fails_alone(self, store: Store) -> None:
        store.access.put_organisation(Organisation(organisation_id="o", name="o", created_at=NOW))
        key = ApiKey(key_id="k", organisation_id="nobody", kind="secret", secret_hash="0", created_at=NOW)  # noqa: S106

        def wrong() -> None:
            with pytest.raises(UsageError):
                store.access.add_key(key)

        with ThreadPoolExecutor(8) as pool:
            failing = [pool.submit(wrong) for _ in range(10)]
            good = [pool.submit(store.events.append, [event(str(number))], NOW) for number in range(30)]
            assert [each.result(20)[0].status for each in good] == ["accepted"] * 30
            for each in failing:
                each.result(20)
        assert len(store.events.after(0)) == 30

    # the catalogue

    def test_items_are_replaced_and_read_in_the_order_of_change(self, store: Store) -> None:
        items = [
            Item(domain="课程", item="py", title="Python 入门", price=9.9, attributes={"级别": "初级", "空": ""}),
            Item(domain="课程", item="PY", title="x" * 4_000),
            Item(domain="car", item="py", title_en="it's", category="c", brand="b"),
        ]
        store.catalogue.put_items(items)
        changes = store.catalogue.items_after(0)
        assert [change.value for change in changes] == items
        better = msgspec.structs.replace(items[0], title="Python 精讲")
        store.catalogue.put_items([items[0], better])
        assert store.catalogue.items("课程", ["py", "py", "none"]) == {"py": better}
        later = store.catalogue.items_after(changes[-1].sequence)
        assert [change.value for change in later] == [better]
        assert [change.value for change in store.catalogue.items_after(0)] == [*items[1:], better]

    def test_traits_of_people(self, store: Store) -> None:
        anna, other = Account(domain="课程", user="a"), Account(domain="课程", user="A")
        store.catalogue.put_people([Traits(account=anna, attributes={"城市": "上海"}), Traits(account=other)])
        store.catalogue.put_people([Traits(account=anna, attributes={"城市": "北京"})])
        assert store.catalogue.people([anna, other, Account(domain="car", user="a")]) == {
            anna: Traits(account=anna, attributes={"城市": "北京"}),
            other: Traits(account=other),
        }

    def test_links_have_no_direction(self, store: Store) -> None:
        a, b, c = (Account(domain=domain, user="u") for domain in ("a", "b", "c"))
        store.catalogue.put_links([Link(a=b, b=a, confidence=0.5, evidence="手机"), Link(a=b, b=c, expires_at=NOW)])
        first = store.catalogue.links_after(0)
        assert {(link.value.a, link.value.b) for link in first} == {(a, b), (b, c)}
        store.catalogue.put_links([Link(a=a, b=b, confidence=0.9)])
        assert store.catalogue.links_of([a]) == [Link(a=a, b=b, confidence=0.9)]
        assert len(store.catalogue.links_of([b])) == 2
        assert store.catalogue.links_of([Account(domain="a", user="U")]) == []
        changed = store.catalogue.links_after(first[-1].sequence)
        assert [change.value.confidence for change in changed] == [0.9]

    def test_editors_lists(self, store: Store) -> None:
        everywhere = EditorList(target="car", placement="", items=("一", "2"))
        home = EditorList(target="car", placement="首页", items=("3",))
        assert store.catalogue.editor_list("car", "首页") is None
        for chosen in (everywhere, home, msgspec.structs.replace(home, items=("4", "3"))):
            store.catalogue.put_editor_list(chosen)
        found = store.catalogue.editor_list("car", "首页")
        assert found is not None
        assert found.items == ("4", "3")
        assert store.catalogue.editor_list("car", "other") == store.catalogue.editor_list("car") == everywhere
        store.catalogue.put_editor_list(msgspec.structs.replace(home, items=()))
        assert store.catalogue.editor_list("car", "首页") == everywhere
        assert store.catalogue.editor_list("film") is None
        film = EditorList(target="film", placement="", items=("a",))
        store.catalogue.put_editor_list(film)
        assert store.catalogue.editor_lists() == [everywhere, film]

    def test_the_latest_consent_counts(self, store: Store) -> None:
        account = Account(domain="课程", user="a")

        def says(personalised: bool, minutes: int) -> Consent:
            return Consent(account=account, personalised=personalised, changed_at=NOW + timedelta(minutes=minutes))

        assert store.about([account], []).consents == {}
        assert store.catalogue.put_consents([says(False, 5), says(True, 3)]) == [True, False]
        assert store.about([account], []).consents == {account: says(False, 5)}
        assert store.catalogue.put_consents([says(True, 4)]) == [False]
        assert store.about([account], []).consents == {account: says(False, 5)}
        assert store.catalogue.put_consents([says(True, 6)]) == [True]
        assert store.about([account], []).consents == {account: says(True, 6)}

    def test_changes_of_consents_are_followed(self, store: Store) -> None:
        first, second = (Account(domain="课程", user=user) for user in "ab")
        store.catalogue.put_consents(
            [Consent(account=each, personalised=True, changed_at=NOW) for each in (first, second)]
        )
        seen = store.catalogue.consents_after(0)
        assert {change.value.account for change in seen} == {first, second}
        assert store.catalogue.consents_after(store.events.newest()) == []
        store.catalogue.put_consents([Consent(account=first, personalised=False, changed_at=NOW)])
        assert [change.value.personalised for change in store.catalogue.consents_after(seen[-1].sequence)] == [False]

    def test_what_is_stored_of_accounts_is_told_at_once(self, store: Store) -> None:
        accounts = [
            Account(domain=domain, user=f"{user}{place}")
            for place in range(60)
            for domain, user in (("课程", "张"), ("b", "x"))
        ]
        a, b, c = accounts[0], accounts[1], accounts[117]
        assert store.about(accounts, accounts) == About([], {}, {})
        store.catalogue.put_links([Link(a=c, b=a), Link(a=b, b=Account(domain="z", user="z")), Link(a=a, b=b)])
        store.catalogue.put_consents([Consent(account=c, personalised=False, changed_at=NOW)])
        sent = [
            event(f"{place}", domain=each.domain, user=each.user, occurred_at=NOW + timedelta(minutes=place % 3))
            for each in (a, c, Account(domain="b", user="y"))
            for place in range(5)
        ]
        store.events.append(
            [msgspec.structs.replace(each, event_id=f"{place}") for place, each in enumerate(sent)], NOW
        )
        found = store.about(accounts, [a, c], most=3)
        assert found.links == store.catalogue.links_of(accounts)
        assert len(found.links) == 3
        assert found.consents == {c: Consent(account=c, personalised=False, changed_at=NOW)}
        minutes = [NOW + timedelta(minutes=number) for number in (1, 1, 2)]
        assert [[each.occurred_at for each in own] for own in found.events.values()] == [minutes, minutes]
        assert [len(own) for own in found.events.values()] == [3, 3]
        assert store.about([a], [], with_links=False) == About([], {}, {})

    def test_consents_are_read_in_the_order_of_change(self, store: Store) -> None:
        def says(user: str, personalised: bool, minutes: int = 0) -> Consent:
            changed = NOW + timedelta(minutes=minutes)
            return Consent(account=Account(domain="a", user=user), personalised=personalised, changed_at=changed)

        store.catalogue.put_consents([says("张", False), says("b", True), says("c", False)])
        first = store.catalogue.consents_after(0)
        assert [change.value for change in first] == [says("张", False), says("b", True), says("c", False)]
        assert [change.sequence for change in store.catalogue.consents_after(first[0].sequence, most=1)] == [
            first[1].sequence
        ]
        store.catalogue.put_consents([says("张", True, 1), says("c", True, -1)])
        later = store.catalogue.consents_after(first[-1].sequence)
        assert [change.value for change in later] == [says("张", True, 1)], "what is older than the last word is none"

    # what was shown

    def test_lists_are_kept_as_they_were_shown(self, store: Store) -> None:
        why = Reason(domain="课程", item="py", title="Python", share=0.25, exact=True, text="因为您用过“Python”")
        place = RankedItem(domain="car", item="刹车", title="刹车片", score=0.1 + 0.2, reasons=(why,), propensity=0.5)
        shown = RankedList(
            list_id="l1",
            account=Account(domain="课程", user="张三"),
            target="car",
            model_version="v1",
            created_at=NOW,
            items=(place,),
            placement="首页 ",
            tags=("秋季", "b"),
        )
        store.shown.save_lists([shown, shown])
        store.shown.submit_lists([msgspec.structs.replace(shown, model_version="v2")]).result(20)
        assert store.shown.ranked_list("l1") == shown
        assert store.shown.ranked_list("L1") is None
        plain = msgspec.structs.replace(shown, list_id="l2", placement="", tags=())
        store.shown.save_lists([plain])
        assert store.shown.ranked_list("l2") == plain

    def test_exposures_count_once(self, store: Store) -> None:
        seen = [
            Exposure(exposure_id=str(n), list_id="l", placement="首页", position=9 - n, occurred_at=NOW, domain="car")
            for n in range(3)
        ]
        verdicts = store.shown.save_exposures([*seen, seen[0]])
        assert [each.status for each in verdicts] == ["accepted"] * 3 + ["duplicate"]
        other = msgspec.structs.replace(seen[0], domain="film", item="x")
        assert [each.status for each in store.shown.save_exposures([seen[1], other])] == ["duplicate", "accepted"]
        assert store.shown.exposures_of("l") == [seen[2], seen[1], *[seen[0], other]]
        assert store.shown.exposures_of("other") == []

    def test_what_was_told_of_lists_is_read_in_their_order(self, store: Store) -> None:
        def shown(name: str, minutes: int, *tags: str) -> RankedList:
            items = tuple(RankedItem(domain="car", item=item, title="", score=1.0) for item in ("甲", "乙", "丙"))
            who = Account(domain="课程", user="张三")
            made = NOW + timedelta(minutes=minutes)
            return RankedList(
                list_id=name, account=who, target="car", model_version="v", created_at=made, items=items, tags=tags
            )

        def seen(list_id: str, *items: str, domain: str = "car") -> list[Exposure]:
            return [
                Exposure(
                    exposure_id=f"{list_id}{domain}{place}{item}", list_id=list_id, placement="", position=0,
                    occurred_at=NOW, domain=domain, item=item,
                )
                for place, item in enumerate(items)
            ]  # fmt: skip

        lists = [
            shown("b", 0, "rerank:甲%_"),
            shown("a", 0, "x", "rerank:甲%_"),
            shown("c", 1),
            shown("d", 2, "rerank:甲%_"),
        ]
        store.shown.save_lists([*lists, shown("e", 3, "rerank:甲%_"), shown("f", 2, "rerank:甲xx")])
        store.shown.save_exposures([*seen("a", "甲", "乙", "乙"), *seen("a", "丙", domain="film"), *seen("d", "丙")])
        answers = [("acar0甲", "click", "car"), ("acar1乙", "dismiss", "car"), ("dcar0丙", "click", "film")]
        store.events.append(
            [
                event(str(place), domain=domain, exposure_id=exposure, kind=kind)
                for place, (exposure, kind, domain) in enumerate(answers)
            ],
            NOW,
        )

        def told(after: tuple[datetime, str], most: int = 9) -> list[tuple[str, set[str], set[str]]]:
            found = store.shown.told("rerank:甲%_", after, NOW + timedelta(minutes=3), ("click", "purchase"), most)
            return [(each.ranked.list_id, set(each.seen), set(each.answered)) for each in found]

        first = ("a", {"甲", "乙"}, {"甲"})
        assert told((NOW, "")) == [first, ("b", set(), set()), ("d", {"丙"}, set())]
        assert told((NOW, ""), 1) == [first]
        assert [name for name, *_ in told((NOW, "a"))] == ["b", "d"]
        assert [name for name, *_ in told((NOW + timedelta(minutes=1), "c"))] == ["d"]
        assert store.shown.told("rerank:甲%_", (NOW, ""), NOW + timedelta(minutes=3), (), 1)[0].ranked == lists[1]
        store.events.append([event("9", domain="car", exposure_id="acar2乙", kind="purchase")], NOW)
        assert told((NOW, ""), 1) == [("a", {"甲", "乙"}, {"甲", "乙"})], "any exposure of the item"

    def test_old_lists_go_with_their_exposures_and_events_stay(self, store: Store) -> None:
        def shown(number: int, days: int) -> RankedList:
            return RankedList(
                list_id=f"l{number}",
                account=Account(domain="课程", user="张三"),
                target="car",
                model_version="v1",
                created_at=NOW - timedelta(days=days),
                items=(),
            )

        store.shown.save_lists([shown(n, days) for n, days in enumerate([3, 9, 1, 8, 2])])
        store.shown.save_exposures(
            [
                Exposure(exposure_id=f"{n}.{m}", list_id=f"l{n}", placement="", position=m, occurred_at=NOW, domain="d")
                for n in range(5)
                for m in range(2)
            ]
        )
        store.events.append([event("1", exposure_id="1.0")], NOW)
        before = NOW - timedelta(days=2)
        assert store.shown.prune(before, 2) == 2
        assert [store.shown.ranked_list(f"l{n}") is None for n in range(5)] == [False, True, False, True, False]
        assert [len(store.shown.exposures_of(f"l{n}")) for n in range(5)] == [2, 0, 2, 0, 2]
        assert store.shown.prune(before, 500) == 1, "the one that is exactly as old stays"
        assert store.shown.prune(before, 500) == 0
        assert store.shown.ranked_list("l4") is not None
        again = store.events.append([event("2", exposure_id="1.0"), event("1")], NOW)
        assert [each.status for each in again] == ["duplicate", "duplicate"], "answers count once for ever"

    def test_signals_are_counted_once(self, store: Store) -> None:
        first, second = (
            Signal(signal_id=name, list_id="l", domain="课程", item="刹车 ", kind="why", occurred_at=moment)
            for name, moment in (("2", NOW), ("1", NOW + timedelta(seconds=1)))
        )
        store.shown.submit_signals([second, first, first]).result(20)
        store.shown.submit_signals([msgspec.structs.replace(first, item="other")]).result(20)
        assert store.shown.signals_of("l") == [first, second]
        assert store.shown.signals_of("L") == []

    # access

    def test_a_domain_has_one_owner(self, store: Store) -> None:
        ours = Organisation(organisation_id="ours", name="知识平台", created_at=NOW, domains=("课程", "audio"))
        store.access.put_organisation(ours)
        theirs = Organisation(organisation_id="theirs", name="车", created_at=NOW, domains=("car", "课程"))
        with pytest.raises(UsageError, match="'课程' belongs to another organisation"):
            store.access.put_organisation(theirs)
        assert [each.organisation_id for each in store.access.organisations()] == ["ours"]
        store.access.put_organisation(msgspec.structs.replace(ours, domains=("audio",), name="平台"))
        store.access.put_organisation(theirs)
        assert [(each.name, each.domains) for each in store.access.organisations()] == [
            ("平台", ("audio",)),
            ("车", ("car", "课程")),
        ]

    def test_keys_are_made_rotated_and_revoked(self, store: Store) -> None:
        store.access.put_organisation(Organisation(organisation_id="o", name="o", created_at=NOW))
        key = ApiKey(
            key_id="k1",
            organisation_id="o",
            kind="publishable",
            secret_hash="0" * 64,
            created_at=NOW,
            name="网页",
            role="widget",
            scopes=("events:write",),
            origins=("https://shop.example",),
        )
        store.access.add_key(key)
        assert store.access.key("k1") == key
        assert store.access.key("K1") is None
        with pytest.raises(UsageError, match="a key 'k1' already"):
            store.access.add_key(key)
        with pytest.raises(UsageError, match="no organisation 'x'"):
            store.access.add_key(msgspec.structs.replace(key, key_id="k9", organisation_id="x"))
        later, latest = NOW + timedelta(days=1), NOW + timedelta(days=2)
        successor = msgspec.structs.replace(key, key_id="k2", created_at=later)
        store.access.rotate_key("k1", successor, latest)
        store.access.rotate_key("k1", msgspec.structs.replace(successor, key_id="k3"), latest + timedelta(days=1))
        assert store.access.keys("o") == [
            msgspec.structs.replace(key, expires_at=latest),
            successor,
            msgspec.structs.replace(successor, key_id="k3"),
        ]
        store.access.revoke_key("k2", later)
        store.access.revoke_key("k2", latest)
        revoked = store.access.key("k2")
        assert revoked is not None
        assert revoked.revoked_at == later
        with pytest.raises(UsageError, match="there is no key"):
            store.access.revoke_key("none", NOW)
        with pytest.raises(UsageError, match="there is no key"):
            store.access.rotate_key("none", msgspec.structs.replace(key, key_id="k4"), NOW)

    # export and health

    def test_export_gives_everything_up_to_a_number(self, store: Store) -> None:
        rows = [event("1", value=1.5), event("2", occurred_at=None, exposure_id="e"), event("3", domain="car")]
        store.events.append(rows, NOW)
        store.catalogue.put_items([Item(domain="课程", item="py", title="Python", price=1.0, attributes={"a": "中"})])
        store.catalogue.put_people([Traits(account=Account(domain="课程", user="u"), attributes={"会员": "金"})])
        a, b = Account(domain="a", user="u"), Account(domain="b", user="v")
        store.catalogue.put_links([Link(a=a, b=b, confidence=0.5, expires_at=NOW)])
        edge = Triple(domain="课程", head="py", relation="about", tail="编程")
        store.catalogue.put_triples([edge, edge])
        store.catalogue.put_triples([edge])
        until = store.events.newest()
        store.events.append([event("late")], NOW)

        def table(name: Any) -> list[dict[str, Any]]:  # noqa: ANN401 # a literal
            return [row for frame in store.export.frames(name, until) for row in frame.iter_rows(named=True)]

        assert [(row["event_id"], row["domain"], row["user"], row["kind"]) for row in table("events")] == [
            ("1", "课程", "张三", "view"),
            ("2", "课程", "张三", "view"),
            ("3", "car", "张三", "view"),
        ]
        assert [(row["occurred_at"], row["value"], row["exposure_id"]) for row in table("events")] == [
            (NOW, 1.5, None),
            (None, None, "e"),
            (NOW, None, None),
        ]
        assert [(row["title"], row["price"], row["attributes"]) for row in table("items")] == [
            ("Python", 1.0, '{"a":"中"}')
        ]
        assert table("people") == [{"domain": "课程", "user": "u", "attributes": '{"会员":"金"}'}]
        assert [(row["user_a"], row["user_b"], row["confidence"], row["expires_at"]) for row in table("links")] == [
            ("u", "v", 0.5, NOW)
        ]
        assert table("triples") == [{"domain": "课程", "head": "py", "relation": "about", "tail": "编程"}]

    def test_a_healthy_store_says_so(self, store: Store) -> None:
        store.events.append([event()], NOW)
        findings = store.check()
        assert findings
        assert all(finding.ok for finding in findings), findings
        assert store.schema_version
