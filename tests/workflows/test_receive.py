"""Events as they arrive: every row gets one verdict, and the rules are those of the import."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuajie.core.records import BadEvent, Event
from kuajie.data.config import CleaningConfig, SourceConfig
from kuajie.data.sources.base import Batch
from kuajie.data.unify import Rules, unify_events
from kuajie.testing.memory_store import MemoryStore
from kuajie.workflows.receive import EventRules, Replay, quarantine, receive, replay

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = EventRules(("课程", "car"))
GOOD = {"event_id": "1", "domain": "课程", "user": "张三", "item": "py", "kind": "view"}


def read(raw: dict[str, Any] | str | bytes, rules: EventRules = RULES, **options: Any) -> Event | BadEvent:
    if isinstance(raw, dict):
        raw = json.dumps({**GOOD, **raw})
    return rules.read(raw.encode() if isinstance(raw, str) else raw, NOW, **options)


@pytest.mark.parametrize(
    ("sent", "time"),
    [
        ({}, NOW),
        ({"occurred_at": None}, NOW),
        ({"occurred_at": "2026-03-01T20:00:00+08:00"}, NOW),
        ({"occurred_at": "2026-03-01T11:59:59.000001Z"}, NOW - timedelta(microseconds=999_999)),
        ({"occurred_at": "2026-03-01T11:00:00"}, NOW - timedelta(hours=1)),
        ({"occurred_at": "1990-01-01T00:00:00Z"}, datetime(1990, 1, 1, tzinfo=UTC)),
        ({"occurred_at": "2026-03-02T12:00:00Z"}, NOW + timedelta(hours=24)),
    ],
)
def test_times(sent: dict[str, Any], time: datetime) -> None:
    event = read(sent)
    assert isinstance(event, Event), event
    assert event.occurred_at == time
    assert event.occurred_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"occurred_at": "1989-12-31T23:59:59Z"}, "occurred_at is before 1990-01-01"),
        ({"occurred_at": "2026-03-02T12:00:01Z"}, "occurred_at is in the future"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at is before"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at is in the future"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": 5}, "occurred_at"),
        ({"domain": "film"}, "domain is not one of yours"),
        ({"user": ""}, "user is missing"),
        ({"user": "a\x00"}, "user has a control character"),
        ({"item": "日" * 43}, "item is longer than 128 bytes"),
        ({"event_id": " "}, "event_id is missing"),
        ({"exposure_id": "\t"}, "exposure_id is missing"),
        ({"kind": "stare"}, "kind"),
        ({"value": -1}, "value is negative"),
        ({"value": 1e13}, "value is larger than 1e+12"),
        ({"kind": "rate", "value": 101}, "value of a rate is larger than 100"),
        ({"properties": {"x": "y" * 9_000}}, "properties are longer than 8192 bytes"),
        ({"properties": [1]}, "properties"),
        ({"extra": 1}, "unknown field `extra`"),
        ('{"event_id": "1"', "truncated"),
        ("[]", "Expected `object`"),
        ("NaN", "malformed"),
        (b"\xff", ""),
        (b'{"user": "\xff"}', ""),
        ('{"a":' * 5_000, ""),
        ('{"event_id":"1","domain":"car","user":"u","item":"i","kind":"view","value":1e400}', ""),
        ('{"event_id":"1","domain":"car","user":"\\ud800","item":"i","kind":"view"}', ""),
    ],
)
def test_what_is_no_event(sent: dict[str, Any] | str | bytes, reason: str) -> None:
    bad = read(sent)
    assert isinstance(bad, BadEvent), bad
    assert reason.lower() in bad.reason.lower()
    assert "\x00" not in bad.raw
    bad.raw.encode()


def test_a_bad_row_says_whose_it_is() -> None:
    bad = read({"value": -1})
    assert isinstance(bad, BadEvent)
    assert (bad.domain, bad.event_id) == ("课程", "1")
    assert json.loads(bad.raw)["value"] == -1


def test_a_domain_of_somebody_else_is_not_believed() -> None:
    bad = read({}, allowed=("car",))
    assert isinstance(bad, BadEvent)
    assert (bad.reason, bad.domain) == ("domain is not one of yours", "")
    assert isinstance(read({}, allowed=("课程",)), Event)


def test_rows_are_answered_in_their_order() -> None:
    store = MemoryStore()
    rows = [json.dumps({**GOOD, "event_id": name, "value": value}).encode() for name, value in [("a", 1), ("b", -1)]]
    verdicts = receive(store.events, [*rows, rows[0]], RULES, NOW).result(5)
    assert [(each.id, each.status) for each in verdicts] == [("a", "accepted"), ("b", "rejected"), ("a", "duplicate")]
    assert verdicts[1].reason == "value is negative"


def test_replay_stores_what_is_good_by_the_rules_of_today() -> None:
    store = MemoryStore()
    rows = [
        json.dumps({**GOOD, "event_id": "long", "kind": "play", "value": 90_000}).encode(),
        json.dumps({**GOOD, "event_id": "bad", "value": -1}).encode(),
        json.dumps({**GOOD, "event_id": "theirs", "domain": "car"}).encode(),
        b"rubbish",
    ]
    receive(store.events, rows, RULES, NOW, allowed=("课程",)).result(5)
    later = NOW + timedelta(days=3)
    assert replay(store.events, RULES, later) == Replay(looked_at=4, no_events=1)
    lenient = EventRules(RULES.domains, CleaningConfig(max_value={"play": 100_000}))
    done = replay(store.events, lenient, later)
    assert (done, done.wrong) == (Replay(looked_at=4, stored=1, no_events=1), 2)
    stored = store.events.after(0)
    assert [(row.event.event_id, row.event.occurred_at, row.received_at) for row in stored] == [("long", NOW, later)]
    assert [row.bad.event_id for row in store.events.quarantined()] == ["bad", "theirs", ""]
    sent_again = [json.dumps({**GOOD, "event_id": "long", "kind": "play", "value": 90_000}).encode()]
    receive(store.events, sent_again, RULES, later).result(5)
    assert replay(store.events, lenient, later) == Replay(looked_at=4, duplicates=1, no_events=1)
    found = quarantine(store.events, newest=2)
    assert found.rows == 3
    assert sorted(each[0] for each in found.reasons) == ["", "", "课程"]
    assert [row.bad.event_id for row in found.newest] == ["", "theirs"]
    assert quarantine(store.events, "课程").reasons == [("课程", "value is negative", 1)]


MICROS = st.integers(-(10**15), 4 * 10**15)


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60),
    st.one_of(st.none(), MICROS),
    st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    st.sampled_from(["view", "play", "rate"]),
)
def test_one_event_and_whole_columns_are_judged_alike(
    user: str, micros: int | None, value: float | None, kind: str
) -> None:
    at = None if micros is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    event = Event(event_id="1", domain="car", user=user, item="i", kind=kind, occurred_at=at, value=value)
    frame = pl.DataFrame(
        {"user": [user], "item": ["i"], "kind": [kind], "occurred_at": [at], "value": [value], "row": [1]},
        schema_overrides={"occurred_at": pl.Datetime("us", "UTC"), "value": pl.Float64, "row": pl.Int64},
    )
    columns = unify_events(Batch(frame), SourceConfig(path="x.csv"), "view", Rules(CleaningConfig(), NOW), "s")
    reason = columns.rejected["reason"][0] if len(columns.rejected) else None
    assert RULES.problem(event, NOW) == reason
