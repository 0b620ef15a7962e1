"""Post an event, and the next recommendation knows it: in every domain, for everybody, over every store."""

import time
from datetime import timedelta

import pytest

from kuajie.core.errors import StoreError
from kuajie.core.records import Account, Consent, Event, Link
from kuajie.workflows.list_ids import plain

from .conftest import NOW, Running


def topics(ranked: dict) -> set[int]:
    assert ranked["items"]
    return {int(each["item"][1:]) % 4 for each in ranked["items"]}


def test_an_event_of_a_newcomer_changes_the_next_list(running: Running) -> None:
    before = running.recommend("新人 ")
    assert (before["fallback"], before["personalised"]) == ("popular", False)
    for number in range(3):
        assert running.event(number, "新人 ", f"课{4 * number + 1}")["accepted"] == 1
    after = running.recommend("新人 ", language="zh")
    assert (after["fallback"], after["personalised"], after["degraded"]) == ("", True, False)
    assert topics(after) == {1}
    assert "因为您用过“课" in after["items"][0]["reasons"][0]["text"]
    running.event(9, "新人 ", "课2")
    running.event(10, "新人 ", "课6")
    running.event(11, "新人 ", "课10")
    assert 2 in topics(running.recommend("新人 ", k=8))
    assert topics(running.recommend("新人 ", target="courses", k=4)) == {1, 2}


def test_what_happens_in_one_domain_is_known_in_the_other(running: Running) -> None:
    first = running.recommend("0007")["items"][0]["item"]
    bought = {"event_id": "b1", "domain": "car", "user": "车7", "item": first, "kind": "purchase"}
    assert running.post("/v1/events", bought)["accepted"] == 1
    assert first not in {each["item"] for each in running.recommend("0007", k=40)["items"]}
    assert running.post("/v1/events", bought)["duplicate"] == 1


def test_what_is_in_the_snapshot_and_in_the_store_counts_once(running: Running) -> None:
    live, dataset = running.service.deployment.now.live, running.service.deployment.now.dataset
    account = Account(domain="courses", user="0007")
    before = live.history(live.load(account, NOW), NOW)
    numbers = dataset.history_of(account)
    stored = [
        Event(
            event_id=f"s{place}",
            domain=dataset.catalog.name(number)[0],
            user="0007" if dataset.catalog.name(number)[0] == "courses" else "车7",
            item=dataset.catalog.name(number)[1],
            kind="view" if dataset.catalog.name(number)[0] == "courses" else "purchase",
            occurred_at=NOW.fromtimestamp(float(when), NOW.tzinfo),
        )
        for place, (number, when) in enumerate(zip(numbers.items.tolist(), numbers.times, strict=True))
    ]
    running.service.store.events.append(stored, NOW)
    live.forget([account])
    after = live.history(live.load(account, NOW), NOW)
    assert after.items.tolist() == before.items.tolist()
    assert after.weights.tolist() == pytest.approx(before.weights.tolist())


def test_an_event_of_another_process_is_seen_within_a_second(running: Running) -> None:
    assert running.recommend("别处")["fallback"] == "popular"
    rows = [Event(event_id="x", domain="courses", user="别处", item="课3", kind="purchase", occurred_at=NOW)]
    running.service.store.events.append(rows, NOW)
    until = time.monotonic() + 1
    while running.recommend("别处")["fallback"] and time.monotonic() < until:
        time.sleep(0.05)
    assert not running.recommend("别处")["fallback"]


def test_a_new_link_joins_and_an_expired_one_does_not(running: Running) -> None:
    for number in range(3):
        running.event(number, "网友", f"课{4 * number + 2}")
    ends = {"a": {"domain": "courses", "user": "网友"}, "b": {"domain": "car", "user": "新车主"}}
    asked = {"domain": "car", "user": "新车主"}
    assert running.recommend(**asked)["fallback"] == "popular"
    old = {**ends, "expires_at": (NOW - timedelta(days=1)).isoformat()}
    assert running.ask("PUT", "/v1/links", {"links": [old]}).json()["accepted"] == 1
    assert running.recommend(**asked)["fallback"] == "popular"
    assert running.ask("PUT", "/v1/links", {"links": [ends]}).json()["accepted"] == 1
    assert topics(running.recommend(**asked)) == {2}
    weak = {"a": ends["a"], "b": {"domain": "car", "user": "第二个"}}
    assert running.ask("PUT", "/v1/links", {"links": [weak]}).json()["accepted"] == 1
    assert running.recommend(**asked)["fallback"] == "popular", "two links into one domain join nobody"


def test_a_link_of_another_process_is_seen(running: Running) -> None:
    running.event(1, "甲", "课1")
    assert running.recommend("乙", domain="car")["fallback"] == "popular"
    running.service.store.catalogue.put_links(
        [Link(a=Account(domain="courses", user="甲"), b=Account(domain="car", user="乙"))]
    )
    running.service.look()
    assert running.recommend("乙", domain="car")["fallback"] == ""


def test_who_said_no_gets_what_everybody_likes(running: Running) -> None:
    assert running.recommend("0007")["personalised"]
    assert not running.recommend("0007", personalised=False)["personalised"]
    said = {"account": {"domain": "car", "user": "车7"}, "personalised": False, "changed_at": NOW.isoformat()}
    assert running.ask("PUT", "/v1/consents", {"consents": [said]}).json()["accepted"] == 1
    ranked = running.recommend("0007")
    assert (ranked["personalised"], ranked["fallback"], ranked["degraded"]) == (False, "popular", False)
    again = Consent(account=Account(domain="car", user="车7"), personalised=True, changed_at=NOW + timedelta(seconds=1))
    running.service.store.catalogue.put_consents([again])
    running.service.deployment.now.live.forget([again.account])
    assert running.recommend("0007")["personalised"]


def test_an_older_consent_does_not_count_and_one_of_the_future_is_none(running: Running) -> None:
    def said(personalised: bool, hours: float) -> dict:
        row = {
            "account": {"domain": "car", "user": "车7"},
            "personalised": personalised,
            "changed_at": (NOW + timedelta(hours=hours)).isoformat(),
        }
        answer = running.ask("PUT", "/v1/consents", {"consents": [row]}, **{"Accept-Language": "zh"})
        return {"http": answer.status_code, **answer.json()["verdicts"][0]}

    refused = said(True, 24.1)
    assert (refused["http"], refused["status"], refused["reason"]) == (422, "rejected", "changed_at 在未来")
    assert said(False, 0)["status"] == "accepted"
    older = said(True, -1)
    assert (older["http"], older["status"], older["reason"]) == (200, "duplicate", "已有更晚的意愿，以它为准")
    assert not running.recommend("0007")["personalised"]
    assert said(False, 0)["status"] == "accepted", "sent again"
    assert said(True, 1)["status"] == "accepted"
    assert running.recommend("0007")["personalised"]


def test_ids_as_long_as_may_be_are_taken_and_longer_ones_are_not(running: Running) -> None:
    ranked = running.recommend("0007", k=1)
    longest = "曝" * 42 + "ab"
    assert len(longest.encode()) == 128
    seen = {"exposure_id": longest, "list_id": ranked["list_id"], "position": 0}
    item = ranked["items"][0]["item"]
    click = {"event_id": longest, "list_id": ranked["list_id"], "exposure_id": longest, "item": item, "kind": "click"}
    for status in ("accepted", "duplicate"):
        assert running.post("/v1/exposures", {"exposures": [seen]})["verdicts"] == [
            {"id": longest, "status": status, "reason": ""}
        ]
        assert running.post("/v1/feedback", {"feedback": [click]})["verdicts"] == [
            {"id": longest, "status": status, "reason": ""}
        ]
    other = running.post("/v1/exposures", {"exposures": [{**seen, "exposure_id": longest[:-1] + "c"}]})
    assert other["accepted"] == 1, "another id is another exposure"
    running.service.lists.flush()
    exposures = running.service.store.shown.exposures_of(plain(ranked["list_id"]))
    event = next(row.event for row in running.service.store.events.after(0) if row.event.kind == "click")
    assert event.exposure_id in {each.exposure_id for each in exposures}
    assert event.exposure_id.startswith("courses:")
    for wrong, said in ((longest + "c", "longer than 128 bytes"), ("", "missing")):
        refused = running.post("/v1/exposures", {"exposures": [{**seen, "exposure_id": wrong}]}, status=422)
        assert said in refused["verdicts"][0]["reason"]
        refused = running.post("/v1/feedback", {"feedback": [{**click, "event_id": wrong}]}, status=422)
        assert said in refused["verdicts"][0]["reason"]


def test_exposures_of_the_future_are_refused(running: Running) -> None:
    ranked = running.recommend("0007", k=1)
    late = (NOW + timedelta(hours=24.1)).isoformat()
    seen = {"exposure_id": "x", "list_id": ranked["list_id"], "position": 0, "occurred_at": late}
    refused = running.post("/v1/exposures", {"exposures": [seen]}, status=422)
    assert refused["verdicts"][0]["reason"] == "occurred_at is in the future"


def test_a_dislike_excludes_and_unknown_items_do_not_disturb(running: Running) -> None:
    first = running.recommend("0007", k=3)["items"][0]["item"]
    no = {"event_id": "n", "domain": "car", "user": "车7", "item": first, "kind": "dismiss"}
    assert running.post("/v1/events", no)["accepted"] == 1
    running.event("u", "0007", "目录里没有")
    after = running.recommend("0007", k=40)
    assert first not in {each["item"] for each in after["items"]}
    assert not after["fallback"]


def test_excluded_items_are_left_out_and_k_is_kept(running: Running) -> None:
    three = [each["item"] for each in running.recommend("0007", k=3)["items"]]
    rest = running.recommend("0007", k=3, exclude=three)["items"]
    assert len(rest) == 3
    assert not set(three) & {each["item"] for each in rest}
    assert all(not each["reasons"] for each in running.recommend("0007", explain=False)["items"])


def test_the_way_from_list_to_exposure_to_feedback(running: Running) -> None:
    ranked = running.recommend("0007", k=2)
    seen = {"exposure_id": "x1", "list_id": ranked["list_id"], "position": 1, "placement": "首页"}
    assert running.post("/v1/exposures", {"exposures": [seen]})["accepted"] == 1
    assert running.post("/v1/exposures", {"exposures": [seen]})["duplicate"] == 1
    running.post("/v1/exposures", {"exposures": [{**seen, "exposure_id": "x2", "position": 2}]}, status=422)
    item = ranked["items"][1]["item"]
    click = {"event_id": "f1", "list_id": ranked["list_id"], "exposure_id": "x1", "item": item, "kind": "click"}
    assert running.post("/v1/feedback", {"feedback": [click]})["verdicts"] == [
        {"id": "f1", "status": "accepted", "reason": ""}
    ]
    running.service.lists.flush()  # before the next write that is waited for
    again = running.post("/v1/feedback", {"feedback": [{**click, "event_id": "f2"}]})
    assert again["verdicts"][0]["status"] == "duplicate"
    assert item not in {each["item"] for each in running.recommend("0007", k=40)["items"]}
    running.post("/v1/feedback", {"feedback": [{**click, "event_id": "f3", "item": "🚗不在"}]}, status=422)
    stored = running.service.store.shown
    list_id = plain(ranked["list_id"])
    assert stored.exposures_of(list_id)[0].item == item
    assert stored.ranked_list(list_id).account == Account(domain="courses", user="0007")


def test_feedback_of_somebody_without_an_account_there_is_known_too(running: Running) -> None:
    ranked = running.recommend("新来的")
    item = ranked["items"][0]["item"]
    bought = {"event_id": "f", "list_id": ranked["list_id"], "exposure_id": "x", "item": item, "kind": "purchase"}
    assert running.post("/v1/feedback", {"feedback": [bought]})["accepted"] == 1
    after = running.recommend("新来的", k=40)
    assert (after["fallback"], item in {each["item"] for each in after["items"]}) == ("", False)
    profile = running.ask("GET", "/v1/people/courses/新来的/profile").json()
    assert profile["accounts"] == ["courses:新来的"]
    assert profile["recent"][0]["item"] == item


def test_similar_items_across_domains(running: Running) -> None:
    found = running.ask("GET", "/v1/items/courses/课5/similar?target=car&k=4").json()
    assert topics(found) == {1}
    assert len(found["items"]) == 4
    own = running.ask("GET", "/v1/items/courses/课5/similar?k=4").json()
    assert topics(own) == {1}
    assert "课5" not in {each["item"] for each in own["items"]}
    for path in (
        "/v1/items/courses/没有/similar",
        "/v1/items/没有/课5/similar",
        "/v1/items/courses/课5/similar?target=x",
    ):
        assert running.ask("GET", path).status_code == 404
    assert running.ask("GET", "/v1/items/courses/课5/similar?k=0").status_code == 400


def test_while_the_store_is_down_lists_go_on_and_nothing_is_acknowledged(
    fast: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = fast.recommend("0007")

    def down(*_: object, **__: object) -> None:
        raise StoreError("the store is down")

    with monkeypatch.context() as broken:
        store = fast.service.store
        for part, name in (
            (store.events, "submit"), (store.events, "recent"), (store.events, "after"),
            (store.catalogue, "consents"), (store.catalogue, "links_of"), (store.shown, "submit_lists"),
            (store.catalogue, "put_items"),
        ):  # fmt: skip
            broken.setattr(part, name, down)
        fast.service.look()
        assert fast.recommend("0007")["degraded"]
        ranked = fast.recommend("0008")
        assert (ranked["degraded"], ranked["fallback"]) == (True, "")
        answer = fast.ask(
            "POST",
            "/v1/events",
            {"events": [{"event_id": "1", "domain": "courses", "user": "u", "item": "课1", "kind": "view"}]},
        )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "safe to send it again" in answer.json()["do"]
        put = fast.ask("PUT", "/v1/items", {"items": [{"domain": "car", "item": "新"}]})
        assert put.status_code == 503
        assert fast.ask("GET", "/health/ready").json()["store"] == "down"
    fast.service.look()
    assert fast.ask("GET", "/health/ready").json()["store"] == "good"
    assert fast.recommend("0007")["items"] == known["items"]
    assert not fast.recommend("0008", language="zh")["degraded"], "asked anew once the store is back"
