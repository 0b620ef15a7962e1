"""Searching over HTTP: the words and the person decide; keys, hostile input, later items, answers to what was found."""

import json
import time
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from kuajie.core.errors import StoreError
from kuajie.workflows.pace import PAUSE_SECONDS, SLOW_IN_A_ROW, ModelPace

from .conftest import NOW, PAGE, Running
from .test_hostile import TEXTS

LIPSTICKS = [
    {"domain": "car", "item": f"口{n}", "title": f"南枝丝绒口红 {n}号", "title_en": f"Velvet Lipstick no. {n}",
     "category": "唇妆", "brand": "南枝", "attributes": {"finish": "丝绒"}}
    for n in range(3)
]  # fmt: skip
LOAN = {"domain": "courses", "item": "贷1", "title": "第一次买车贷款怎么办", "title_en": "Your First Car Loan"}


def search(running: Running, query: str, token: str | None = None, status: int = 200, **more: Any) -> Any:
    headers = {"Accept-Language": more.pop("speaks")} if "speaks" in more else {}
    return running.post("/v1/search", {"query": query, **more}, token, status, **headers)


def person(number: int) -> dict[str, str]:
    return {"domain": "courses", "user": f"{number:04d}"}


def stocked(running: Running) -> Running:
    """With lipsticks and a loan that arrived after the snapshot."""
    answer = running.ask("PUT", "/v1/items", {"items": [*LIPSTICKS, LOAN]})
    assert answer.json()["accepted"] == 4
    running.service.deployment.now.shelves.look()
    return running


def items(found: dict) -> list[str]:
    return [each["item"] for each in found["items"]]


def test_two_people_ask_alike_and_see_what_fits_each(fast: Running) -> None:
    for number in range(4):
        fast.event(number, f"人{number}", f"课{number}")
    people = [{"domain": "courses", "user": f"人{number}"} for number in range(4)]
    answers = [search(fast, "课", targets=["courses"], k=20, **each) for each in people]
    assert all(each["personalised"] and not each["degraded"] for each in answers)
    for number, answer in enumerate(answers):
        assert [int(item[1:]) % 4 for item in items(answer)[:4]] == [number] * 4
        best = answer["items"][0]
        assert best["reasons"][0]["item"] == f"课{number}"
        assert best["matched"] == [{"field": "title", "text": best["title"], "ranges": [[0, 1]]}]
    nobody = search(fast, "课", targets=["courses"], k=20)
    refusing = search(fast, "课", targets=["courses"], k=20, personalised=False, **people[1])
    assert (nobody["personalised"], nobody["list_id"]) == (False, "")
    assert (refusing["personalised"], items(refusing)) == (False, items(nobody))
    assert refusing["list_id"]


def test_who_said_no_is_not_ranked_for(fast: Running) -> None:
    account = person(2)
    consent = {"account": account, "personalised": False, "changed_at": NOW.isoformat()}
    assert fast.ask("PUT", "/v1/consents", {"consents": [consent]}).json()["accepted"] == 1
    assert search(fast, "课", **account)["personalised"] is False
    assert items(search(fast, "课", **account)) == items(search(fast, "课"))


def test_the_last_event_is_known(fast: Running) -> None:
    before = search(fast, "课", targets=["courses"], domain="courses", user="新人")
    assert before["personalised"] is False
    for number in range(3):
        fast.event(number, "新人", f"课{4 * number + 1}")
    after = search(fast, "课", targets=["courses"], domain="courses", user="新人")
    assert after["personalised"] is True
    assert int(after["items"][0]["item"][1:]) % 4 == 1


@pytest.mark.parametrize(
    ("query", "language", "expected", "title"),
    [
        ("口红", "zh", "口", "南枝丝绒口红"),
        ("丝绒 口红", "zh", "口", "南枝丝绒口红"),
        ("ＬＩＰＳＴＩＣＫＳ", "en", "口", "Velvet Lipstick"),
        ("first car loans", "en", "贷1", "Your First Car Loan"),
        ("第一次买车贷款", "zh", "贷1", "第一次买车贷款怎么办"),
        ("买车的贷款", "zh", "贷1", "第一次买车贷款怎么办"),
    ],
)
def test_both_languages_find_what_arrived_a_moment_ago(
    fast: Running, query: str, language: str, expected: str, title: str
) -> None:
    found = search(stocked(fast), query, speaks=language, **person(0))
    best = found["items"][0]
    assert best["item"].startswith(expected)
    assert best["title"].startswith(title)
    assert best["matched"]
    for match in best["matched"]:
        assert all(match["text"][start:end] for start, end in match["ranges"])
    assert found["domains"][0]["count"] >= 1
    if expected == "口":
        assert found["domains"][0] == {
            "domain": "car", "title": "汽车", "count": 3, "categories": [{"category": "唇妆", "count": 3}]
        }  # fmt: skip


def test_a_process_that_watches_takes_in_what_arrived(running: Running) -> None:
    assert running.ask("PUT", "/v1/items", {"items": LIPSTICKS}).json()["accepted"] == 3
    until = time.monotonic() + 10
    while not (found := search(running, "口红"))["items"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert sorted(items(found)) == ["口0", "口1", "口2"]


def test_a_query_narrows_a_recommendation(fast: Running) -> None:
    stocked(fast)
    assert {each["item"] for each in fast.recommend(query="口红")["items"]} == {"口0", "口1", "口2"}
    fast.event(0, "新人", "课0")
    whole, narrowed = fast.recommend("新人", k=20), fast.recommend("新人", k=40, query="🚗")
    assert [each["item"] for each in narrowed["items"]][:5] == [each["item"] for each in whole["items"]][:5]
    assert narrowed["items"][0]["reasons"]
    assert not {each["item"] for each in narrowed["items"]} & {each["item"] for each in LIPSTICKS}
    best = narrowed["items"][0]["item"]
    assert best not in {each["item"] for each in fast.recommend(k=40, query="🚗", exclude=[best])["items"]}
    assert fast.recommend(query="没有这样的东西")["items"] == []
    assert fast.recommend(query="  ", status=400)["error"]
    assert fast.recommend(query="🚗", personalised=False)["fallback"] == "popular"
    row = {"exposure_id": "q1", "list_id": narrowed["list_id"], "position": 0}
    assert fast.post("/v1/exposures", {"exposures": [row]})["accepted"] == 1


def test_what_was_found_can_be_answered_in_its_domain(running: Running) -> None:
    running.ask(
        "PUT", "/v1/items", {"items": [{**LOAN, "item": "同"}, {**LIPSTICKS[0], "item": "同", "title": "贷款"}]}
    )
    running.service.deployment.now.shelves.look()
    found = search(running, "贷款", **person(7))
    assert {(each["domain"], each["item"]) for each in found["items"]} == {("car", "同"), ("courses", "同")}
    for number, item in enumerate(found["items"]):
        row = {"exposure_id": f"x{number}", "list_id": found["list_id"], "position": number}
        assert running.post("/v1/exposures", {"exposures": [row]})["accepted"] == 1
        answer = {"event_id": f"f{number}", "list_id": found["list_id"], "exposure_id": f"x{number}", "item": "同"}
        sent = {"feedback": [{**answer, "kind": "purchase", "domain": item["domain"]}]}
        assert running.post("/v1/feedback", sent)["accepted"] == 1
    wrong = {"feedback": [{**answer, "event_id": "w", "kind": "click", "domain": "nowhere"}]}
    assert running.post("/v1/feedback", wrong, status=422)["verdicts"][0]["reason"] == "the item is not in the list"
    stored = {(row.event.domain, row.event.user) for row in running.service.store.events.after(0)}
    assert stored == {("courses", "0007"), ("car", "车7")}
    exposed = running.service.store.shown.exposures_of(found["list_id"])
    exposed = exposed or running.service.store.shown.exposures_of(found["list_id"].partition(".")[0])
    assert [each.domain for each in exposed] == [each["domain"] for each in found["items"]]


def test_keys_ask_for_their_own_people_and_reasons_are_general(fast: Running, token: Callable[..., str]) -> None:
    own, other, page = token("courses"), token("car"), token("courses", "publishable")
    assert search(fast, "课", own)["items"], "a catalogue is everybody's"
    assert search(fast, "课", other)["items"]
    search(fast, "课", other, 403, **person(1))
    asked = {"query": "🚗", "k": 20, **person(1)}
    for key, headers, named in ((own, {}, {"courses", ""}), (page, {"Origin": PAGE}, {""})):
        found = fast.ask("POST", "/v1/search", asked, key, **headers).json()
        reasons = [reason for each in found["items"] for reason in each["reasons"]]
        assert reasons
        assert {reason["domain"] for reason in reasons if reason["item"]} <= named
        assert not any("🚗" in reason["text"] for reason in reasons)


def test_half_an_account_and_unknown_domains_are_refused(fast: Running) -> None:
    assert search(fast, "课", status=400, user="0007", speaks="en")["error"] == "say the domain of the user"
    assert "domain" in search(fast, "课", status=400, user="0007", speaks="zh")["error"]
    page = search(fast, "课", domain="courses")
    assert (page["personalised"], bool(page["list_id"])) == (False, True)
    search(fast, "课", status=404, targets=["nowhere"])
    search(fast, "课", status=403, domain="nowhere", user="1")
    search(fast, "课", status=400, domain="courses", user=" ")


HOSTILE = {
    **TEXTS,
    "regular expression": "(a+)+$ [口红]{1,9999} .* \\p{L}",
    "wild cards": "% _ * ?",
    "LIKE": "%' OR 1=1 --",
    "only marks": "!!!…，。",
    "family": "👨‍👩‍👧‍👦" * 20,
    "combining": "e" + "\u0301" * 150,
    "zalgo": "口̴̧̛̺̦̄红̸",
    "two hundred": "口" * 200,
    "too long": "口" * 201,
    "a megabyte of blanks": " " * 500_000,
    "surrogate": "\ud800",
    "right to left": "\u202e红口\u202c אבג عربي",
    "private": "\ue000\uffff\U0010ffff",
    "numbers": "-1e400 NaN 0x00 ٣٤٥",
}
WORDLESS = {"empty", "space", "wild cards", "only marks", "too long", "a megabyte of blanks", "surrogate", "private"}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_queries_are_answered_or_refused_in_a_sentence(shared: Running, name: str) -> None:
    query = HOSTILE[name]
    for path, body in (
        ("/v1/search", {"query": query, **person(0)}),
        ("/v1/recommend", {"query": query, "target": "car", **person(0)}),
    ):
        began = time.monotonic()
        content = json.dumps(body).encode()
        answer = shared.client.post(path, content=content, headers={"Content-Type": "application/json"})
        assert time.monotonic() - began < 2
        if path == "/v1/recommend" and not query:
            assert answer.status_code == 200
            continue
        assert answer.status_code == (400 if name in WORDLESS else 200), answer.text
        if answer.status_code == 400:
            assert answer.json()["error"]
            assert "\n" not in answer.json()["error"]


def test_whitespace_is_refused_in_the_callers_language(fast: Running) -> None:
    assert search(fast, " \u3000\t", status=400, speaks="en")["error"].startswith("the query holds no word")
    assert search(fast, " \u3000\t", status=400, speaks="zh")["error"].startswith("查询里没有可以查找的词")


def test_searching_goes_on_without_the_store(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise StoreError("down")

    search(fast, "课")
    monkeypatch.setattr(fast.service.store.events, "after", down)
    monkeypatch.setattr(fast.service.store.catalogue, "items_after", down)
    monkeypatch.setattr(fast.service.store.catalogue, "consents", down)
    fast.service.look()
    found = search(fast, "课", **person(5))
    assert found["degraded"] is True
    assert len(found["items"]) == 10


def test_a_profile_says_what_the_own_history_consists_of(fast: Running, token: Callable[..., str]) -> None:
    own = token("courses")
    profile = fast.ask("GET", "/v1/people/courses/0007/profile", token=own).json()
    assert profile["categories"] == profile["brands"] == [], "the items of this world have neither"
    catalog = fast.service.deployment.now.dataset.catalog
    object.__setattr__(
        catalog,
        "table",
        catalog.table.with_columns(
            category=pl.lit("分类") + pl.col("domain"),
            brand=pl.when(pl.col("item").str.ends_with("3")).then(pl.lit("牌")).otherwise(pl.lit("")),
        ),
    )
    profile = fast.ask("GET", "/v1/people/courses/0007/profile", token=own).json()
    assert profile["categories"] == [{"domain": "courses", "name": "分类courses", "share": 1.0}]
    assert {each["domain"] for each in profile["brands"]} <= {"courses"}
    assert all(0 < each["share"] <= 1 for each in profile["brands"])


def test_what_was_dismissed_is_not_recommended_by_words_and_can_be_looked_for(fast: Running) -> None:
    fast.event(0, "新人", "课0")
    first = fast.recommend("新人", k=40, query="🚗")
    best = first["items"][0]["item"]
    row = {"event_id": "no", "list_id": first["list_id"], "exposure_id": "x", "item": best, "kind": "dismiss"}
    assert fast.post("/v1/feedback", {"feedback": [row]})["accepted"] == 1
    assert best not in {each["item"] for each in fast.recommend("新人", k=40, query="🚗")["items"]}
    assert best in items(search(fast, "🚗", k=40, domain="courses", user="新人"))


def test_the_page_that_asks_counts_with_words_too(fast: Running) -> None:
    asked = {"domain": "courses", "target": "car", "k": 4, "query": "🚗"}
    context = {"item": {"domain": "courses", "item": "课2"}}
    stranger = fast.post("/v1/recommend", {**asked, "context": context})
    assert stranger["personalised"] is False
    assert {int(each["item"][1:]) % 4 for each in stranger["items"]} == {2}
    assert "课2" in stranger["items"][0]["reasons"][0]["text"]
    assert all(each["propensity"] == 1.0 for each in stranger["items"])


def test_a_search_whose_list_got_lost_is_exposed_in_the_right_domains(fast: Running) -> None:
    fast.ask("PUT", "/v1/items", {"items": [{**LOAN, "item": "同"}, {**LIPSTICKS[0], "item": "同", "title": "贷款"}]})
    fast.service.deployment.now.shelves.look()
    found = search(fast, "贷款", **person(7))
    fast.service.lists._at_hand.clear()
    fast.service.lists._waiting.clear()
    rows = [
        {
            "exposure_id": f"l{place}",
            "list_id": found["list_id"],
            "position": place,
            "item": "同",
            "domain": each["domain"],
        }
        for place, each in enumerate(found["items"])
    ]
    assert fast.post("/v1/exposures", {"exposures": rows})["accepted"] == 2
    swapped = [{**row, "exposure_id": f"s{place}", "position": 1 - place} for place, row in enumerate(rows)]
    assert fast.post("/v1/exposures", {"exposures": swapped}, status=422)["accepted"] == 0
    answer = {"event_id": "a", "list_id": found["list_id"], "exposure_id": "l0", "item": "同", "kind": "click"}
    told = fast.post("/v1/feedback", {"feedback": [{**answer, "domain": found["items"][0]["domain"]}]})
    assert told["accepted"] == 1


def narrowed(running: Running, query: str = "🚗", **more: Any) -> Any:
    return running.recommend("新人", k=40, query=query, **more)


def buy(running: Running, item: str) -> None:
    """Under the name that answers of somebody without an account there are kept under."""
    event = {"event_id": f"b{item}", "domain": "car", "user": "courses:新人", "item": item, "kind": "purchase"}
    assert running.post("/v1/events", event)["accepted"] == 1


def test_new_items_that_were_used_are_not_recommended_by_words(fast: Running) -> None:
    stocked(fast)
    buy(fast, "口1")
    assert set(items(narrowed(fast, "口红"))) == {"口0", "口2"}
    assert set(items(narrowed(fast, "口红", personalised=False))) == {"口0", "口1", "口2"}


def test_words_are_enough_while_the_model_is_left_alone(fast: Running) -> None:
    fast.event(0, "新人", "课0")
    seconds = 0.0
    fast.service.fallbacks.pace = ModelPace(0.0, lambda: seconds)
    for _ in range(SLOW_IN_A_ROW):
        assert narrowed(fast)["personalised"]
    buy(fast, "🚗3")
    paused = narrowed(fast)
    assert (paused["personalised"], paused["degraded"], paused["fallback"]) == (False, True, "popular")
    assert "🚗3" not in items(paused)
    assert set(items(paused)) == set(items(narrowed(fast, personalised=False))) - {"🚗3"}
    seconds = PAUSE_SECONDS
    assert narrowed(fast)["personalised"], "tried again"


@pytest.mark.parametrize("broken", ["answer", "explain", "history"])
def test_words_are_enough_while_the_model_fails(fast: Running, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the model has a fault")

    fast.event(0, "新人", "课0")
    assert narrowed(fast)["personalised"]
    deployed = fast.service.deployment.now
    engine = deployed.engines["zh"]
    part = {"answer": engine.answering, "explain": engine.model, "history": deployed.live}[broken]
    monkeypatch.setattr(type(part), broken, fail)
    found = narrowed(fast)
    assert (found["personalised"], found["degraded"], found["fallback"]) == (False, True, "popular")
    assert len(items(found)) == 20
