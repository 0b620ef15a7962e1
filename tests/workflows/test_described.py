"""What is described must be storable everywhere."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kuajie.core.records import Account, Consent, EditorList, Exposure, Item, Link, Traits, Triple
from kuajie.storage.sql.address import address
from kuajie.storage.sql.store import SqlStore
from kuajie.testing.servers import Server
from kuajie.workflows.described import problem_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
A, B = Account(domain="课程", user="张三"), Account(domain="car", user="张三")
LARGEST = Item(
    domain="域" * 64,
    item="物" * 42,
    title="\t多行\n😀" + "长" * 1_360,
    category="类" * 170,
    price=1e12,
    attributes={f"名{n}": "值" * 1_365 for n in range(100)},
)


@pytest.mark.parametrize(
    "record",
    [
        LARGEST,
        Item(domain="car", item="  x"),
        Traits(account=A, attributes={"城市": ""}),
        Link(a=A, b=B, confidence=0.0, expires_at=datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
        Triple(domain="car", head="a", relation="b", tail="c"),
        EditorList(target="car", placement="", items=()),
        Consent(account=A, personalised=False, changed_at=NOW),
        Exposure(exposure_id="e", list_id="l", placement="", position=0, occurred_at=NOW),
    ],
    ids=lambda record: type(record).__name__,
)
def test_good(record) -> None:
    assert problem_of(record) is None


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (Item(domain="car", item=""), "item is missing or no text"),
        (Item(domain="car", item="x", title="\x00"), "title has a NUL character"),
        (Item(domain="car", item="x", title="长" * 1_366), "title is longer than 4096 bytes"),
        (Item(domain="car", item="x", brand="\ud800"), "brand has half a surrogate pair"),
        (Item(domain="car", item="x", price=float("nan")), "price is not between 0 and 1e+12"),
        (Item(domain="car", item="x", price=-0.01), "price is not between 0 and 1e+12"),
        (Item(domain="car", item="x", attributes={"": "v"}), "an attribute's name is missing or no text"),
        (Item(domain="car", item="x", attributes={"n": "\x00"}), "an attribute's value has a NUL character"),
        (Traits(account=A, attributes=dict.fromkeys(map(str, range(101)), "")), "attributes are more than 100"),
        (Traits(account=Account(domain="a", user="\x01")), "user of account has a control character"),
        (Link(a=A, b=A), "the link joins an account with itself"),
        (Link(a=A, b=B, confidence=float("nan")), "confidence is not between 0 and 1"),
        (Link(a=A, b=B, confidence=1.1), "confidence is not between 0 and 1"),
        (Link(a=A, b=B, expires_at=datetime(2026, 1, 1)), "expires_at names no time zone"),
        (Link(a=A, b=B, expires_at=datetime(1, 1, 1, tzinfo=UTC)), "expires_at is before 1970"),
        (Triple(domain="car", head="h" * 129, relation="r", tail="t"), "head is longer than 128 bytes"),
        (EditorList(target="car", placement="p", items=("a", "a")), "items hold one twice"),
        (EditorList(target="car", placement="p", items=("a", "")), "item is missing or no text"),
        (EditorList(target="car", placement="p", items=tuple(map(str, range(1_001)))), "items are more than 1000"),
        (
            Exposure(exposure_id="e", list_id="l", placement="p", position=2**63, occurred_at=NOW),
            "position is not between 0 and 100000",
        ),
    ],
)  # fmt: skip
def test_bad(record, problem: str) -> None:
    assert problem_of(record) == problem


def test_what_has_happened_is_not_in_the_future() -> None:
    consent = Consent(account=A, personalised=True, changed_at=NOW)
    exposure = Exposure(exposure_id="e", list_id="l", placement="", position=0, occurred_at=NOW)
    assert problem_of(consent, NOW) is None
    before = NOW - timedelta(microseconds=1)
    assert problem_of(consent, before) == "changed_at is in the future"
    assert problem_of(exposure, before) == "occurred_at is in the future"
    assert problem_of(Link(a=A, b=B, expires_at=NOW), before) is None


@pytest.mark.parametrize("database", ["sqlite", "mariadb", "postgresql"])
def test_the_largest_item_can_be_stored(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = "a.db"
    if database != "sqlite":
        server: Server = request.getfixturevalue(database)
        url = server.new_database()
    store = SqlStore.open(address(url, None, tmp_path))
    store.catalogue.put_items([LARGEST])
    assert store.catalogue.items(LARGEST.domain, [LARGEST.item]) == {LARGEST.item: LARGEST}
    store.close()
