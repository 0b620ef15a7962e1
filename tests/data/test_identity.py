"""Who is who, against a slow union-find that follows the definition word by word."""

import hashlib
from datetime import UTC, datetime
from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.errors import ConfigError
from kuajie.data.config import IdentityConfig
from kuajie.data.hashing import KeyHasher
from kuajie.data.identity import Identity, by_keys, by_links, by_shared_ids, valid_links
from kuajie.data.overlap import overlap_report
from kuajie.data.resolving import resolve
from kuajie.data.tables import LINKS, Tables
from kuajie.testing.sources import rows

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def accounts(*names: str) -> pl.DataFrame:
    """Accounts written `domain:user`, in order."""
    split = [name.split(":") for name in names]
    return pl.DataFrame({"domain": [d for d, _ in split], "user": [u for _, u in split]}, {"domain": str, "user": str})


def links(*edges: tuple[int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(edges, {"a": pl.Int64, "b": pl.Int64, "confidence": pl.Float64}, orient="row")


def people(identity: Identity) -> list[list[int]]:
    return [np.flatnonzero(identity.person == person).tolist() for person in range(identity.n_people)]


FOUR = accounts("a:1", "a:2", "b:1", "b:2")


@pytest.mark.parametrize(
    ("edges", "expected", "lent"),
    [
        ([], [[0], [1], [2], [3]], []),
        ([(0, 2, 1.0), (1, 3, 0.8)], [[0, 2], [1, 3]], []),
        ([(2, 0, 0.9), (0, 2, 0.1)], [[0, 2], [1], [3]], []),
        ([(0, 2, 0.79)], [[0], [1], [2], [3]], [(0, 2, 0.79), (2, 0, 0.79)]),
        ([(0, 2, 0.2)], [[0], [1], [2], [3]], []),
        (
            [(0, 2, 1.0), (0, 3, 0.9)],
            [[0], [1], [2], [3]],
            [(0, 2, 1.0), (0, 3, 0.9), (2, 0, 1.0), (3, 0, 0.9)],
        ),
        ([(0, 2, 1.0), (0, 3, 0.5)], [[0, 2], [1], [3]], [(0, 3, 0.5), (3, 0, 0.5)]),
        ([(0, 1, 1.0)], [[0], [1], [2], [3]], [(0, 1, 1.0), (1, 0, 1.0)]),
    ],
)
def test_links_by_eye(
    edges: list[tuple[int, int, float]], expected: list[list[int]], lent: list[tuple[int, int, float]]
) -> None:
    found = by_links(FOUR, links(*edges), 0.8, 0.3)
    assert people(found) == expected
    assert rows(found.lent, "borrower", "lender", "confidence") == lent


def test_people_may_live_in_many_domains_but_once_in_each() -> None:
    three = accounts("a:1", "b:1", "c:1", "c:2")
    assert people(by_links(three, links((0, 1, 1.0), (1, 2, 1.0)), 0.8, 0.3)) == [[0, 1, 2], [3]]
    doubled = by_links(three, links((0, 2, 1.0), (0, 1, 1.0), (1, 3, 1.0)), 0.8, 0.3)
    assert people(doubled) == [[0], [1], [2], [3]]
    assert doubled.counts["two_of_one_domain"] == 3
    assert len(doubled.lent) == 6


def slowly(domain: list[int], edges: list[tuple[int, int, float]], least: float, lends: float) -> tuple[object, object]:
    """People as a set of sets, loans as a set."""
    best: dict[tuple[int, int], float] = {}
    for a, b, confidence in edges:
        pair = (min(a, b), max(a, b))
        best[pair] = max(best.get(pair, 0.0), confidence)
    strong = [pair for pair, confidence in best.items() if confidence >= least and domain[pair[0]] != domain[pair[1]]]

    def partners(account: int, other: int) -> int:
        return sum(account in pair and domain[sum(pair) - account] == other for pair in strong)

    single = [(a, b) for a, b in strong if partners(a, domain[b]) == 1 and partners(b, domain[a]) == 1]
    group = list(range(len(domain)))
    for _, (a, b) in product(range(len(domain)), single):
        group[a] = group[b] = min(group[a], group[b])
    members = [[account for account in range(len(domain)) if group[account] == root] for root in range(len(domain))]
    merged = [each for each in members if each and len({domain[account] for account in each}) == len(each)]
    broken = [
        [account] for each in members if len({domain[account] for account in each}) < len(each) for account in each
    ]
    who = {account: number for number, each in enumerate([*merged, *broken]) for account in each}
    loans = {
        (x, y, confidence)
        for (a, b), confidence in best.items()
        if confidence >= lends and who[a] != who[b]
        for x, y in ((a, b), (b, a))
    }
    return {frozenset(each) for each in [*merged, *broken]}, loans


worlds = st.lists(st.integers(0, 2), min_size=2, max_size=7).flatmap(
    lambda domain: st.tuples(
        st.just(domain),
        st.lists(
            st.tuples(
                st.integers(0, len(domain) - 1),
                st.integers(0, len(domain) - 1),
                st.sampled_from([0.1, 0.5, 0.8, 1.0]),
            ).filter(lambda edge: edge[0] != edge[1]),
            max_size=8,
        ),
    )
)


@given(worlds)
def test_links_are_those_of_the_slow_reference(world: tuple[list[int], list[tuple[int, int, float]]]) -> None:
    domain, edges = world
    table = accounts(*(f"{'abc'[d]}:{number}" for number, d in enumerate(domain)))
    found = by_links(table, links(*edges), 0.8, 0.3)
    groups, loans = slowly(domain, edges, 0.8, 0.3)
    assert {frozenset(each) for each in people(found)} == groups
    assert set(rows(found.lent, "borrower", "lender", "confidence")) == loans
    assert [each[0] for each in people(found)] == sorted(each[0] for each in people(found))


def test_shared_ids_are_compared_exactly() -> None:
    table = accounts("a:007", "b:007", "a:7", "b:😀", "c:007")
    assert people(by_shared_ids(table)) == [[0, 1, 4], [2], [3]]
    assert by_shared_ids(accounts()).n_people == 0


def test_links_expire_at_the_moment_they_name() -> None:
    moments = [None, NOW, datetime(2025, 1, 2, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)]
    table = pl.DataFrame({"expires_at": pl.Series(moments, dtype=pl.Datetime("us", "UTC"))}).with_row_index()
    assert valid_links(table, NOW)["index"].to_list() == [0, 2]


def test_keys_merge_one_to_one_and_lend_one_to_many() -> None:
    table = accounts("a:1", "a:2", "a:3", "b:1", "b:2", "b:3")
    keys = pl.DataFrame({"account": [0, 3, 1, 2, 4], "key": ["k", "k", "home", "home", "home"]})
    found = by_keys(table, keys)
    assert people(found) == [[0, 3], [1], [2], [4], [5]]
    assert rows(found.lent, "borrower", "lender", "confidence") == [(1, 4, 0.5), (2, 4, 0.5), (4, 1, 0.5), (4, 2, 0.5)]


def test_a_key_of_a_crowd_joins_nobody() -> None:
    table = accounts(*(f"a:{number}" for number in range(30)), "b:1")
    found = by_keys(table, pl.DataFrame({"account": range(31), "key": ["0000"] * 31}))
    assert found.n_people == 31
    assert found.lent.is_empty()
    assert found.counts["crowded_keys"] == 1


SECRET = "0123456789abcdef"


def hashed(users: list[tuple[str, str, str | None]], names: pl.DataFrame, *ready: str) -> list[list[int]]:
    table = pl.DataFrame(users, {"domain": str, "user": str, "key": str}, orient="row")
    none = pl.DataFrame(schema=LINKS)
    tables = Tables(pl.DataFrame(), table, none, pl.DataFrame(), friends=none, places=pl.DataFrame())
    config = IdentityConfig(method="hashed", hashed_domains=ready)
    return people(resolve(names, tables, config, KeyHasher(SECRET.encode()), NOW))


def test_raw_and_hashed_keys_meet() -> None:
    digest = KeyHasher(SECRET.encode()).hash("13800000000")
    names = accounts("a:1", "a:2", "b:1", "b:2")
    users = [("a", "1", " １３８00000000"), ("a", "2", None), ("b", "1", None), ("b", "2", f"{digest.upper()} ")]
    assert hashed(users, names, "b") == [[0, 3], [1], [2]]


def test_without_keys_the_ids_are_the_keys() -> None:
    hasher = KeyHasher(SECRET.encode())
    names = accounts("a:x@y.cn", "a:z", f"b:{hasher.hash('X@Y.cn')}")
    assert hashed([], names, "b") == [[0, 2], [1]]


def test_the_hash_is_that_of_the_standard() -> None:
    key = bytes(range(1, 26))
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + b"x")  # RFC 2104, section 2
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner.digest())
    hasher = KeyHasher(key)
    assert hasher.hash("x") == outer.hexdigest()
    assert hasher.hash("x") == hasher.hash(" X ")
    assert hasher.matches("x", hasher.hash("x").upper())
    assert not hasher.matches("y", hasher.hash("x"))
    assert not hasher.matches("y", "不是十六进制")
    assert "secret hidden" in repr(hasher)


def test_the_secret_comes_from_the_environment() -> None:
    with pytest.raises(ConfigError, match="KEY_SECRET"):
        KeyHasher.from_environment("KEY_SECRET", {})
    with pytest.raises(ConfigError, match="at least 16") as caught:
        KeyHasher.from_environment("KEY_SECRET", {"KEY_SECRET": "geheim"})
    assert "geheim" not in str(caught.value)


def test_overlap_by_eye() -> None:
    table = accounts("a:1", "b:1", "a:2", "b:2", "a:3", "c:9").with_columns(
        events=pl.Series([4, 2, 6, 0, 1, 1], dtype=pl.Int64)
    )
    report = overlap_report(table, by_shared_ids(table), ["a", "b", "c"], "shared")
    assert (report.people, report.linked_people) == (4, 2)
    assert report.people_of == {"a": 3, "b": 2, "c": 1}
    pair = report.pairs[0]
    assert (pair.a, pair.b, pair.people, pair.active) == ("a", "b", 2, 1)
    assert (pair.share_a, pair.share_b) == (2 / 3, 1.0)
    assert (pair.median_events_a, pair.median_events_b) == (4.0, 2.0)
    assert [pair.people for pair in report.pairs[1:]] == [0, 0]
    assert len(report.warnings) == 3
    assert "share only one person" in report.warnings[0]
    assert "share no person" in report.warnings[1]
