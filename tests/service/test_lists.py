"""What is shown when something is broken: live, cached, popular, editor's list; consent; the page's context."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pytest

from kuajie.core.errors import StoreError
from kuajie.core.records import Account, Consent, EditorList, Event
from kuajie.rerank.exploration import ExplorationConfig
from kuajie.service import editors
from kuajie.service.calls import Service
from kuajie.storage.cache.redis import RedisCache
from kuajie.workflows.fallbacks import CachedLists
from kuajie.workflows.list_ids import plain
from kuajie.workflows.pace import PAUSE_SECONDS, SLOW_IN_A_ROW, ModelPace
from kuajie.workflows.workspace import Workspace

from .conftest import NOW, Running, _run, with_memory
from .test_live_answers import topics


def ids(ranked: dict) -> list[str]:
    return [each["item"] for each in ranked["items"]]


def how(ranked: dict) -> tuple[str, bool, bool]:
    return ranked["fallback"], ranked["personalised"], ranked["degraded"]


def topic(running: Running, user: str, topic: int, items: int = 5) -> None:
    """Somebody new who uses some courses of a topic."""
    for number in range(items):
        running.event(f"{user}{number}", user, f"课{4 * number + topic}")


@pytest.fixture
def break_model(fast: Running, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Breaks the model that serves: it answers nobody any more."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the model has a fault")

    def broken() -> None:
        for engine in fast.service.deployment.now.engines.values():
            monkeypatch.setattr(type(engine.answering), "answer", fail)
            engine._remembered.clear()

    return broken


@pytest.fixture
def break_store(fast: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """The store answers nobody any more; forgets whom this process knows."""
    service = fast.service

    def down(*_: object, **__: object) -> None:
        raise StoreError("the store is down")

    with monkeypatch.context() as patch:

        def broken() -> None:
            for part, names in (
                (service.store.events, ("submit", "recent", "after", "newest")),
                (service.store.shown, ("submit_lists", "ranked_list", "save_exposures")),
                (service.store.catalogue, ("consents", "consents_after", "links_of", "links_after", "editor_lists")),
            ):
                for name in names:
                    patch.setattr(part, name, down)
            forget_everybody(service)
            service.look()

        yield broken


def forget_everybody(service: Service) -> None:
    live = service.deployment.now.live
    live._people.clear()
    live._fresh.clear()
    service.cache._recent.clear()


def no_popularity(service: Service) -> None:
    for engine in service.deployment.now.engines.values():
        object.__setattr__(engine, "popularity", np.zeros_like(engine.popularity))


def test_a_model_that_fails_is_replaced_by_the_last_good_list(fast: Running, break_model: Callable) -> None:
    before = fast.recommend("0007", k=8)
    fast.service.look()
    break_model()
    after = fast.recommend("0007", language="zh")
    assert how(after) == ("cached", True, True)
    assert ids(after) == ids(before)[:5]
    assert [each["title"] for each in after["items"]] == [each["title"] for each in before["items"][:5]]
    assert {reason["text"] for each in after["items"] for reason in each["reasons"]} == {"不久前为您选出"}
    assert all(each["propensity"] is None for each in after["items"]), "nobody knows what the cache will hold"
    assert after["list_id"] != before["list_id"]
    second = ids(before)[1]
    bought = {"event_id": "b", "domain": "car", "user": "车7", "item": second, "kind": "purchase"}
    assert fast.post("/v1/events", bought)["accepted"] == 1
    left = ids(fast.recommend("0007", exclude=[ids(before)[0]], k=3))
    assert left == ids(before)[2:5], "neither what was bought since, nor what is excluded"
    assert how(fast.recommend("0007", personalised=False)) == ("popular", False, True)
    assert how(fast.recommend("0008")) == ("popular", False, True), "no list of this person was kept"


def test_a_cached_list_becomes_too_old(fast: Running, break_model: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    fast.recommend("0007")
    fast.service.look()
    break_model()
    kept = fast.service.workspace.config.serving.cached_list_seconds
    monkeypatch.setattr(fast.service, "clock", lambda: NOW + timedelta(seconds=2 * kept))
    assert how(fast.recommend("0007")) == ("popular", False, True)


def test_a_model_that_became_slow_is_left_alone_for_a_while(fast: Running) -> None:
    seconds = 0.0
    fast.recommend("0007")
    fast.service.look()
    pace = fast.service.fallbacks.pace = ModelPace(0.0, lambda: seconds)
    for _ in range(SLOW_IN_A_ROW):
        assert fast.recommend("0007")["fallback"] == ""
    assert how(fast.recommend("0007")) == ("cached", True, True)
    assert how(fast.recommend("没见过")) == ("popular", False, True)
    seconds = PAUSE_SECONDS
    assert fast.recommend("0007")["fallback"] == "", "tried again"
    assert fast.recommend("0007")["fallback"] == "cached", "it is still slow"
    seconds *= 2
    pace._limit = 60.0
    assert [fast.recommend("0007")["fallback"] for _ in range(3)] == ["", "", ""]


def test_a_store_that_is_down_is_replaced_by_the_last_good_list(fast: Running, break_store: Callable) -> None:
    for number in range(3):
        fast.event(number, "只在库里", f"课{4 * number + 1}")
    before = fast.recommend("只在库里")
    fast.service.look()
    break_store()
    after = fast.recommend("只在库里")
    assert how(after) == ("cached", True, True)
    assert ids(after) == ids(before)
    assert how(fast.recommend("没见过")) == ("popular", False, True)
    assert how(fast.recommend("0008")) == ("", True, True), "what the snapshot knows is better than an old list"


def test_a_store_that_hangs_is_not_waited_for(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    fast.event(1, "只在库里", "课1")
    before = fast.recommend("只在库里")
    fast.service.look()
    forget_everybody(fast.service)

    def hang(*_: object) -> dict:
        time.sleep(1.5)
        return {}

    monkeypatch.setattr(fast.service.store.events, "recent", hang)
    after = fast.recommend("只在库里")
    assert how(after) == ("cached", True, True)
    assert ids(after) == ids(before)


def test_a_cache_that_is_down_is_passed_over(fast: Running, break_model: Callable) -> None:
    nowhere = RedisCache.open("redis://127.0.0.1:1/0")
    fast.service.fallbacks.cached = CachedLists(nowhere, 60, time.monotonic)
    fast.recommend("0007")
    fast.service.look()
    break_model()
    assert how(fast.recommend("0007")) == ("popular", False, True)
    nowhere.close()


def test_what_nobody_has_used_yet_is_what_an_editor_chose(fast: Running) -> None:
    no_popularity(fast.service)
    nothing = fast.recommend("没见过")
    assert (ids(nothing), how(nothing)) == ([], ("popular", False, False))
    everywhere = {"target": "car", "placement": "", "items": ["🚗3", "🚗1", "🚗2"]}
    home = {"target": "car", "placement": "首页", "items": ["🚗9"]}
    put = fast.ask("PUT", "/v1/editor-lists", {"lists": [everywhere, home]}).json()
    assert (put["accepted"], put["rejected"]) == (2, 0)
    shown = fast.recommend("没见过", language="zh")
    assert (ids(shown), how(shown)) == (["🚗3", "🚗1", "🚗2"], ("editor", False, False))
    assert shown["items"][0]["reasons"][0]["text"] == "编辑精选"
    assert [each["propensity"] for each in shown["items"]] == [1.0] * 3
    assert ids(fast.recommend("没见过", placement="首页")) == ["🚗9"]
    assert ids(fast.recommend("没见过", placement="别处", exclude=["🚗1"], k=1)) == ["🚗3"]
    assert fast.recommend("0007")["fallback"] == "", "who is known gets what fits"
    read = fast.ask("GET", "/v1/editor-lists?target=car").json()["lists"]
    assert read == [everywhere, home]
    assert fast.ask("PUT", "/v1/editor-lists", {"lists": [{**home, "items": []}]}).json()["accepted"] == 1
    assert ids(fast.recommend("没见过", placement="首页", k=1)) == ["🚗3"]


def test_editors_lists_are_checked(fast: Running) -> None:
    bad = [
        {"target": "car", "placement": "", "items": ["没有这个"]},
        {"target": "car", "placement": "", "items": ["🚗1", "🚗1"]},
        {"target": "car", "placement": "\n", "items": ["🚗1"]},
        {"target": "别人", "placement": "", "items": ["🚗1"]},
    ]
    told = fast.ask("PUT", "/v1/editor-lists", {"lists": bad})
    assert told.status_code == 422
    reasons = [each["reason"] for each in told.json()["verdicts"]]
    wrong = ("put it first", "twice", "placement is missing", "target is not one of yours")
    assert all(words in reason for words, reason in zip(wrong, reasons, strict=True)), reasons
    told = fast.ask("PUT", "/v1/editor-lists", {"lists": bad}, **{"Accept-Language": "zh"}).json()
    first, *_, last = [each["reason"] for each in told["verdicts"]]
    assert first == "car 中没有物品“没有这个”；请先提交它：PUT /v1/items"
    assert last == "target 不是您的领域"
    assert fast.ask("PUT", "/v1/editor-lists", {"lists": []}).status_code == 400
    new = {"items": [{"domain": "car", "item": "新车", "title": "新车型", "title_en": "The new one"}]}
    assert fast.ask("PUT", "/v1/items", new).json()["accepted"] == 1
    fine = {"lists": [{"target": "car", "placement": "", "items": ["新车"]}]}
    assert fast.ask("PUT", "/v1/editor-lists", fine).json()["accepted"] == 1
    no_popularity(fast.service)
    assert fast.recommend("没见过", language="zh")["items"][0]["title"] == "新车型"
    assert fast.recommend("没见过", language="en")["items"][0]["title"] == "The new one"


def test_so_many_editors_lists_and_no_more(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editors, "MOST_PLACEMENTS", 1)
    lists = [{"target": "car", "placement": name, "items": ["🚗1"]} for name in ("首页", "别处")]
    told = fast.ask("PUT", "/v1/editor-lists", {"lists": lists}, **{"Accept-Language": "zh"}).json()
    assert [each["reason"] for each in told["verdicts"]] == ["", "car 已有 1 个列表；请先清空一个"]


def test_a_domain_that_no_model_knows_has_its_editors_list(fast: Running) -> None:
    fast.recommend("0007", target="film", status=404)
    fast.service.store.catalogue.put_editor_list(EditorList(target="film", placement="", items=("电影1", "电影2")))
    fast.service.fallbacks.read_editors()
    shown = fast.recommend("0007", target="film")
    assert (ids(shown), how(shown)) == (["电影1", "电影2"], ("editor", False, False))
    seen = {"exposure_id": "x", "list_id": shown["list_id"], "position": 1, "item": "电影2"}
    assert fast.post("/v1/exposures", {"exposures": [seen]})["accepted"] == 1


def test_an_editors_list_of_another_process_is_seen_and_outlives_the_store(
    fast: Running, break_store: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_popularity(fast.service)
    fast.service.store.catalogue.put_editor_list(EditorList(target="car", placement="", items=("🚗5",)))
    monkeypatch.setattr(fast.service.fallbacks, "_read_at", -1e9)
    fast.service.look()
    break_store()
    assert how(fast.recommend("没见过")) == ("editor", False, True)
    monkeypatch.setattr(fast.service.fallbacks, "_read_at", -1e9)
    fast.service.look()
    assert ids(fast.recommend("没见过")) == ["🚗5"]


def said(user: str, personalised: bool, minutes: int = 0) -> dict:
    when = (NOW + timedelta(minutes=minutes)).isoformat()
    return {"account": {"domain": "car", "user": user}, "personalised": personalised, "changed_at": when}


def test_who_said_no_gets_no_cached_list(fast: Running, break_model: Callable) -> None:
    fast.recommend("0007")
    fast.service.look()
    account = Account(domain="courses", user="0007")
    assert fast.service.fallbacks.cached.find(account, "car", NOW) is not None
    assert fast.ask("PUT", "/v1/consents", {"consents": [said("车7", False)]}).json()["accepted"] == 1
    assert fast.service.fallbacks.cached.find(account, "car", NOW) is None, "it is gone, also for their other account"
    break_model()
    assert how(fast.recommend("0007")) == ("popular", False, True)


@pytest.mark.parametrize("read_before", [True, False])
def test_who_said_no_anywhere_gets_nothing_personal_while_the_store_is_down(
    fast: Running, break_store: Callable, read_before: bool
) -> None:
    fast.recommend("0007")
    fast.recommend("0008")
    fast.service.look()
    no = Consent(account=Account(domain="car", user="车7"), personalised=False, changed_at=NOW)
    fast.service.store.catalogue.put_consents([no])  # another process was told
    if read_before:
        fast.service.look()
    else:
        fast.service.fallbacks.refusals._known = False  # this process could never ask
    break_store()
    assert how(fast.recommend("0007")) == ("popular", False, True)
    assert fast.recommend("0008")["personalised"] is read_before


def test_a_consent_of_another_process_is_heard_by_the_next_look(running: Running) -> None:
    assert running.recommend("0007")["personalised"]
    account = Account(domain="car", user="车7")
    for minutes, personalised in ((0, False), (1, True)):
        changed = Consent(account=account, personalised=personalised, changed_at=NOW + timedelta(minutes=minutes))
        running.service.store.catalogue.put_consents([changed])
        running.service.look()
        assert running.recommend("0007")["personalised"] is personalised


def test_the_item_on_the_page_counts_as_just_viewed(running: Running) -> None:
    page = {"context": {"item": {"domain": "courses", "item": "课5"}, "tags": ["秋季", "b"]}}
    cold = running.recommend("没见过", language="zh", placement="详情页", **page)
    assert (how(cold), topics(cold)) == (("", False, False), {1})
    assert cold["items"][0]["reasons"][0]["text"] == "与“课5”相配"
    similar = running.ask("GET", "/v1/items/courses/课5/similar?target=car&k=5").json()
    assert ids(cold) == ids(similar)
    assert running.recommend("没见过")["fallback"] == "popular", "nothing of it was stored"
    stored = running.service.lists.get(plain(cold["list_id"]))
    assert (stored.placement, stored.tags) == ("详情页", ("秋季", "b"))
    topic(running, "喜欢三", 3)
    known = running.recommend("喜欢三", k=8, **page)
    assert known["personalised"]
    assert topics(known) == {1, 3}, "the page and the person"
    anonymous = {"domain": "courses", "target": "car", "k": 5, **page}
    nobody = running.post("/v1/recommend", anonymous)
    assert (ids(nobody), how(nobody)) == (ids(cold), ("", False, False))
    own = running.recommend("没见过", target="courses", **page)
    assert "课5" not in ids(own)
    assert running.recommend("没见过", context={"item": {"domain": "courses", "item": "没有"}})["fallback"] == "popular"
    running.recommend("没见过", context={"item": {"domain": "没有", "item": "课5"}}, status=404)
    running.recommend("没见过", context={"tags": ["长" * 129]}, status=400)
    running.recommend("没见过", context={"tags": [str(n) for n in range(17)]}, status=400)
    running.recommend("没见过", context={"tags": ["\n"]}, status=400)
    running.recommend("没见过", placement="长" * 100, status=400)


def test_who_said_no_still_gets_what_fits_the_page(fast: Running) -> None:
    fast.ask("PUT", "/v1/consents", {"consents": [said("车7", False)]})
    page = {"context": {"item": {"domain": "courses", "item": "课5"}}}
    assert how(fast.recommend("0007", **page)) == ("", False, False)
    assert ids(fast.recommend("0007", **page)) == ids(fast.recommend("没见过", **page))


def test_nobodys_list_takes_exposures_and_no_feedback(fast: Running) -> None:
    ranked = fast.post("/v1/recommend", {"domain": "courses", "target": "car", "k": 2})
    seen = {"exposure_id": "x", "list_id": ranked["list_id"], "position": 0}
    assert fast.post("/v1/exposures", {"exposures": [seen]})["accepted"] == 1
    click = {"event_id": "f", "list_id": ranked["list_id"], "exposure_id": "x", "item": ids(ranked)[0], "kind": "click"}
    refused = fast.post("/v1/feedback", {"feedback": [click]}, status=422)
    assert "name a user" in refused["verdicts"][0]["reason"]


def test_not_interested_in_the_item_its_brand_or_category(running: Running) -> None:
    catalog = running.service.deployment.now.dataset.catalog
    brands = [f"牌{number % 3}" for number in range(len(catalog.table))]
    object.__setattr__(catalog, "table", catalog.table.with_columns(brand=np.array(brands), category=np.array(brands)))
    brand_of = {
        catalog.name(number)[1]: brands[number] for number in range(catalog.space.slice("car").start, len(brands))
    }
    for number, (user, scope) in enumerate((("甲", "item"), ("乙", "brand"), ("丙", "category"))):
        topic(running, user, number)
        before = running.recommend(user, k=40)
        item = ids(before)[0]
        no = {"event_id": f"n{number}", "list_id": before["list_id"], "exposure_id": f"x{number}", "item": item}
        told = running.post("/v1/feedback", {"feedback": [{**no, "kind": "dismiss", "scope": scope}]})
        assert told["accepted"] == 1
        alike = {item} if scope == "item" else {each for each in ids(before) if brand_of[each] == brand_of[item]}
        for look in (lambda: None, lambda: forget_everybody(running.service)):
            look()  # at once, and as any other process reads it from the store
            after = running.recommend(user, k=40)
            assert alike
            assert not alike & set(ids(after))
            assert not alike & set(ids(running.recommend(user, k=40, personalised=False)))
        if scope != "item":
            assert not [each for each in ids(running.recommend(user, k=40)) if brand_of[each] == brand_of[item]]
            assert after["items"][0]["reasons"], "what stays is explained"
            later = NOW + timedelta(days=91)
            running.service.clock = lambda later=later: later
            assert set(ids(running.recommend(user, k=40))) & (alike - {item}), "a brand comes back, the item does not"
            assert item not in ids(running.recommend(user, k=40))
            running.service.clock = lambda: NOW


def test_why_this_names_every_path(running: Running) -> None:
    topic(running, "新人", 1)
    ranked = running.recommend("新人", k=3, language="zh")
    item = ranked["items"][1]
    events = running.service.store.events.newest()
    told = running.ask(
        "GET", f"/v1/lists/{ranked['list_id']}/why?item={item['item']}", **{"Accept-Language": "zh"}
    ).json()
    assert (told["item"], told["position"], told["model_version"]) == (item["item"], 1, ranked["model_version"])
    assert told["list_id"] == ranked["list_id"]
    assert told["reasons"] == item["reasons"]
    assert len(told["paths"]) > len(told["reasons"])
    for path, reason in zip(told["paths"], item["reasons"], strict=False):
        assert path == {**reason, "share": pytest.approx(reason["share"])}
    shares = [each["share"] for each in told["paths"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0, abs=0.05)
    assert running.service.store.events.newest() == events
    running.service.store.shown.submit_signals([]).result(10)
    (asked,) = running.service.store.shown.signals_of(plain(ranked["list_id"]))
    assert (asked.kind, asked.domain, asked.item) == ("why", "courses", item["item"])
    assert ids(running.recommend("新人", k=3)) == ids(ranked), "asking why changes nothing"
    list_id = ranked["list_id"]
    for path, status in (("x/why?item=1", 404), (f"{list_id}/why?item=没有", 404), (f"{list_id}/why", 400)):
        assert running.ask("GET", f"/v1/lists/{path}").status_code == status
    popular = running.recommend("没见过")
    told = running.ask("GET", f"/v1/lists/{popular['list_id']}/why?item={ids(popular)[0]}").json()
    assert (told["fallback"], told["paths"]) == ("popular", [])


def test_exploration_logs_its_probabilities(fast: Running) -> None:
    plainly = fast.recommend("0007")
    assert [each["propensity"] for each in plainly["items"]] == [1.0] * 5
    serving = fast.service.workspace.config.serving
    exploring = serving.model_copy(update={"exploration": ExplorationConfig(epsilon=0.5, pool=10)})
    object.__setattr__(fast.service.workspace.config, "serving", exploring)
    best = ids(fast.recommend("0007", k=10, personalised=True))
    lists = [fast.recommend("0007") for _ in range(60)]
    orders = {tuple(ids(each)) for each in lists}
    assert len(orders) > 10
    assert set().union(*orders) <= set(ids(plainly)) | set(best)
    for ranked in lists:
        assert len(ids(ranked)) == len(set(ids(ranked))) == 5
        for place, each in enumerate(ranked["items"]):
            at_home = ids(plainly)[place] == each["item"]
            assert each["propensity"] == pytest.approx(0.05 + (0.5 if at_home else 0.0))


def test_a_dismissal_that_another_process_took_is_known_after_the_next_look(running: Running) -> None:
    topic(running, "甲", 1)
    before = running.recommend("甲", k=4)
    no = Event(
        event_id="别处", domain="car", user="courses:甲", item=ids(before)[0], kind="dismiss", occurred_at=NOW,
        exposure_id="courses:x",
    )  # fmt: skip
    running.service.store.events.append([no], NOW)
    running.service.look()
    assert ids(running.recommend("甲", k=3)) == ids(before)[1:4]


def test_fallbacks_leave_out_what_a_willing_person_used(fast: Running, break_model: Callable) -> None:
    fast.ask("PUT", "/v1/editor-lists", {"lists": [{"target": "car", "placement": "", "items": ["🚗3", "🚗1"]}]})
    break_model()
    popular = fast.recommend("没见过", k=3)
    best = ids(popular)[0]
    for number, item in enumerate([best, "🚗3"]):
        event = {"event_id": f"u{number}", "domain": "car", "user": "courses:没见过", "item": item, "kind": "purchase"}
        assert fast.post("/v1/events", event)["accepted"] == 1
    again = fast.recommend("没见过", k=20)
    assert again["fallback"] == "popular"
    assert not {best, "🚗3"} & set(ids(again))
    assert best in ids(fast.recommend("没见过", k=20, personalised=False))
    no_popularity(fast.service)
    editor = fast.recommend("没见过")
    assert (editor["fallback"], set(ids(editor))) == ("editor", {"🚗1"} - {best})
    assert ids(fast.recommend("没见过", personalised=False)) == ["🚗3", "🚗1"]


FILM = """
[domains.film]
title = "电影"
[[domains.film.events]]
path = "film.csv"
columns = { user = "uid", item = "item", occurred_at = "ts" }
"""


def test_what_is_dismissed_stays_away_from_a_domain_that_no_model_knows(workspace: Workspace) -> None:
    config = workspace.root / "kuajie.toml"
    config.write_text(config.read_text(encoding="utf-8") + FILM, encoding="utf-8")
    service = with_memory(Workspace.open(workspace.root))
    for film in _run(service):
        service.store.catalogue.put_editor_list(EditorList(target="film", placement="", items=("影1", "影2", "影3")))
        service.fallbacks.read_editors()
        shown = film.recommend("0007", target="film")
        assert ids(shown) == ["影1", "影2", "影3"]
        for place, (kind, scope) in enumerate([("dismiss", "brand"), ("purchase", "item")]):
            row = {"event_id": f"f{place}", "list_id": shown["list_id"], "exposure_id": f"x{place}", "kind": kind}
            answer = {**row, "item": ids(shown)[place], "scope": scope}
            assert film.post("/v1/feedback", {"feedback": [answer]})["accepted"] == 1
        assert ids(film.recommend("0007", target="film")) == ["影3"]
        assert ids(film.recommend("0007", target="film", personalised=False)) == ["影2", "影3"]
        assert ids(film.recommend("0008", target="film")) == ["影1", "影2", "影3"]
        forget_everybody(service)
        assert ids(film.recommend("0007", target="film")) == ["影3"], "by what the store holds"
