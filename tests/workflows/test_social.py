"""Somebody without any history is shown what friends and people of the same place like."""

from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kuajie.core.errors import ConfigError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.records import Account, Consent
from kuajie.core.side import Labels
from kuajie.core.space import ItemSpace
from kuajie.data.config import CleaningConfig, DataConfig, IdentityConfig, StrengthConfig
from kuajie.data.dataset import JointDataset
from kuajie.models.groups import GroupPopularity
from kuajie.models.itemknn import ItemKNN
from kuajie.storage.cache.memory import MemoryCache
from kuajie.testing.memory_store import MemoryStore
from kuajie.workflows.answer import Question, answer, explained
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.groups import GroupLists, group_lists
from kuajie.workflows.ingest import ingest
from kuajie.workflows.live import LiveHistories, Person
from kuajie.workflows.recommend import Engine

NOW = datetime(2025, 1, 1, tzinfo=UTC)
FLAT = StrengthConfig(half_life_days=None, saturation=0.5)


def opened(folder: Path, social: dict[str, Any]) -> tuple[JointDataset, Any]:
    events = "user,item,kind\n小王,涡轮,view\n李,刹车,view\n李,涡轮,view\n远,灯,view\nbusy,灯,view\n"
    (folder / "events.csv").write_text(events, encoding="utf-8")
    friends = "user_a,user_b,confidence\n新人,小王,3e-1\n李,新人,0.1\n新人,李,0.05\n新人,nobody,1\nbusy,李,1\n"
    (folder / "friends.csv").write_text(friends, encoding="utf-8")
    places = "user,place\n外地,Ulm\n远,Ulm\nbusy,Ulm\n小王,上海\n孤,上海\n"
    (folder / "places.csv").write_text(places, encoding="utf-8")
    config = DataConfig.parse({"domains": {"shop": {"events": [{"path": "events.csv"}]}}, "social": social})
    result = ingest(config, folder, clock=lambda: NOW)
    return JointDataset.open(result.folder, FLAT), result


def borrowed(dataset: JointDataset, user: str) -> dict[str, float]:
    row = dataset.history_of(Account(domain="shop", user=user))
    found: dict[str, float] = {}
    for item, weight in zip(row.items, row.weights.tolist(), strict=True):
        name = dataset.catalog.name(item)[1]
        found[name] = found.get(name, 0.0) + round(weight, 6)
    return found


FRIENDS = [{"path": "friends.csv", "domain_a": "shop", "domain_b": "shop"}]
PLACES = [{"path": "places.csv", "domain": "shop"}]


def test_somebody_new_borrows_the_weighted_mean_of_their_friends(tmp_path: Path) -> None:
    dataset, result = opened(tmp_path, {"friends": FRIENDS})
    got = borrowed(dataset, "新人")
    assert got == pytest.approx({"涡轮": 0.5 * (0.75 + 0.25), "刹车": 0.5 * 0.25})
    assert borrowed(dataset, "nobody") == {}  # friends without history lend nothing
    assert borrowed(dataset, "busy") == {"灯": 1.0}  # who has a history borrows nothing
    assert result.overlap.links["friends"] == 2
    training = dataset.interactions()
    assert len(training.histories.items) == 5  # nothing borrowed is trained on


def test_the_closest_friends_lend(tmp_path: Path) -> None:
    dataset, _ = opened(tmp_path, {"friends": FRIENDS, "most": 1})
    assert borrowed(dataset, "新人") == pytest.approx({"涡轮": 0.5})


def test_people_of_a_place_lend_if_there_are_enough(tmp_path: Path) -> None:
    dataset, _ = opened(tmp_path, {"places": PLACES, "least_people": 2, "place_share": 0.3, "most": 1})
    assert borrowed(dataset, "外地") == pytest.approx({"灯": 0.3})
    assert borrowed(dataset, "孤") == {}  # one person is no crowd, whoever else is there and did nothing
    assert dataset.lenders_of([dataset.person_of(Account(domain="shop", user="外地"))]) != []


def test_what_is_popular_in_a_place_comes_before_what_everybody_likes(tmp_path: Path) -> None:
    rows = [f"甲{n},{'雨刷' if n < 40 else '防晒'},view" for n in range(100)]
    rows += [f"甲{n},灯,view" for n in range(0, 100, 3)]
    (tmp_path / "events.csv").write_text("user,item,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    places = [f"甲{n},{'伦敦' if n < 40 else '三亚'}" for n in range(100)] + ["新客,伦敦", "游客,三亚", "无名,"]
    (tmp_path / "places.csv").write_text("user,place\n" + "\n".join(places) + "\n", encoding="utf-8")
    values = {"domains": {"shop": {"events": [{"path": "events.csv"}]}}, "social": {"places": PLACES}}
    dataset = JointDataset.open(ingest(DataConfig.parse(values), tmp_path, clock=lambda: NOW).folder, FLAT)
    data = dataset.interactions()
    engine = Engine(ItemKNN().fit(data), dataset.catalog, data.support(), "v", language="zh")
    live = SimpleNamespace(history=lambda person, now: Histories.from_lists([[]], dataset.space.n_items))
    deployed = Deployed({"zh": engine}, dataset, live, None, groups=group_lists(dataset))

    def first(user: str, personalised: bool = True) -> tuple[str, str, str]:
        account = Account(domain="shop", user=user)
        known = user in dataset.accounts["user"].to_list()
        person = Person((account,), (dataset.person_of(account),) if known else (), True, False, 0.0, OrderedDict())
        question = Question(account, "shop", 2, personalised=personalised, language="zh")
        ranked = answer(deployed, person, question, NOW, lambda domain, language: domain).ranked
        return ranked.items[0].item, ranked.items[0].reasons[0].text, ranked.fallback

    assert first("新客") == ("雨刷", "在您所在的地方很受欢迎", "popular")
    assert first("游客") == ("防晒", "在您所在的地方很受欢迎", "popular")
    assert first("新客", personalised=False) == ("防晒", "大家都喜欢", "popular")
    assert first("不认识") == ("防晒", "大家都喜欢", "popular")


def test_places_lend_nothing_where_few_did_something(tmp_path: Path) -> None:
    dataset, _ = opened(tmp_path, {"places": PLACES, "least_people": 3, "place_share": 0.3})
    assert borrowed(dataset, "外地") == {}  # three people, of whom two did something


def test_places_are_those_that_the_asking_domain_was_told() -> None:
    space = ItemSpace(("a", "b"), (4, 4))
    rows = [[0 if person < 30 else 1, 4] for person in range(60)]
    told = {"b": Labels.of(["伦敦" if person < 30 else "三亚" for person in range(60)])}
    lists = GroupLists(GroupPopularity.fit(Interactions(space, Histories.from_lists(rows, 8)), told), told)
    found = lists.liked([0], "b", "a", str)
    assert found is not None
    assert np.nanargmax(found.scores) == 0
    assert found.text == "Popular where you are"
    assert lists.liked([0], "a", "a", str) is None  # nobody told a
    assert lists.liked([0], "b", "b", str) is None  # everybody uses one thing: the place does not count


def live_of(dataset: JointDataset, store: MemoryStore) -> LiveHistories:
    return LiveHistories(dataset, store, MemoryCache(), IdentityConfig(), CleaningConfig())


NEW = Account(domain="shop", user="新人")


def test_what_friends_did_is_not_named_and_may_be_shown(tmp_path: Path) -> None:
    dataset, _ = opened(tmp_path, {"friends": FRIENDS})
    data, live = dataset.interactions(), live_of(dataset, MemoryStore())
    person = live.load(NEW, NOW)
    history = live.history(person, NOW)
    assert len(history.items) == 3
    assert history.own().items.tolist() == []
    engine = Engine(ItemKNN().fit(data), dataset.catalog, data.support(), "v", language="zh")
    deployed = Deployed({"zh": engine}, dataset, live, None)
    items = answer(deployed, person, Question(NEW, "shop", 5, language="zh"), NOW, lambda d, _: d).ranked.items
    assert {"涡轮", "刹车"} <= {each.item for each in items}  # what friends did is not seen yet
    why = [each.reasons for each in items] + [explained(deployed, person, "shop", "刹车", NOW, "zh")]
    assert any(why)
    assert {(each.item, each.title, each.via, each.kind) for some in why for each in some} == {("", "", (), "history")}
    assert {each.text for some in why for each in some} == {"因为您认识的人喜欢"}
    assert all(len(some) <= 1 for some in why)


def test_who_said_no_lends_nothing_at_once(tmp_path: Path) -> None:
    dataset, _ = opened(tmp_path, {"friends": FRIENDS})
    store = MemoryStore()
    live = live_of(dataset, store)

    def titles() -> set[str]:
        person = live.ready(NEW, NOW) or live.load(NEW, NOW)
        return {dataset.catalog.name(number)[1] for number in live.history(person, NOW).items.tolist()}

    assert titles() == {"涡轮", "刹车"}
    for user, left in (("李", {"涡轮"}), ("小王", set())):
        account = Account(domain="shop", user=user)
        store.catalogue.put_consents([Consent(account=account, personalised=False, changed_at=NOW)])
        live.forget([account])
        assert titles() == left
    assert not len(live.history(live.without_store(NEW, NOW), NOW).items)


def test_a_place_of_an_unknown_domain_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names the domain 'shops'; the domains are shop"):
        opened(tmp_path, {"places": [{"path": "places.csv", "domain": "shops"}]})
