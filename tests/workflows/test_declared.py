"""What the accounts of one person have declared, and what rules make of it."""

from types import SimpleNamespace
from typing import Any

from kuajie.core.records import Account
from kuajie.workflows.declared import declared_by, for_rules, number
from kuajie.workflows.serving import Server

SHOP, SCHOOL = Account(domain="商店", user="1"), Account(domain="学校", user="一")


def dataset(told: dict[Account, dict[str, str]]) -> Any:
    return SimpleNamespace(declared=lambda accounts: {each: told[each] for each in accounts if each in told})


def test_what_is_newer_goes_before_the_snapshot() -> None:
    frozen = dataset({SHOP: {"age": "12", "region": "上海"}})
    found = declared_by([SHOP, SCHOOL], frozen, {SHOP: {"age": "13"}})
    assert found == {SHOP: {"age": "13", "region": "上海"}}


def test_the_smallest_age_and_the_own_region_count() -> None:
    told = {SHOP: {"age": "30", "region": "上海"}, SCHOOL: {"age": "9", "region": "昆明"}}
    assert for_rules(told, "商店") == {"age": "9", "region": "上海"}
    assert for_rules(told, "学校") == {"age": "9", "region": "昆明"}
    assert for_rules({SCHOOL: {"region": "昆明"}}, "商店") == {}
    assert for_rules({SHOP: {"age": "inf"}, SCHOOL: {"age": "不告诉你"}}, "商店") == {}


def test_who_is_served_from_a_snapshot_is_known_by_all_accounts() -> None:
    frozen = dataset({SHOP: {"age": "30", "region": "上海"}, SCHOOL: {"age": "9"}})
    frozen.person_of, frozen.accounts_of = (lambda _: 0), (lambda _: [SHOP, SCHOOL])
    served = Server(SimpleNamespace(), frozen)  # type: ignore[arg-type]
    assert served.asker(SHOP).attributes == {"age": "9", "region": "上海"}
    assert served.asker(None).attributes == {}


def test_numbers_are_finite() -> None:
    assert [number(text) for text in ("18", " 2.5 ", "inf", "nan", "1e999", "", "十八")] == [18, 2.5] + [None] * 5
