"""An item that came a second ago: recommended by its kind, counted in histories, shown with its new title."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kuajie.core.errors import StoreError
from kuajie.core.records import Event, Item
from kuajie.models.answering import Fast
from kuajie.rerank.exploration import ExplorationConfig
from kuajie.rerank.pipeline import RerankConfig
from kuajie.workflows.shape import Shaping

from .conftest import Outcome, Running

KINDS = ("机油", "轮胎", "车载音响", "座椅 & {垫}")
ITEMS = """
[[domains.{domain}.items]]
path = "{domain}_items.csv"
"""


@pytest.fixture(scope="module")
def template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same world; item i of either domain is of the category of its topic, i % 4, and of one of two brands."""
    from kuajie.cli.main import run

    folder = Path(shutil.copytree(template, tmp_path_factory.mktemp("新品") / "w"))
    config = (folder / "kuajie.toml").read_text(encoding="utf-8")
    for domain, prefix in (("courses", "课"), ("car", "🚗")):
        rows = [f'{prefix}{i},标题{i},"{KINDS[i % 4]}",{"甲" if i < 8 else "乙"}' for i in range(20)]
        # nobody has used the last one
        lines = ["item,title,category,brand", *rows, f'{prefix}99,没人用过,"{KINDS[2]}",甲']
        (folder / f"{domain}_items.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        config += ITEMS.format(domain=domain)
    (folder / "kuajie.toml").write_text(config, encoding="utf-8")
    for command in ("import", "train"):
        with pytest.raises(SystemExit) as end:
            run([command, "--workspace", str(folder)])
        assert not end.value.code
    return folder


def new(number: object, topic: int, **more: Any) -> dict[str, Any]:
    return {"domain": "car", "item": f"新{number}", "title": f"新品{number}", "category": KINDS[topic], **more}


def put(running: Running, *items: dict[str, Any]) -> Any:
    return running.ask("PUT", "/v1/items", {"items": list(items)}).json()


def shown(ranked: dict) -> list[str]:
    return [each["item"] for each in ranked["items"]]


def test_a_new_item_of_a_loved_kind_is_shown_at_once_before_others(running: Running) -> None:
    assert not {"新a", "新b"} & set(shown(running.recommend("0007", k=20)))
    assert put(running, new("a", 3), new("b", 0))["accepted"] == 2
    ranked = running.recommend("0007", k=20, language="zh")
    found = shown(ranked)
    assert "新a" in found[:5], "person 7 likes topic 3"
    assert "新b" not in found or found.index("新a") < found.index("新b")
    item = ranked["items"][found.index("新a")]
    assert item["title"] == "新品a"
    assert [why["text"] for why in item["reasons"]] == [f"{KINDS[3]}新品"]
    assert ranked["items"] == sorted(ranked["items"], key=lambda each: -each["score"])
    other = shown(running.recommend("0008", k=20))
    assert "新b" in other[:5], "person 8 likes topic 0"


def test_an_item_of_another_process_is_seen_within_a_second(running: Running) -> None:
    running.service.store.catalogue.put_items([Item(domain="car", item="别处的", title="别处", category=KINDS[3])])
    until = time.monotonic() + 1
    while "别处的" not in shown(running.recommend("0007", k=10)) and time.monotonic() < until:
        time.sleep(0.05)
    assert "别处的" in shown(running.recommend("0007", k=10))


def test_of_two_records_the_one_that_was_stored_last_is_shown(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, old = fast.service.store.catalogue, Item(domain="car", item="新a", title="旧名", category=KINDS[3])
    put_items = catalogue.put_items

    def overtaken(items: list[Item]) -> None:
        put_items(items)
        put_items([old])  # by somebody else, before this one is learned

    monkeypatch.setattr(catalogue, "put_items", overtaken)
    put(fast, new("a", 3, title="新名"))
    items = fast.recommend("0007", k=10, language="zh")["items"]
    assert [each["title"] for each in items if each["item"] == "新a"] == ["旧名"]


def test_what_cannot_be_read_back_is_learned_at_the_next_look(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise StoreError("the store is down")

    with monkeypatch.context() as broken:
        broken.setattr(fast.service.store.catalogue, "items_after", down)
        assert put(fast, new("a", 3))["accepted"] == 1
        assert "新a" not in shown(fast.recommend("0007", k=10))
    fast.service.look()
    assert "新a" in shown(fast.recommend("0007", k=10))


def test_new_items_are_a_bounded_share_and_people_see_different_ones(fast: Running) -> None:
    put(fast, *(new(number, topic) for number, topic in enumerate([0, 1, 2, 3] * 20)))
    seen = set()
    for user in range(3, 400, 4):
        for k, most in ((4, 0), (5, 1), (10, 2), (20, 4)):
            found = shown(fast.recommend(f"{user:04d}", k=k))
            assert len(found) == len(set(found)) >= min(k, 15)
            assert sum(each.startswith("新") for each in found) <= most
        seen |= {each for each in found if each.startswith("新")}
    assert len(seen) > 15, "20 are of their kind"


def test_what_somebody_did_with_a_new_item_counts_through_its_kind(running: Running) -> None:
    course = {"domain": "courses", "item": "新课", "title": "全新一课", "title_en": "Brand new", "category": KINDS[1]}
    assert running.recommend("新人")["fallback"] == "popular"
    put(running, course)
    running.event(1, "新人", "新课")
    ranked = running.recommend("新人", language="zh", k=5)
    assert (ranked["fallback"], ranked["personalised"]) == ("", True)
    assert {int(each["item"][1:]) % 4 for each in ranked["items"]} == {1}
    texts = {why["text"] for each in ranked["items"] for why in each["reasons"] if why["item"]}
    assert texts == {"因为您用过“全新一课”"}
    assert {why["item"] for each in ranked["items"] for why in each["reasons"]} <= {"新课", ""}
    english = running.recommend("新人", language="en")["items"][0]["reasons"][0]
    assert english["text"] == "Because of “Brand new” in your history"
    own = shown(running.recommend("新人", target="courses", k=5))
    assert {int(each[1:]) % 4 for each in own} == {1}, "those that stand for it stay in the list"
    assert "新课" not in own


def test_it_counts_beside_what_is_known(fast: Running) -> None:
    course = {"domain": "courses", "item": "新课", "category": KINDS[1], "brand": "甲"}
    put(fast, course)
    for number in range(3):
        fast.event(number, "0007", "新课", occurred_at=f"2026-01-0{number + 1}T00:00:00Z")
    after = fast.recommend("0007", k=20)
    assert {int(each[1:]) % 4 for each in shown(after)[:3]} == {1}, "it is years younger than all else"
    assert after["items"][0]["reasons"][0]["item"] == "新课"


def test_reasons_come_after_the_choice_and_are_the_same(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    put(fast, {"domain": "courses", "item": "新课", "category": KINDS[1], "brand": "甲"})
    fast.event(1, "新人", "新课")
    fast.event(2, "0007", "新课", occurred_at="2026-01-01T00:00:00Z")
    pages = {"domain": "courses", "item": "课3"}
    asked = [
        {"user": user, "context": context} for user in ("0008", "0007", "新人") for context in ({}, {"item": pages})
    ]
    moment = fast.service.clock()
    fast.service.clock = lambda: moment  # strength goes down with time
    before = [fast.recommend(k=5, **each)["items"] for each in asked]
    deployed, explained = fast.service.deployment.now, []
    config = RerankConfig.parse({"factor": 4, "steps": [{"kind": "limits"}]})
    engine = deployed.engines["en"]
    shaping = Shaping.of(config, deployed.dataset.catalog, engine.popularity)
    fast.service.deployment.now = replace(deployed, shaping=shaping)
    explain, answer = Fast.explain, Fast.answer

    def seen(self: Fast, history: Any, target: str, places: Any) -> Any:
        explained.append(len(places))
        return explain(self, history, target, places)

    def plain(self: Fast, *given: Any, **more: Any) -> Any:
        assert more["explain"] is False
        return answer(self, *given, **more)

    monkeypatch.setattr(Fast, "explain", seen)
    monkeypatch.setattr(Fast, "answer", plain)
    assert [fast.recommend(k=5, **each)["items"] for each in asked] == before
    assert explained == [5] * len(asked)
    assert not any(each["reasons"] for each in fast.recommend(k=5, explain=False)["items"])

    def broken(*_: object) -> None:
        raise RuntimeError("no reason")

    monkeypatch.setattr(Fast, "explain", broken)
    without = fast.recommend(k=5)["items"]
    assert [each["item"] for each in without] == [each["item"] for each in before[2]]
    assert not any(each["reasons"] for each in without)


def test_used_dismissed_and_excluded_new_items_are_not_shown(running: Running) -> None:
    put(running, new("a", 3), new("b", 3), new("c", 3))
    for number, (item, kind) in enumerate([("新a", "purchase"), ("新b", "dismiss")]):
        event = {"event_id": f"n{number}", "domain": "car", "user": "车7", "item": item, "kind": kind}
        assert running.post("/v1/events", event)["accepted"] == 1
    assert {each for each in shown(running.recommend("0007", k=20)) if each[0] == "新"} == {"新c"}
    assert not {each for each in shown(running.recommend("0007", k=20, exclude=["新c"])) if each[0] == "新"}


def test_who_is_not_known_sees_new_items_among_the_popular(fast: Running) -> None:
    put(fast, *(new(number, number % 4) for number in range(8)))
    ranked = fast.recommend("生人", k=10)
    assert ranked["fallback"] == "popular"
    assert 0 < sum(each.startswith("新") for each in shown(ranked)) <= 2
    quiet = fast.recommend("0007", k=10, personalised=False)
    assert quiet["fallback"] == "popular"
    assert sum(each.startswith("新") for each in shown(quiet)) <= 2


def test_items_of_the_snapshot_that_nobody_used_are_candidates_too(fast: Running) -> None:
    ranked = fast.recommend("0006", k=10, language="zh")
    assert "🚗99" in shown(ranked), "person 6 likes topic 2"
    item = ranked["items"][shown(ranked).index("🚗99")]
    assert [why["text"] for why in item["reasons"]] == [f"甲 {KINDS[2]}，还没有人用过"]


def test_a_new_title_shows_at_once_and_behaviour_stays(running: Running) -> None:
    first = running.recommend("0007", language="zh")["items"][0]
    put(running, {"domain": "car", "item": first["item"], "title": "改名了", "title_en": "Renamed"})
    assert running.recommend("0007", language="zh")["items"][0]["title"] == "改名了"
    assert running.recommend("0007", language="en")["items"][0]["title"] == "Renamed"
    assert running.recommend("0007")["items"][0]["item"] == first["item"]
    put(running, new("a", 0))
    put(running, new("a", 3, title="换了类"))
    ranked = running.recommend("0007", k=10)
    assert "换了类" in [each["title"] for each in ranked["items"]]


def test_similar_items_of_a_new_one_are_of_its_kind(running: Running) -> None:
    assert running.ask("GET", "/v1/items/courses/新课/similar").status_code == 404
    put(running, {"domain": "courses", "item": "新课", "category": KINDS[1]})
    for target in ("courses", "car"):
        found = running.ask("GET", f"/v1/items/courses/新课/similar?target={target}&k=5").json()
        assert {int(each["item"][1:]) % 4 for each in found["items"]} == {1}


@pytest.mark.parametrize(
    "more",
    [
        {"category": ""},
        {"category": "没有这个类", "brand": "也没有"},
        {"category": "{0.__class__}"},
        {"category": "\u202e\u200f" * 20, "brand": "%s"},
        {"category": "x" * 500, "title": "'; drop table items; --"},
    ],
)
def test_what_nothing_can_be_said_of_disturbs_nobody(fast: Running, more: dict[str, Any]) -> None:
    before = shown(fast.recommend("0007", k=20))
    assert put(fast, {**new("怪", 0), **more})["accepted"] == 1
    assert shown(fast.recommend("0007", k=20)) == before
    event = {"event_id": "h", "domain": "car", "user": "车7", "item": "新怪", "kind": "purchase"}
    assert fast.post("/v1/events", event)["accepted"] == 1
    assert not fast.recommend("0007", k=20)["degraded"]
    assert shown(fast.recommend("0007", k=20)) == before


def test_a_swap_keeps_what_is_new(running: Running, kuajie: Callable[..., Outcome]) -> None:
    put(running, new("a", 3))
    folder = running.service.workspace.root
    assert kuajie("train", "-w", folder).code == 0
    before = running.service.deployment.now
    running.service.deployment.look()
    assert running.service.deployment.now is not before
    assert "新a" in shown(running.recommend("0007", k=10))


def test_without_new_items_nothing_is_scored_twice(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = type(fast.service.deployment.now.engines["zh"].answering)
    assert answering is Fast, "which does not score everything for an answer"
    calls: list[str] = []
    scores = answering.scores
    monkeypatch.setattr(
        answering, "scores", lambda self, history, target: calls.append(target) or scores(self, history, target)
    )
    for _ in range(3):
        fast.recommend("0007")
    assert len(calls) == 1, "there is one that nobody used; a history is scored once"


def test_what_counts_through_neighbours_is_told(fast: Running) -> None:
    put(fast, new("a", 1), {**new("b", 0), "category": ""})
    new_items = fast.service.deployment.now.new_items

    def did(item: str) -> list[Event]:
        return [Event(event_id=item, domain="car", user="车7", item=item, kind="purchase")]

    assert new_items.counts([*did("🚗1"), *did("新a")])
    assert not new_items.counts([*did("🚗1"), *did("新b"), *did("没有")])


def test_an_item_of_which_only_a_text_is_known_starts_from_near_texts(running: Running) -> None:
    put(running, {"domain": "car", "item": "新文", "title": f"{KINDS[3]}升级版"})
    ranked = running.recommend("0007", k=20, language="zh")
    found = shown(ranked)
    assert "新文" in found[:5], "person 7 likes topic 3"
    reasons = ranked["items"][found.index("新文")]["reasons"]
    assert reasons[0]["text"].startswith("新品，与“标题")
    other = shown(running.recommend("0008", k=20))
    assert "新文" not in other or other.index("新文") > found.index("新文")
    put(running, {"domain": "car", "item": "新文", "title": "别的"})
    assert "新文" not in shown(running.recommend("0007", k=20)), "nothing is said of it any more"


def test_why_a_new_item_is_in_a_list(running: Running) -> None:
    put(running, new("a", 3))
    ranked = running.recommend("0007", k=10, language="zh")
    asked = running.ask("GET", f"/v1/lists/{ranked['list_id']}/why?item=新a", **{"Accept-Language": "zh"})
    assert asked.status_code == 200, asked.text
    assert [why["text"] for why in asked.json()["reasons"]] == [f"{KINDS[3]}新品"]


@pytest.mark.parametrize("epsilon", [0.001, 1.0])
def test_exploration_draws_no_more_new_items_into_a_list(fast: Running, epsilon: float) -> None:
    put(fast, *(new(number, number % 4) for number in range(80)))
    config = fast.service.workspace.config
    exploration = ExplorationConfig(epsilon=epsilon, pool=100)
    serving = config.serving.model_copy(update={"exploration": exploration})
    fast.service.workspace = replace(fast.service.workspace, config=config.model_copy(update={"serving": serving}))
    counts = [sum(each[0] == "新" for each in shown(fast.recommend(f"{user:04d}", k=10))) for user in range(20)]
    assert 0 < max(counts) <= 2


def test_an_item_can_be_replaced_or_forgotten_while_it_is_read(fast: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    put(fast, new("a", 1))
    new_items = fast.service.deployment.now.new_items
    assert new_items is not None
    key, missing = ("car", "新a"), []
    arrivals = new_items.arrivals
    leave = arrivals._leave

    def watched(left: tuple[str, str]) -> bool:
        had_arrived = leave(left)
        missing.append(left not in arrivals.items)
        return had_arrived

    monkeypatch.setattr(arrivals, "_leave", watched)
    put(fast, new("a", 1, title="改名"))
    assert missing == [False], "readers, who hold no lock, find one or the other"
    assert arrivals.items[key].title == "改名"
    lent = new_items._lent

    def forgetting(keys: Any) -> Any:
        found = lent(keys)
        arrivals._forget(key)
        return found

    monkeypatch.setattr(new_items, "_lent", forgetting)
    event = {"event_id": "f", "domain": "car", "user": "新人", "item": "新a", "kind": "purchase"}
    fast.post("/v1/events", event)
    asked = {"domain": "car", "user": "新人", "target": "car", "k": 3, "language": "zh"}
    ranked = fast.post("/v1/recommend", asked)
    assert (ranked["fallback"], ranked["degraded"]) == ("", False)
    assert ranked["items"][0]["reasons"][0]["text"] == "因为您用过“新a”"
