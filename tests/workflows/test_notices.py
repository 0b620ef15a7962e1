"""Notices: bounded, for whoever wants them, told once."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from kuajie.core.errors import StoreError
from kuajie.core.records import Account, BadEvent, Consent, Delivery, Event, RankedList, Webhook
from kuajie.testing.memory_webhooks import MemoryWebhooks
from kuajie.workflows.notices import Noticeboard, consents_changed, model_activated, model_refused, purchases_recorded
from kuajie.workflows.webhooks import KINDS, LONGEST_BODY

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Board:
    def __init__(self) -> None:
        self.store, self.seconds = MemoryWebhooks(), 100.0
        self.board = Noticeboard(self.store, lambda: self.seconds)

    def hook(self, name: str, organisation: str, *kinds: str) -> None:
        self.store.add_webhook(
            Webhook(
                webhook_id=name,
                organisation_id=organisation,
                url="https://a.example",
                kinds=kinds or tuple(KINDS),
                created_at=NOW,
            )
        )

    def queued(self, name: str) -> list[Delivery]:
        return self.store.deliveries(name, 1_000)

    def data(self, name: str) -> list[dict]:  # type: ignore[type-arg]
        return [json.loads(each.body)["data"] for each in self.queued(name)]


def test_only_who_wants_a_notice_gets_it() -> None:
    it = Board()
    it.hook("ours", "平台")
    it.hook("consents", "平台", "consent.changed")
    it.hook("theirs", "店")
    consent = Consent(account=Account(domain="课程", user="张三"), personalised=False, changed_at=NOW)
    it.board.tell([*consents_changed("平台", [consent], NOW), model_activated("v2", "s1", NOW, NOW)])
    assert [each.kind for each in it.queued("ours")] == ["model.activated", "consent.changed"] or len(
        it.queued("ours")
    ) == 2
    assert [each.kind for each in it.queued("consents")] == ["consent.changed"]
    assert [each.kind for each in it.queued("theirs")] == ["model.activated"], "nothing of the other's people"
    it.board.tell([model_activated("v2", "s1", NOW, NOW + timedelta(seconds=1))])
    assert len(it.queued("theirs")) == 1, "another process noticed the same"
    it.board.tell([model_activated("v2", "s1", NOW + timedelta(hours=1), NOW), model_refused("v2", "bad", NOW, NOW)])
    assert len(it.queued("theirs")) == 3, "activated anew"


def test_what_was_registered_in_demo_mode_is_told_nothing_after_it() -> None:
    it, demo = Board(), True
    it.board = Noticeboard(it.store, lambda: it.seconds, lambda: demo)
    it.hook("nobody's", "")
    it.hook("ours", "平台")
    it.board.tell([model_activated("v1", "s1", NOW, NOW)])
    demo = False
    it.board.tell([model_activated("v2", "s2", NOW, NOW)])
    assert it.board.knows("model.activated", "") is False
    assert [len(it.queued(name)) for name in ("nobody's", "ours")] == [1, 2]


def test_what_is_wanted_is_kept_for_a_moment() -> None:
    it = Board()
    assert it.board.knows("model.activated", "平台") is None
    it.board.tell([])
    assert it.board.knows("model.activated", "平台") is False
    it.hook("w", "平台")
    assert it.board.knows("model.activated", "平台") is False
    it.board.forget()
    assert it.board.knows("model.activated", "平台") is None
    it.board.tell([])
    assert it.board.knows("model.activated", "平台") is True
    assert it.board.knows("model.activated", "店") is False
    it.seconds += 5.1
    assert it.board.knows("model.activated", "平台") is None


def test_the_largest_notices_fit() -> None:
    it = Board()
    it.hook("w", "o")
    wide = "\\" * 128
    consents = [
        Consent(account=Account(domain="域" * 64, user=f"{n:03d}{wide[3:]}"), personalised=True, changed_at=NOW)
        for n in range(500)
    ]
    it.board.tell(consents_changed("o", consents, NOW))
    assert len(it.queued("w")) == 20
    said = [each for data in it.data("w") for each in data["consents"]]
    assert sorted(each["user"] for each in said) == [consent.account.user for consent in consents]
    for n in range(300):
        it.board.note_bad("o", [BadEvent(reason=f"{n:03d}" + "坏" * 497, raw="", domain="域" * 64)], NOW)
    it.board.tell_bad(NOW)
    assert max(len(each.body.encode()) for each in it.queued("w")) <= LONGEST_BODY
    grown = next(data for data in it.data("w") if "rows" in data)
    assert (grown["rows"], len(grown["reasons"])) == (300, 10)
    assert grown["reasons"][0] == {"reason": "other reasons", "rows": 200}


def test_the_quarantine_is_spoken_of_once_in_a_minute_and_nothing_is_forgotten() -> None:
    it = Board()
    it.hook("w", "平台", "quarantine.grew")
    bad = BadEvent(reason="item is missing", raw="{}", domain="课程")
    it.board.note_bad("平台", [bad, bad], NOW)
    it.store.failure = StoreError("down")
    with pytest.raises(StoreError):
        it.board.tell_bad(NOW)
    it.store.failure = None
    it.board.note_bad("平台", [BadEvent(reason="user is missing", raw="")], NOW + timedelta(seconds=5))
    it.board.tell_bad(NOW)
    assert it.queued("w") == []
    it.seconds += 61
    it.board.tell_bad(NOW + timedelta(seconds=61))
    assert sorted((data["domain"], data["rows"]) for data in it.data("w")) == [("", 1), ("课程", 2)]
    assert {data["since"] for data in it.data("w")} == {"2026-03-01T12:00:00Z"}
    it.seconds += 61
    it.board.tell_bad(NOW)
    assert len(it.queued("w")) == 2


def test_a_purchase_says_which_list_it_answers() -> None:
    it = Board()
    it.hook("w", "平台", "feedback.recorded")
    account = Account(domain="课程", user="张三")
    ranked = RankedList(list_id="l1", account=account, target="car", model_version="v1", created_at=NOW, items=())
    event = Event(
        event_id="课程:f:1", domain="car", user="课程:张三", item="🚗", kind="purchase", value=9.5, exposure_id="课程:x"
    )
    notices = purchases_recorded("平台", [(event, ranked)], NOW)
    it.board.tell(notices)
    it.board.tell(notices)
    (data,) = it.data("w")
    assert data == {
        "kind": "purchase", "event_id": "f:1", "list_id": "l1", "exposure_id": "x", "domain": "课程", "user": "张三",
        "target": "car", "item": "🚗", "value": 9.5, "occurred_at": None, "model_version": "v1",
    }  # fmt: skip
