"""Re-ranking in the service: rules hold in every list, showings are counted, steps are kept with the list."""

import json
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from kuajie import api
from kuajie.bootstrap import deployed, model_store
from kuajie.core.errors import StoreError, UsageError
from kuajie.core.records import Account, EditorList, Item, Traits
from kuajie.rerank.limits import Limits
from kuajie.service.calls import Service
from kuajie.service.upkeep import Upkeep
from kuajie.workflows.learned import relevance_of
from kuajie.workflows.list_ids import plain
from kuajie.workflows.workspace import FILE, Workspace

from .conftest import Running, _run, with_memory, with_sqlite
from .wired import wired

STEPS = """
[rerank]
factor = 4

[[rerank.steps]]
kind = "rules"
never = { category = ["禁售"] }
targets = ["car"]

[[rerank.steps]]
kind = "limits"
shown = 2
days = 3
targets = ["car"]
"""


ITEMS = """
[[domains.car.items]]
path = "items.csv"
columns = { item = "item", category = "category", least_age = "least_age", stock = "stock" }
"""


@pytest.fixture(scope="module")
def described(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same world with categories: every seventh car part must not be sold, and the third not to children."""
    root = Path(shutil.copytree(template, tmp_path_factory.mktemp("店") / "w"))
    kinds = ["禁售" if number % 7 == 0 else "可售" for number in range(20)]
    lines = [f"🚗{number},{kind},{18 if number == 3 else ''},3" for number, kind in enumerate(kinds)]
    (root / "items.csv").write_text("\n".join(["item,category,least_age,stock", *lines]) + "\n", encoding="utf-8")
    toml = (root / FILE).read_text(encoding="utf-8").replace("\n[identity]", ITEMS + "\n[identity]")
    (root / FILE).write_text(toml, encoding="utf-8")
    opened = Workspace.open(root)
    api.import_data(opened, store=False)
    api.train(opened)
    return root


def served(described: Path, folder: Path, steps: str) -> Workspace:
    """A copy with some steps."""
    root = Path(shutil.copytree(described, folder / "店"))
    (root / FILE).write_text((root / FILE).read_text(encoding="utf-8") + steps, encoding="utf-8")
    return Workspace.open(root)


@pytest.fixture(params=[with_memory, with_sqlite], ids=["memory", "sqlite"])
def shop(described: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    yield from _run(request.param(served(described, tmp_path, STEPS)))


def sold(ranked: dict) -> list[int]:
    return [int(each["item"][1:]) for each in ranked["items"]]


def test_rules_hold_and_steps_are_kept_with_the_list(shop: Running) -> None:
    for place in (1, 5, 9):
        shop.event(place, "新人", f"课{place}")
    ranked = shop.recommend(user="新人", k=8, context={"tags": ["秋季"]})
    assert len(ranked["items"]) == 8
    assert all(number % 7 for number in sold(ranked))
    assert ranked["items"][0]["reasons"]
    known = shop.service.lists.get(plain(ranked["list_id"]))
    assert known is not None
    assert known.tags == ("rerank:rules", "rerank:limits", "秋季")
    popular = shop.recommend(user="谁也不是", k=15)
    assert popular["fallback"] == "popular"
    assert all(number % 7 for number in sold(popular))
    back = shop.post("/v1/recommend", {"domain": "car", "user": "车7", "target": "courses", "k": 3})
    kept = shop.service.lists.get(plain(back["list_id"]))
    assert kept is not None
    assert kept.tags == ()


def test_what_was_seen_twice_makes_room(shop: Running) -> None:
    first = shop.recommend(k=3)
    for number in range(2):
        rows = [
            {"exposure_id": f"x{number}-{place}", "list_id": first["list_id"], "position": place, "item": each["item"]}
            for place, each in enumerate(first["items"])
        ]
        told = shop.post("/v1/exposures", {"exposures": rows})
        assert told["accepted"] == 3, told
        again = shop.recommend(k=3)
        assert (sold(again) == sold(first)) == (number == 0)
    assert not set(sold(shop.recommend(k=3))) & set(sold(first))
    other = shop.recommend(user="0011", k=3)
    assert sold(other) == sold(first), "somebody of the same taste who has seen nothing"
    rows[0]["exposure_id"] = "x0-1"
    shop.post("/v1/exposures", {"exposures": rows[:1]})  # a repeat counts once
    account = Account(domain="courses", user="0007")
    assert max(shop.service.showings.counts(account, "car", shop.service.clock(), 3).values()) == 2


def test_editors_must_not_sell_what_is_forbidden(shop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = EditorList(target="car", placement="", items=("🚗7", "🚗8", "🚗14", "🚗1"))
    shop.service.store.catalogue.put_editor_list(chosen)
    shop.service.fallbacks.read_editors()
    for engine in shop.service.deployment.now.engines.values():
        engine.popularity[:] = 0
    ranked = shop.recommend(user="谁也不是", k=4)
    assert ranked["fallback"] == "editor"
    assert sold(ranked) == [8, 1]
    assert sold(shop.recommend(user="谁也不是", k=2)) == [8, 1], "what is forbidden takes no place"


def test_who_is_old_enough_has_said_so(described: Path, tmp_path: Path) -> None:
    step = '\n[[rerank.steps]]\nkind = "rules"\nleast_age = "least_age"\ntargets = ["car"]\n'
    for running in _run(with_memory(served(described, tmp_path, step))):
        assert 3 not in sold(running.recommend(user="谁也不是", k=20))
        grown = Traits(account=Account(domain="courses", user="大人"), attributes={"age": "40"})
        running.service.store.catalogue.put_people([grown])
        assert 3 in sold(running.recommend(user="大人", k=20))


AGED = '\n[[rerank.steps]]\nkind = "rules"\nleast_age = "least_age"\ntargets = ["car"]\n'
AGED += 'never = { category = ["禁售"] }\n'


@pytest.fixture
def aged(described: Path, tmp_path: Path) -> Iterator[Running]:
    yield from _run(with_memory(served(described, tmp_path, AGED)))


def declare(running: Running, **ages: str) -> None:
    people = [
        Traits(account=Account(domain=domain, user="0012" if domain == "courses" else "车12"), attributes={"age": age})
        for domain, age in ages.items()
    ]
    running.service.store.catalogue.put_people(people)


def test_of_several_ages_the_smallest_counts(aged: Running) -> None:
    declare(aged, courses="30")
    assert 3 in sold(aged.recommend(user="0012", k=20))
    declare(aged, car="12")
    assert 3 not in sold(aged.recommend(user="0012", k=20))


def test_an_age_that_cannot_be_asked_for_is_said(aged: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(aged, courses="30")
    catalogue, asked = aged.service.store.catalogue, []

    def down(accounts: object) -> None:
        asked.append(accounts)
        raise StoreError("the store is away")

    whole = aged.recommend(user="0012", k=20)
    assert (whole["degraded"], 3 in sold(whole)) == (False, True)
    monkeypatch.setattr(catalogue, "people", down)
    less = aged.recommend(user="0012", k=20)
    assert (less["degraded"], 3 in sold(less)) == (True, False)
    count = len(asked)
    assert count
    aged.service.tail.failed = True
    aged.recommend(user="0012", k=20)
    assert len(asked) == count, "a store that is known to fail is not asked"


def test_rules_hold_in_what_is_found_and_in_similar_items(aged: Running) -> None:
    declare(aged, courses="30")

    def found(**more: object) -> list[int]:
        return sold(aged.post("/v1/search", {"query": "🚗", "targets": ["car"], "k": 20, **more}))

    allowed = {number for number in range(20) if number % 7}
    assert set(found()) == allowed - {3}
    assert set(found(domain="courses", user="0012")) == allowed
    assert set(found(domain="courses", user="谁也不是")) == allowed - {3}
    assert len(found(k=5)) == 5, "what is forbidden takes no place"
    assert set(sold(aged.recommend(user="谁也不是", query="🚗", k=20))) == allowed - {3}
    similar = aged.ask("GET", "/v1/items/courses/课3/similar?target=car&k=8").json()
    assert len(similar["items"]) == 8
    assert set(sold(similar)) <= allowed - {3}


BRANDS = """
[[rerank.steps]]
kind = "limits"
most = { category = 2 }
targets = ["car"]

[[rerank.steps]]
kind = "fairness"
by = "category"
targets = ["car"]

[serving.exploration]
epsilon = 0.3
pool = 12
"""


def test_places_that_are_shown_are_what_counts_also_over_a_swap(described: Path, tmp_path: Path) -> None:
    workspace = served(described, tmp_path, BRANDS)
    for running in _run(with_memory(workspace)):
        service, shuffled = running.service, 0
        for _ in range(40):
            shown = running.recommend(k=4)["items"]
            shuffled += shown[0]["propensity"] < 0.5
            assert len(shown) == 4
        assert 0 < shuffled < 40
        firm = [running.recommend(k=4) for _ in range(20)]
        plain = [sold(each) for each in firm if each["items"][0]["propensity"] > 0.5]
        assert all(sum(number % 7 == 0 for number in each) <= 2 for each in plain)
        running.client.post("/v1/recommend/stream", json={"domain": "courses", "user": "0007", "target": "car", "k": 4})
        assert given(service) == 4 * 61
        store, cache = service.store, service.cache
        service.deployment._swap(deployed(workspace, model_store(workspace), store, cache))
        assert given(service) == 4 * 61
        running.recommend(k=4)
        assert given(service) == 4 * 62


STOCKED = """
[[rerank.steps]]
kind = "rules"
stock = "stock"
least_age = "least_age"
targets = ["car"]

[new_items]
share = 0.5
"""


@pytest.mark.parametrize("make", [with_memory, with_sqlite])
def test_facts_are_as_fresh_as_the_store(described: Path, tmp_path: Path, make: Callable[..., Service]) -> None:
    """Over HTTP: what is sold out leaves lists, what is found and similar items at once, and comes back."""
    service = make(served(described, tmp_path, STOCKED))
    service.demo = True
    with wired(service) as (host, port):

        def ask(method: str, path: str, body: object = None) -> dict:
            raw = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"http://{host}:{port}{path}", raw, headers, method=method)
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)

        def put(item: str, **attributes: object) -> dict:
            row = {"domain": "car", "item": item, "title": item, "category": "可售", "attributes": attributes}
            return ask("PUT", "/v1/items", {"items": [row, {"domain": "car", "item": "别的"}]})

        def lists() -> list[set[str]]:
            body = {"domain": "courses", "user": "0007", "target": "car", "k": 20}
            found = ask("POST", "/v1/search", {"query": name, "targets": ["car"], "k": 20})
            similar = ask("GET", f"/v1/items/courses/{quote('课3')}/similar?target=car&k=20")
            ranked = ask("POST", "/v1/recommend", body)
            return [{each["item"] for each in given["items"]} for given in (ranked, found, similar)]

        for name in ("🚗1", "🚗2"):
            assert all(name in each for each in lists())
            assert put(name, stock="0")["accepted"] == 2
            assert not any(name in each for each in lists())
            assert put(name, stock=7)["rejected"] == 1, "attributes are texts"
            assert not any(name in each for each in lists())
            assert put(name, stock="5", least_age="18")["accepted"] == 2
            assert not any(name in each for each in lists())
            assert put(name, stock="5")["accepted"] == 2
            assert all(name in each for each in lists())
        name = "新到"
        put(name, stock="0")
        assert not any(name in each for each in lists())
        put(name, stock="5")
        assert name in lists()[0]
        within_seconds(lambda: name in lists()[1])  # words are indexed beside
        other = Item(domain="car", item="🚗1", title="🚗1", category="可售", attributes={"stock": "0"})
        service.store.catalogue.put_items([other])  # another process
        name = "🚗1"
        within_seconds(lambda: not any(name in each for each in lists()))


def within_seconds(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def given(service: Service) -> float:
    shaping = service.deployment.now.shaping
    assert shaping is not None
    return shaping.places.known("car", "category").total


THOMPSON = """
[[rerank.steps]]
kind = "thompson"
weight = 1
draws = 50
targets = ["car"]

[store]
shown_days = 1
"""
LINUCB = THOMPSON.replace("thompson", "linucb").replace("weight = 1\ndraws = 50", "epsilon = 0.2")


def test_what_people_answer_is_learned_and_a_restart_remembers(described: Path, tmp_path: Path) -> None:
    workspace = served(described, tmp_path, THOMPSON)
    alike = [f"{number:04d}" for number in range(3, 200, 4)]  # they are of one taste

    def first(running: Running) -> list[int]:
        return [sold(running.recommend(user=user, k=4))[0] for user in alike[:20]]

    for running in _run(with_sqlite(workspace)):
        service, before = running.service, first(running)
        loved = max(set(range(20)) - set(before))
        for user in alike:
            ranked = running.recommend(user=user, k=12)
            name = ranked["list_id"]
            assert all(0 < each["propensity"] <= 1 for each in ranked["items"])
            rows = [
                {"exposure_id": f"{user}-{place}", "list_id": name, "position": place, "item": each["item"]}
                for place, each in enumerate(ranked["items"])
            ]
            assert running.post("/v1/exposures", {"exposures": rows})["accepted"] == 12
            for row in rows:
                if row["item"] == f"🚗{loved}":
                    answer = {name: row[name] for name in ("exposure_id", "list_id", "item")}
                    body = {"feedback": [{**answer, "event_id": f"c{user}", "kind": "click"}]}
                    assert running.post("/v1/feedback", body)["accepted"] == 1
        service.lists.flush()
        service.store.shown.save_lists([])  # after what was queued
        assert first(running).count(loved) < 8, "nothing is learned before lists have settled"
        upkeep, settled = Upkeep(service), service.clock() + timedelta(minutes=61)
        assert upkeep.learner is not None
        service.clock = partial(fixed, settled)
        while upkeep._learn(upkeep.learner):
            pass
        unseen = [f"{number:04d}" for number in range(203, 240, 4)]
        top = [sold(running.recommend(user=user, k=4))[0] for user in unseen]
        assert top.count(loved) >= 8
    for running in _run(with_sqlite(workspace)):
        assert [sold(running.recommend(user=user, k=4))[0] for user in unseen].count(loved) >= 8


def fixed(moment: datetime) -> datetime:
    return moment


def test_linucb_is_served_and_tags_of_pages_cannot_teach_it(described: Path, tmp_path: Path) -> None:
    for running in _run(with_memory(served(described, tmp_path, LINUCB))):
        ranked = running.recommend(k=4)
        assert all(0.2 / 20 <= each["propensity"] <= 1 for each in ranked["items"])
        known = running.service.lists.get(plain(ranked["list_id"]))
        assert known is not None
        assert known.tags[0] == "rerank:linucb"
        assert len(relevance_of(known) or []) == 4
        for tag in ("rerank:linucb", "relevance:1 1 1 1"):
            refused = running.recommend(k=4, context={"tags": [tag]}, status=400)
            assert "the service itself" in str(refused)


def test_a_step_that_cannot_work_is_said_at_the_start(workspace: Workspace) -> None:
    path = workspace.root / FILE
    path.write_text(path.read_text(encoding="utf-8") + '\n[[rerank.steps]]\nkind = "rules"\nstock = "库存"\n', "utf-8")
    with pytest.raises(UsageError, match="'库存' of items, which is not known"):
        with_memory(Workspace.open(workspace.root))


def test_a_fault_leaves_the_rules(shop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a step has a fault")

    monkeypatch.setattr(Limits, "rerank", fail)
    ranked = shop.recommend(user="谁也不是", k=12)
    assert len(ranked["items"]) == 12
    assert ranked["degraded"]
    assert all(number % 7 for number in sold(ranked))
