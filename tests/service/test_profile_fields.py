"""The profile route: fields with source, sureness and expiry, of the caller's own domains alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from kuajie.core.histories import Histories
from kuajie.profiles.config import ProfilesConfig
from kuajie.workflows.live import Person
from kuajie.workflows.profile import profiler_of
from kuajie.workflows.segment_people import segment_people

from .conftest import Running


class Kept:
    """An audience store in memory."""

    def save(self, audience: object) -> None:
        self.audience = audience

    def load(self) -> object:
        return self.audience


def fields(profile: dict[str, object]) -> dict[str, dict[str, object]]:
    return {field["name"]: field for field in profile["fields"]}  # type: ignore[attr-defined]


def test_fields_say_where_they_come_from(fast: Running, token: Callable[..., str]) -> None:
    own = token("courses")
    old = fields(fast.ask("GET", "/v1/people/courses/0007/profile", token=own).json())
    assert "expired" in old["domain_mix"]["note"], "the events of this world are of another year"
    fast.event("p-0", "0007", "课3", token=own)
    profile = fast.ask("GET", "/v1/people/courses/0007/profile", token=own).json()
    assert {"accounts", "attributes", "categories", "recent", "elsewhere", "degraded"} <= profile.keys()
    found = fields(profile)
    assert found["domain_mix"]["value"] == "courses"
    assert found["domain_mix"]["details"] == {"courses": 1.0, "car": 0.0}, "nothing of another's domain is known"
    assert found["interest"]["value"] is None
    assert "kuajie profile --fit" in found["interest"]["note"]
    assert all(0 <= field["sureness"] <= 1 for field in found.values())
    assert found["value_tier"]["value"] is None, "nothing was bought here"


def test_an_event_of_a_second_ago_counts(fast: Running, token: Callable[..., str]) -> None:
    secret = token("courses")
    fast.event("p-1", "画像新人", "课3", token=secret)
    found = fields(fast.ask("GET", "/v1/people/courses/画像新人/profile", token=secret).json())
    assert found["activity"]["details"]["events"] == 1
    assert found["life_cycle"]["value"] == "new"


def test_segments_come_with_an_audience(fast: Running, token: Callable[..., str]) -> None:
    fast.event("p-2", "0008", "课3", token=token("courses"))
    deployment = fast.service.deployment
    before = deployment.now
    audience = segment_people(before.dataset, Kept(), ProfilesConfig(topics=4, segments=(2, 5)))  # type: ignore[arg-type]
    deployment.now = replace(before, profiler=profiler_of(before.dataset, audience, ProfilesConfig()))
    try:
        found = fields(fast.ask("GET", "/v1/people/courses/0008/profile", token=token("courses")).json())
    finally:
        deployment.now = before
    assert found["segment"]["details"]["number"] >= 1
    assert found["segment"]["source"] == "segment model"
    assert found["interest"]["sureness"] > 0


def test_sensitive_attributes_stay_unsaid(fast: Running, token: Callable[..., str]) -> None:
    secret = token("courses")
    people = [{"account": {"domain": "courses", "user": "0009"}, "attributes": {"age_band": "25-34", "爱好": "园艺"}}]
    assert fast.ask("PUT", "/v1/people", {"people": people}, token=secret).status_code == 200
    profile = fast.ask("GET", "/v1/people/courses/0009/profile", token=secret).json()
    assert profile["attributes"] == {"爱好": "园艺"}
    assert fields(profile)["爱好"]["source"] == "declared"
    assert "age_band" not in fields(profile)


def test_a_profile_holds_nothing_that_others_did(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    live = running.service.deployment.now.live
    whole = live.history

    def borrowed(person: Person, now: datetime) -> Histories:
        history = whole(person, now)
        return replace(history, borrowed=np.arange(len(history.items)) > 0)

    monkeypatch.setattr(live, "history", borrowed)
    profile = running.ask("GET", "/v1/people/courses/0007/profile").json()
    assert len(profile["recent"]) == 1
