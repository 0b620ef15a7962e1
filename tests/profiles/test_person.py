"""One person: every field has a source, a sureness and an expiry, or says why it is unknown."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from kuajie.data.config import StrengthConfig
from kuajie.data.strength import Events
from kuajie.profiles.audience import Audience, fit_audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import people_of
from kuajie.profiles.fields import Field, credibility
from kuajie.profiles.person import Profiler
from kuajie.profiles.sensitive import allowed, sensitive_kinds
from kuajie.profiles.told import busiest
from kuajie.testing.profiles import DAY, NOW, Planted, events, one, planted

CONFIG = ProfilesConfig(topics=4, segments=(2, 6), timezone="Asia/Shanghai")
NAN = float("nan")


@pytest.fixture(scope="module")
def world() -> Planted:
    bought = planted(200)
    rows = [(person, 4 * person % 32, "purchase", NOW - 5 * DAY, 10.0 + person) for person in range(0, 200, 2)]
    rows += [(person, 32 + person % 32, "purchase", NOW - 5 * DAY, 1e6 + person) for person in range(0, 200, 5)]
    merged = [
        (int(r), int(i), ("view"), float(t), NAN)
        for r, i, t in zip(bought.events.row, bought.events.item, bought.events.time, strict=True)
    ]
    return Planted(bought.catalog, events([*merged, *rows]), bought.topic)


@pytest.fixture(scope="module")
def audience(world: Planted) -> Audience:
    people = people_of(world.events, world.n, world.catalog, NOW, CONFIG)
    return fit_audience(people, world.catalog, NOW, CONFIG, snapshot_id="s", fitted_at=datetime(2026, 6, 1, tzinfo=UTC))


def told(
    world: Planted,
    happened: Events,
    audience: Audience | None,
    at: float = NOW,
    declared: object = (),
    language: str = "zh",
    config: ProfilesConfig = CONFIG,
) -> list[Field]:
    return Profiler(world.catalog, config, StrengthConfig(), audience).profile(happened, at, declared, language)  # type: ignore[arg-type]


def named(fields: list[Field], name: str) -> Field:
    return next(each for each in fields if each.name == name)


def likes(topic: int, n: int, age: float = 1.0) -> Events:
    return one(*((topic + 4 * place, "view", NOW - age * DAY - 60 * place, NAN) for place in range(n)))


def test_every_field_keeps_the_contract(world: Planted, audience: Audience) -> None:
    for happened in (events([]), likes(0, 5), one((1, "view", NAN, NAN)), one((1, "purchase", NOW - DAY, 5.0))):
        for field in told(world, happened, audience, declared=[({"会员等级": "金"}, NAN)]):
            assert 0 <= field.sureness <= 1
            assert field.source in {"declared", "behaviour", "purchase", "text", "segment model"}
            if field.value is None:
                assert field.note, field.name
                assert field.sureness == 0
            elif field.last_seen is not None and field.name != "life_cycle":
                assert field.expires_at is None or field.expires_at > field.last_seen


def test_interests_are_found_and_surer_with_evidence(world: Planted, audience: Audience) -> None:
    found = {n: named(told(world, likes(1, n), audience), "interest") for n in (1, 3, 8)}
    assert {field.value for field in found.values()} == {"摄影"}
    assert found[1].sureness < found[3].sureness < found[8].sureness
    assert found[8].source == "behaviour"
    english = named(told(world, likes(1, 8), audience, language="en"), "interest")
    assert set(str(english.value).split(" · ")) <= {"camera lens", "portrait photo", "photo editing"}


def test_sureness_is_the_stated_formula(world: Planted, audience: Audience) -> None:
    field = named(told(world, likes(1, 8, age=90), audience), "domain_mix")
    assert field.sureness == pytest.approx(8 / (8 + 5) * 2 ** (-90 / 180), abs=1e-3)
    assert credibility(0, CONFIG) == 0


def test_fields_expire(world: Planted, audience: Audience) -> None:
    fields = told(world, likes(1, 8, age=150), audience)
    mix, interest = named(fields, "domain_mix"), named(fields, "interest")
    assert mix.value is None
    assert "expired" in mix.note
    assert mix.expires_at is not None
    assert interest.value == "摄影", "interests hold for 180 days"


def test_the_segment_is_that_of_people_alike(world: Planted, audience: Audience) -> None:
    numbers = {topic: named(told(world, likes(topic, 8), audience), "segment").details["number"] for topic in range(4)}
    assert len(set(numbers.values())) == 4


def test_without_an_audience_topics_and_segments_are_unknown(world: Planted) -> None:
    fields = told(world, likes(1, 8), None)
    assert "kuajie profile --fit" in named(fields, "interest").note
    assert "kuajie profile --fit" in named(fields, "segment").note
    assert named(fields, "domain_mix").value == "courses"


def test_without_times_what_needs_them_is_unknown(world: Planted, audience: Audience) -> None:
    fields = told(world, one(*((place, "view", NAN, NAN) for place in range(5))), audience)
    for name in ("active_hours", "weekend_share", "sessions", "activity", "life_cycle", "season"):
        assert named(fields, name).value is None, name
    mix = named(fields, "domain_mix")
    assert mix.value == "courses"
    assert mix.last_seen is mix.expires_at is None


def test_nothing_known_of_who_did_nothing(world: Planted, audience: Audience) -> None:
    assert all(field.value is None for field in told(world, events([]), audience))


def test_looking_at_dear_things_is_no_value_tier(world: Planted, audience: Audience) -> None:
    fields = told(world, one(*((28 + place, "view", NOW - DAY, NAN) for place in range(4))), audience)
    assert named(fields, "value_tier").value is None
    level = named(fields, "price_level")
    assert level.value is not None
    assert level.value > 0.8
    assert level.source == "behaviour"


@pytest.mark.parametrize(("paid", "tier"), [(12.0, "low"), (110.0, "middle"), (1000.0, "high")])
def test_purchases_say_the_value_tier(world: Planted, audience: Audience, paid: float, tier: str) -> None:
    field = named(told(world, one((0, "purchase", NOW - DAY, paid)), audience), "value_tier")
    assert (field.value, field.source) == (tier, "purchase")
    assert field.sureness == pytest.approx(1 / 6 * 2 ** (-1 / 180), abs=1e-3), "one purchase is not much"


def test_each_domain_has_its_own_tier_and_who_sees_one_sees_the_same(world: Planted, audience: Audience) -> None:
    rows = ((0, "purchase", NOW - DAY, 12.0), (32, "purchase", NOW - 2 * DAY, 2e6), (1, "purchase", NOW - DAY, 3.0))
    both = [each for each in told(world, one(*rows), audience) if each.name == "value_tier"]
    assert [(each.value, each.details) for each in both] == [
        ("low", {"domain": "courses", "purchases": 2, "spent": 15.0}),
        ("high", {"domain": "parts", "purchases": 1, "spent": 2e6}),
    ]
    assert [each.last_seen and each.last_seen.timestamp() for each in both] == [NOW - DAY, NOW - 2 * DAY]
    shop = [each for each in told(world, one(rows[1]), audience) if each.name == "value_tier"]
    assert shop == both[1:]
    assert set(audience.about.tiers) == {"courses", "parts"}
    assert audience.about.tiers["courses"][1] < 1e3 < 1e6 < audience.about.tiers["parts"][0]


def test_a_domain_where_nobody_paid_has_no_tier(world: Planted, audience: Audience) -> None:
    tiers = {"parts": audience.about.tiers["parts"]}
    lacking = replace(audience, about=msgspec.structs.replace(audience.about, tiers=tiers))
    course, part = (0, "purchase", NOW - DAY, 12.0), (32, "purchase", NOW - DAY, 2e6)
    found = [each for each in told(world, one(course, part), lacking) if each.name == "value_tier"]
    assert [each.details["domain"] for each in found] == ["parts"]
    assert "kuajie profile --fit" in named(told(world, one(course), lacking), "value_tier").note


def test_what_was_declared_goes_before_purchases(world: Planted, audience: Audience) -> None:
    happened = one((0, "purchase", NOW - DAY, 1000.0))
    field = named(told(world, happened, audience, declared=[({"会员等级": "银卡"}, NAN)]), "value_tier")
    assert (field.value, field.source, field.sureness) == ("银卡", "declared", 0.9)


def test_habits_say_when_and_how_long(world: Planted, audience: Audience) -> None:
    evening = datetime(2026, 5, 30, 12, 30, tzinfo=UTC).timestamp()  # Saturday, 20:30, in Shanghai
    happened = one(
        *((place, "play", evening + 300 * place, 700.0) for place in range(4)), (9, "play", evening + 1500, 30.0)
    )
    fields = told(world, happened, audience)
    assert named(fields, "active_hours").details["events_by_hour"][20] == 5
    assert named(fields, "weekend_share").value == 1
    assert named(fields, "sessions").value == 1
    assert named(fields, "sessions").details["median_minutes"] == 25
    assert named(fields, "depth").value == 0.8


def test_the_busiest_hours_may_cross_midnight() -> None:
    hours = np.zeros(24)
    hours[[23, 0, 1]] = 2
    hours[12] = 1
    assert busiest(hours) == ("22:00-02:00", round(6 / 7, 4))


def test_a_season_needs_two_years_and_one_side_of_the_year(world: Planted) -> None:
    def season(times: list[float]) -> Field:
        return named(told(world, one(*((0, "view", time, NAN) for time in times)), None), "season")

    winters = [datetime(year, month, 5, 9, tzinfo=UTC).timestamp() for year in (2023, 2024, 2025) for month in (1, 12)]
    winters.append(datetime(2026, 1, 5, 9, tzinfo=UTC).timestamp())
    found = named(
        Profiler(world.catalog, CONFIG, StrengthConfig()).profile(
            one(*((0, "view", time, NAN) for time in winters)), winters[-1] + DAY
        ),
        "season",
    )
    assert found.value in {1.0, 12.0}
    always = [datetime(2024 + m // 12, m % 12 + 1, 5, 9, tzinfo=UTC).timestamp() for m in range(29)]
    assert "no time of the year" in season(always).note
    assert "two whole years" in season(winters[-2:]).note


def test_later_events_do_not_count(world: Planted, audience: Audience) -> None:
    happened = one(*((place, "view", NOW - DAY * (5 - place), NAN) for place in range(8)))
    assert named(told(world, happened, audience), "activity").details["events"] == 5


DECLARED = {
    "age_band": "25-34", "homeAddress": "上海", "city_tier": "一线", "性别": "女", "月收入": "2万", "health_notes": "x",
    "language": "zh", "page": "3", "favourite_colour": "red", "hobby": "园艺",
}  # fmt: skip


def test_sensitive_attributes_are_off_unless_switched_on(world: Planted) -> None:
    def names(config: ProfilesConfig) -> set[str]:
        fields = told(world, events([]), None, declared=[(DECLARED, NAN)], config=config)
        return {field.name for field in fields if field.source == "declared"}

    harmless = {"language", "page", "favourite_colour", "hobby"}
    assert names(CONFIG) == harmless
    assert names(ProfilesConfig(sensitive=("age",))) == harmless | {"age_band"}
    assert names(ProfilesConfig(sensitive=("age", "location"))) == harmless | {"age_band", "homeAddress", "city_tier"}


def test_a_sensitive_value_attribute_stays_off(world: Planted) -> None:
    config = ProfilesConfig(value_attributes=("income_tier",))
    declared = [({"income_tier": "high"}, NAN)]
    assert named(told(world, events([]), None, declared=declared, config=config), "value_tier").value is None
    on = ProfilesConfig(value_attributes=("income_tier",), sensitive=("finance",))
    assert named(told(world, events([]), None, declared=declared, config=on), "value_tier").value == "high"


def test_kinds_may_be_added_and_an_attribute_needs_all_of_its_kinds() -> None:
    config = ProfilesConfig(sensitive_words={"pets": ("pet", "宠物")}, sensitive=("pets",))
    assert sensitive_kinds("宠物年龄", config) == ["age", "pets"]
    assert allowed({"pet": "cat", "宠物年龄": "3"}, config) == {"pet": "cat"}


def test_what_was_declared_expires_where_it_is_known_when(world: Planted) -> None:
    fields = told(world, events([]), None, declared=[({"hobby": "园艺"}, NOW - 800 * DAY)])
    assert named(fields, "hobby").value is None
    fields = told(world, events([]), None, declared=[({"hobby": "园艺"}, NOW - 180 * DAY)])
    assert named(fields, "hobby").sureness == pytest.approx(0.45, abs=1e-3)
