"""Lists before they are shown: steps of the workspace, by catalogue, history and what is known of who asks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from kuajie.core.errors import ConfigError, UsageError
from kuajie.core.histories import Histories
from kuajie.core.records import Account, Item, RankedItem, RankedList, Reason
from kuajie.data.catalog import Catalog
from kuajie.rerank.pipeline import RerankConfig
from kuajie.storage.cache.memory import MemoryCache
from kuajie.workflows import fresh_facts
from kuajie.workflows.shape import Asker, Shaping, steps_of
from kuajie.workflows.showings import MOST, Showings
from kuajie.workflows.workspace import FILE, WorkspaceConfig

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHO = Account(domain="courses", user="张三")
WHY = (Reason(domain="courses", item="1", title="", share=1.0, exact=True, text="因为您用过"),)


def catalog(last: str = '{"stock": 5}') -> Catalog:
    """Twelve car parts of two brands; part 0 is for adults, part 1 for Shanghai, part 2 sold out."""
    attributes = ['{"least_age": 18, "stock": 1}', '{"regions": "上海,杭州"}', '{"stock": 0}'] + ['{"stock": 5}'] * 8
    attributes.append(last)
    return Catalog.of(
        pl.DataFrame(
            {
                "domain": ["car"] * 12 + ["courses"],
                "item": [f"件{number}" for number in range(12)] + ["课"],
                "category": ["刹车", "轮胎", "brakes"] * 4 + ["轮胎"],
                "brand": ["甲"] * 8 + ["乙"] * 4 + [""],
                "attributes": [*attributes, ""],
            }
        ),
        ("car", "courses"),
    )


def shaping(*steps: dict[str, Any]) -> Shaping:
    made = Shaping.of(RerankConfig.parse({"steps": list(steps)}), catalog(), np.arange(13.0))
    assert made is not None
    return made


def ranked(n: int = 12, list_id: str = "l", **more: Any) -> RankedList:
    items = tuple(
        RankedItem(domain="car", item=f"件{number}", title="", score=float(20 - number), reasons=WHY, propensity=1.0)
        for number in range(n)
    )
    return RankedList(
        list_id=list_id, account=WHO, target="car", model_version="v", created_at=NOW, items=items, **more
    )


def numbers(shown: RankedList) -> list[int]:
    return [int(each.item[1:]) for each in shown.items]


NOBODY = Histories.from_lists([[]], 13)


def test_steps_work_and_are_named_and_reasons_stay() -> None:
    made = shaping({"kind": "rules", "stock": "stock"}, {"kind": "limits", "most": {"brand": 3}})
    shown = made.shaped(ranked(tags=("秋季",)), 5, NOBODY)
    assert numbers(shown) == [0, 1, 3, 8, 9]
    assert all(each.reasons == WHY for each in shown.items)
    assert [each.score for each in shown.items] == [20, 19, 17, 12, 11]
    assert shown.tags == ("秋季", "rerank:rules", "rerank:limits")
    assert steps_of(shown) == ["rules", "limits"]


def test_no_step_is_no_pipeline() -> None:
    assert Shaping.of(RerankConfig(), catalog(), np.ones(13)) is None


def test_steps_of_another_target_leave_a_list_alone() -> None:
    made = shaping({"kind": "mmr", "targets": ["courses"]})
    assert made.config.candidates("car", 4) == 4
    shown = made.shaped(ranked(), 4, NOBODY)
    assert numbers(shown) == [0, 1, 2, 3]
    assert shown.tags == ()


def test_the_history_says_what_mix_is_wanted() -> None:
    made = shaping({"kind": "calibration", "strength": 0.99})
    history = Histories.from_lists([[12, 12, 1]], 13)  # tyres alone, mostly of courses
    assert numbers(made.shaped(ranked(), 4, history)) == [1, 4, 7, 10]
    assert numbers(made.shaped(ranked(), 4, NOBODY)) == [0, 1, 2, 3]


def test_age_and_region_are_what_somebody_declared() -> None:
    made = shaping({"kind": "rules", "least_age": "least_age", "regions": "regions"})
    assert made.reads("car") == (True, 0)
    assert numbers(made.shaped(ranked(), 3, NOBODY)) == [2, 3, 4]
    adult = Asker({"age": "30", "region": "北京"})
    assert numbers(made.shaped(ranked(), 3, NOBODY, adult)) == [0, 2, 3]
    child = Asker({"age": "9", "region": "杭州"})
    assert numbers(made.shaped(ranked(), 3, NOBODY, child)) == [1, 2, 3]
    assert numbers(made.shaped(ranked(), 3, NOBODY, Asker({"age": "不告诉你"}))) == [2, 3, 4]


def test_what_was_seen_often_is_not_shown() -> None:
    made = shaping({"kind": "limits", "shown": 2, "days": 3})
    assert made.reads("car") == (False, 3)
    assert numbers(made.shaped(ranked(), 3, NOBODY, Asker(shown={"件1": 2, "件0": 1}))) == [0, 2, 3]
    assert numbers(made.shaped(ranked(), 3, NOBODY)) == [0, 1, 2]


def test_lists_that_others_ordered_are_ruled_alone() -> None:
    made = shaping({"kind": "rules", "stock": "stock"}, {"kind": "mmr", "strength": 1})
    shown = made.shaped(ranked(), 4, NOBODY, rules_only=True)
    assert numbers(shown) == [0, 1, 3, 4]
    assert steps_of(shown) == ["rules"]


def test_new_items_and_short_lists_are_no_error() -> None:
    made = shaping({"kind": "limits", "most": {"brand": 1}}, {"kind": "mmr"})
    fresh = replace_item(ranked(3), 1, item="新品", score=25.0)
    shown = made.shaped(fresh, 5, NOBODY)
    assert [each.item for each in shown.items] == ["件0", "新品"]
    assert made.shaped(ranked(0), 5, NOBODY).items == ()


def test_rules_hold_for_items_and_domains_that_the_snapshot_lacks() -> None:
    made = shaping({"kind": "rules", "least_age": "least_age", "stock": "stock"})
    fresh = replace_item(ranked(4), 1, item="新品", score=25.0)
    assert [each.item for each in made.shaped(fresh, 5, NOBODY, Asker({"age": "40"})).items] == ["件0", "件3"]
    strange = msgspec.structs.replace(ranked(2), target="新店")
    assert made.shaped(strange, 5, NOBODY, Asker({"age": "40"}), rules_only=True).items == ()


def test_what_a_partner_writes_wrongly_does_not_end_the_rules() -> None:
    config = RerankConfig.parse({"steps": [{"kind": "rules", "stock": "stock", "least_age": "least_age"}]})
    made = Shaping.of(config, catalog('{"stock": "N/A", "least_age": "成人"}'), np.arange(13.0))
    assert made is not None
    asked = made.numbers("car", ["件2", "件3", "件11"])
    assert made.allowed("car", asked, Asker({"age": "40"})).tolist() == [False, True, False]
    other = Shaping.of(config, catalog('{"stock": "N/A"}'), np.arange(13.0))
    assert other is not None
    assert other.allowed("car", asked, Asker({"age": "40"})).tolist() == [False, True, True]


def test_which_items_are_allowed() -> None:
    made = shaping({"kind": "rules", "least_age": "least_age", "stock": "stock"}, {"kind": "mmr"})
    asked = made.numbers("car", ["件3", "件2", "新品", "件0"])
    assert asked.tolist() == [3, 2, -1, 0]
    assert made.allowed("car", asked, Asker()).tolist() == [True, False, False, False]
    assert made.allowed("car", asked, Asker({"age": "18"})).tolist() == [True, False, False, True]
    assert made.allowed("car", np.array([3, 99]), Asker()).tolist() == [True, False]
    bare = shaping({"kind": "rules", "stock": "stock", "targets": ["car"]})
    assert bare.allowed("courses", np.array([12, 99]), Asker()).tolist() == [True, True]


RULES = {
    "kind": "rules",
    "stock": "stock",
    "least_age": "least_age",
    "regions": "regions",
    "numbers": {"price": {"at_most": 100}, "popularity": {"at_least": 2}},
    "only": {"category": ["刹车", "新类"]},
    "never": {"brand": ["丙"]},
}


@pytest.mark.parametrize("unknown", ["keep", "drop"])
@pytest.mark.parametrize("seed", range(4))
def test_what_was_put_is_ruled_as_if_it_had_been_imported(seed: int, unknown: str) -> None:
    rng = np.random.default_rng(seed)

    def told() -> pl.DataFrame:
        def some(*values: Any) -> list[Any]:
            return [values[place] for place in rng.integers(len(values), size=13)]

        said = zip(
            some("0", "5", "没货", None), some("18", "成人", None, None), some("上海", "北京、杭州", None), strict=True
        )
        named = [dict(zip(("stock", "least_age", "regions"), each, strict=True)) for each in said]
        kept = [{name: value for name, value in each.items() if value is not None} for each in named]
        return catalog().table.with_columns(
            pl.Series("attributes", [msgspec.json.encode(each).decode() for each in kept]),
            pl.Series("category", some("刹车", "轮胎", "新类", "")),
            pl.Series("brand", some("甲", "丙", "")),
            pl.Series("price", some(50.0, 200.0, None), pl.Float64),
        )

    config = RerankConfig.parse({"steps": [RULES | {"unknown": unknown}]})
    old, new = (Catalog.of(told(), ("car", "courses")) for _ in range(2))
    before, after = (Shaping.of(config, each, np.arange(13.0)) for each in (old, new))
    assert before is not None
    assert after is not None
    cars = np.arange(12)
    before.fresh.learn(new.item(number) for number in range(6))
    before.fresh.learn([old.item(0), new.item(0)])
    for asker in (Asker(), Asker({"age": "30", "region": "杭州"}), Asker({"age": "9", "region": "上海"})):
        wanted = after.allowed("car", cars, asker)
        wanted[6:] = Shaping.of(config, old, np.arange(13.0)).allowed("car", cars, asker)[6:]  # type: ignore[union-attr]
        assert before.allowed("car", cars, asker).tolist() == wanted.tolist()
        named = {90 + number: f"件{number}" for number in range(12)}
        assert before.allowed("car", np.arange(90, 102), asker, named).tolist() == wanted.tolist(), "as a search asks"
        listed = before.shaped(ranked(), 12, NOBODY, asker)
        assert numbers(listed) == np.flatnonzero(wanted).tolist()


def test_an_item_that_arrived_is_ruled_by_what_was_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = shaping(
        {"kind": "limits", "most": {"brand": 4}}, {"kind": "rules", "stock": "stock", "least_age": "least_age"}
    )
    given = replace_item(ranked(3), 1, item="新品")

    def shown(**attributes: str) -> list[str]:
        made.fresh.learn([Item(domain="car", item="新品", attributes=attributes)])
        return [each.item for each in made.shaped(given, 3, NOBODY, Asker({"age": "20"})).items]

    assert shown(stock="1") == ["件0", "新品"]
    assert shown(stock="0") == ["件0"]
    assert shown() == ["件0", "新品"], "a stock that is not known is kept"
    assert shown(stock="1", least_age="18") == ["件0", "新品"]
    assert shown(stock="1", least_age="大人") == ["件0"]
    made.fresh.learn([Item(domain="新店", item="它", attributes={"stock": "1"})])
    strange = msgspec.structs.replace(replace_item(ranked(1), 0, item="它"), target="新店")
    assert len(made.shaped(strange, 5, NOBODY, rules_only=True).items) == 1, "of a domain that came since"
    monkeypatch.setattr(fresh_facts, "MOST_ARRIVED", 1)
    assert shown(stock="1") == ["件0", "新品"]
    assert made.shaped(strange, 5, NOBODY, rules_only=True).items == (), "forgotten, so nothing is known"


def replace_item(given: RankedList, place: int, **more: Any) -> RankedList:
    items = list(given.items)
    items[place] = msgspec.structs.replace(items[place], **more)
    return msgspec.structs.replace(given, items=tuple(items))


def test_what_brands_are_owed_is_remembered_from_list_to_list() -> None:
    made = shaping({"kind": "fairness", "floors": {"乙": 0.4}, "strength": 1})
    counts = np.zeros(2)
    for number in range(10):
        shown = made.shaped(ranked(list_id=f"l{number}"), 2, NOBODY)
        assert numbers(made.shaped(ranked(), 2, NOBODY)) == numbers(shown), "nobody was shown it yet"
        made.count(shown)
        for place in numbers(shown):
            counts[int(place >= 8)] += 1
    assert counts.tolist() == [12, 8]


def test_every_brand_of_the_target_has_its_floor_whatever_a_list_holds() -> None:
    """乙 has a third of the parts, so a sixth of the places is its floor; alone with few 甲 it is owed no more."""
    made = shaping({"kind": "fairness", "strength": 1})
    counts = np.zeros(2)
    for number in range(30):
        given = ranked(list_id=f"l{number}")
        few = msgspec.structs.replace(given, items=(*given.items[:2], *given.items[8:10]))
        shown = made.shaped(few, 2, NOBODY)
        made.count(shown)
        for place in numbers(shown):
            counts[int(place >= 8)] += 1
    assert counts.tolist() == [50, 10]


def test_what_was_given_outlives_a_version_by_name() -> None:
    steps = {"steps": [{"kind": "fairness", "strength": 1}]}
    made, table = shaping(*steps["steps"]), catalog().table
    for number in range(30):
        made.count(made.shaped(ranked(list_id=f"l{number}"), 2, NOBODY))
    before = made.places.known("car", "brand")
    assert before.total == 60
    brands = table["brand"].to_list()
    renamed = table.with_columns(pl.Series("brand", ["一新", *brands[1:8], *["甲"] * 2, *["丙"] * 2, ""]))
    after = Shaping.of(RerankConfig.parse(steps), Catalog.of(renamed, ("car", "courses")), np.arange(13.0))
    assert after is not None
    after.inherit(made)
    now = dict(zip(after.items.labels["brand"].names, after.places.known("car", "brand").counts, strict=True))
    old = dict(zip(made.items.labels["brand"].names, before.counts, strict=True))
    assert after.places.known("car", "brand").total == 60
    assert now == {"甲": old["甲"], "一新": pytest.approx(60 / 24), "丙": pytest.approx(60 / 12)}, "owed nothing yet"
    back = shaping(*steps["steps"])
    back.inherit(after)
    assert back.places.known("car", "brand").counts.tolist() == before.counts.tolist(), "乙 has come back"


def test_lists_are_counted_while_another_version_inherits() -> None:
    made, after = (shaping({"kind": "fairness"}) for _ in range(2))
    made.count(made.shaped(ranked(), 2, NOBODY))

    def floors(target: str, by: str) -> np.ndarray:
        made.places.count("courses", by, np.array([12], np.int32))  # the first list of courses, in this very moment
        return np.zeros(len(made.items.labels[by].names))

    after.places.inherit(made.places, floors)
    assert after.places.known("car", "brand").total == 2
    assert made.places.known("courses", "brand").total == 1


def test_steps_count_the_places_that_are_shown_though_more_are_drawn_from() -> None:
    made = shaping({"kind": "limits", "most": {"brand": 2}})
    shown = made.shaped(ranked(), 3, NOBODY, pool=8)
    assert numbers(shown)[:3] == numbers(made.shaped(ranked(), 3, NOBODY)) == [0, 1, 8]
    assert numbers(shown)[3:] == [9, 10, 11], "behind the places that are shown nothing is too much"
    bare = shaping({"kind": "mmr", "targets": ["courses"]})
    assert numbers(bare.shaped(ranked(), 3, NOBODY, pool=5)) == [0, 1, 2, 3, 4]


def test_shuffles_log_their_propensities_and_are_bound_to_the_list() -> None:
    made = shaping({"kind": "epsilon", "epsilon": 1.0, "pool": 6})
    first, again, other = (made.shaped(ranked(list_id=name), 6, NOBODY) for name in ("a", "a", "b"))
    assert numbers(first) == numbers(again)
    assert numbers(first) != numbers(other)
    assert [each.propensity for each in first.items] == pytest.approx([1 / 6] * 6)


def test_what_cannot_work_is_refused_at_the_start() -> None:
    with pytest.raises(UsageError, match="'库存' of items, which is not known"):
        shaping({"kind": "rules", "stock": "库存"})
    with pytest.raises(ConfigError, match="no domain 'cars'"):
        shaping({"kind": "mmr", "targets": ["cars"]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[rerank.steps]]\nkind = "linucb"\n[serving.exploration]\nepsilon = 0.1', "exclude each other"),
        ("[rerank]\nanswer_minutes = 0", "greater than or equal to 1"),
        ('[[rerank.steps]]\nkind = "epsilon"\n[serving.exploration]\nepsilon = 0.1', "exclude each other"),
        ('[[rerank.steps]]\nkind = "mmr"\nlambda = 0.1', "is not a known key"),
        ("[rerank]\nfaktor = 2", "'rerank.faktor' is not a known key"),
    ],
)
def test_bad_sections_are_refused(tmp_path: Path, text: str, said: str) -> None:
    domain = '[[domains."课程".events]]\npath = "e.csv"\n'
    (tmp_path / FILE).write_text(f"{text}\n{domain}", encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        WorkspaceConfig.read(tmp_path / FILE, {})


def test_showings_are_counted_for_some_days() -> None:
    showings = Showings(MemoryCache())
    showings.note(WHO, "car", [("件1", NOW), ("件1", NOW - timedelta(days=2)), ("件2", NOW)], 3)
    showings.note(WHO, "car", [("件1", NOW)], 3)
    assert showings.counts(WHO, "car", NOW, 3) == {"件1": 3, "件2": 1}
    assert showings.counts(WHO, "car", NOW, 1) == {"件1": 2, "件2": 1}
    assert showings.counts(WHO, "courses", NOW, 3) == {}
    showings.note(WHO, "car", [("件3", NOW)] * (MOST + 5), 3)
    assert showings.counts(WHO, "car", NOW, 3) == {"件3": MOST}
    cache = MemoryCache()
    cache.put("shown:car:courses:张三", b"{", 60)
    assert Showings(cache).counts(WHO, "car", NOW, 3) == {}
