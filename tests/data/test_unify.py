"""Every kind of bad value has its own reason, and every row comes out once."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuajie.core.errors import DataError
from kuajie.data.config import LinkSourceConfig, SourceConfig
from kuajie.data.sources import open_source
from kuajie.data.unify import unify_items, unify_links, unify_users
from kuajie.testing.sources import RULES, events, raw, reasons, rows, write

HEADER = "user,item,kind,occurred_at,value\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",x,view,,", "user is missing or no text"),
        ("   ,x,view,,", "user is missing or no text"),
        ("a,,view,,", "item is missing or no text"),
        ("a\x00b,x,view,,", "user has a control character"),
        (f"{'a' * 10_000},x,view,,", "user is longer than 128 bytes"),
        (f"a,{'张' * 43},view,,", "item is longer than 128 bytes"),
        ("a,x,stare,,", "kind is not a known word; map it in kinds"),
        ("a,x,view,soon,", "occurred_at is not a time"),
        ("a,x,view,1960-01-01,", "occurred_at is before 1990-01-01"),
        ("a,x,view,2025-01-02T00:00:01Z,", "occurred_at is in the future"),
        ("a,x,view,99999999999999999999999,", "occurred_at is in the future"),
        ("a,x,view,,much", "value is not a number"),
        ("a,x,view,,NaN", "value is not finite"),
        ("a,x,view,,-inf", "value is not finite"),
        ("a,x,view,,1e999", "value is not finite"),
        ("a,x,view,,-1", "value is negative"),
        ("a,x,purchase,,1e13", "value is larger than 1e+12"),
        ("a,x,play,,86401", "value of a play is larger than 86400"),
    ],
)
def test_a_bad_value_has_its_reason(tmp_path: Path, line: str, reason: str) -> None:
    found = events(tmp_path, write(tmp_path, "e.csv", f"{HEADER}good,x,view,2024-01-01,1\n{line}\n"))
    assert reasons(found) == {3: reason}
    assert rows(found.good, "user", "row") == [("good", 2)]
    assert len(found.rejected["content"][0]) <= 1_000


def test_what_is_unusual_but_possible_is_kept(tmp_path: Path) -> None:
    lines = ["007,x,View ,,", f"{'a' * 128},x,,2025-01-01T23:00:00Z,0", " a,😀,purchase,,1e12", "a,x,rate,NULL,\\N"]
    found = events(tmp_path, write(tmp_path, "e.csv", HEADER + "\n".join(lines)))
    assert found.rejected.is_empty()
    assert found.good["user"].to_list() == ["007", "a" * 128, " a", "a"]
    assert found.good["kind"].to_list() == ["view", "view", "purchase", "rate"]


def test_kinds_are_mapped_and_values_scaled(tmp_path: Path) -> None:
    write(tmp_path, "e.csv", HEADER + "a,x,播放,,5000\na,x,2,,1000\na,x,,,\na,x,VIEW,,\n")
    source = SourceConfig(path="e.csv", kinds={"播放": "play", "2": "purchase"}, kind="read", value_scale=0.001)
    found = events(tmp_path, source)
    assert rows(found.good, "kind", "value") == [("play", 5.0), ("purchase", 1.0), ("read", None), ("view", None)]


def test_a_column_of_the_wrong_type_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, "e.jsonl", '{"user": "a", "item": "x", "value": {"amount": 1}}\n')
    found = events(tmp_path, SourceConfig(path="e.jsonl"))
    assert reasons(found) == {1: "value is not a number"}


def one(folder: Path, name: str, text: str, table: str) -> object:
    return next(iter(open_source(write(folder, name, text), folder, table)))  # type: ignore[arg-type]


def test_items_take_unknown_columns_as_attributes(tmp_path: Path) -> None:
    write(tmp_path, "i.csv", "sku,name,fuel,price\n1,刹车片,电,12.5\n2,,,-1\n,x,,\n3,y,,call us\n")
    source = SourceConfig(path="i.csv", columns={"item": "sku", "title": "name", "燃料": "fuel"})
    batch = next(iter(open_source(source, tmp_path, "items")))
    found = unify_items(batch, RULES, "i.csv")
    assert rows(found.good, "item", "title", "price", "attributes") == [
        ("1", "刹车片", 12.5, '{"燃料":"电"}'),
        ("3", "y", None, '{"燃料":null}'),
    ]
    assert reasons(found) == {3: "price is negative", 4: "item is missing or no text"}


def test_users_may_have_keys(tmp_path: Path) -> None:
    batch = one(tmp_path, "u.csv", "user,key\na,138 0000\nb,\n", "users")
    assert rows(unify_users(batch, RULES, "u.csv").good, "user", "key") == [("a", "138 0000"), ("b", None)]  # type: ignore[arg-type]


def test_links_are_checked(tmp_path: Path) -> None:
    text = (
        "domain_a,user_a,user_b,confidence,expires_at\n"
        "a,1,2,0.9,2030-01-01\na,1,3,1.5,\nz,1,2,,\na,,2,,\na,1,2,,\nb,2,2,,\na,1,4,NaN,\na,1,5,,never\n"
    )
    source = LinkSourceConfig(path="l.csv", domain_b="b")
    write(tmp_path, "l.csv", text)
    batch = next(iter(open_source(source, tmp_path, "links")))
    found = unify_links(batch, source, (None, "b"), ["a", "b"], RULES, "l.csv")
    assert rows(found.good, "domain_a", "user_a", "domain_b", "user_b", "confidence", "row") == [
        ("a", "1", "b", "2", 0.9, 2),
        ("a", "1", "b", "2", 1.0, 6),
    ]
    assert reasons(found) == {
        3: "confidence is not between 0 and 1",
        4: "domain_a is not one of a, b",
        5: "user_a is missing or no text",
        7: "the link joins an account with itself",
        8: "confidence is not finite",
        9: "expires_at is not a time",
    }
    with pytest.raises(DataError, match="says the domain"):
        unify_links(batch, source, (None, None), ["a", "b"], RULES, "l.csv")


FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\n"'), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.lists(FIELD, min_size=5, max_size=5).map(",".join), max_size=6))
def test_every_row_comes_out_once(tmp_path: Path, lines: list[str]) -> None:
    source = write(tmp_path, "e.csv", HEADER + "\n".join(lines))
    frame, unsplit = raw(tmp_path, source)
    found = events(tmp_path, source)
    assert sorted([*found.good["row"], *found.rejected["row"]]) == sorted([*frame["row"], *unsplit["row"]])
    kept = dict(rows(frame, "row", "user"))
    assert all(kept[row] == user for row, user in rows(found.good, "row", "user"))
