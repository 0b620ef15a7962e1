"""What exploring steps learn: every list once, when it has settled, by the ids of items, and after a restart too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kuajie.core.errors import ArtifactError, ResourceError
from kuajie.core.histories import Histories
from kuajie.core.records import Account, Event, Exposure, RankedItem, RankedList
from kuajie.data.catalog import Catalog
from kuajie.rerank.base import Items
from kuajie.rerank.linucb import LinUCB, LinUCBConfig, Ridge
from kuajie.rerank.pipeline import RerankConfig
from kuajie.rerank.thompson import Answers, ThompsonConfig
from kuajie.storage.learned import LearnedFile
from kuajie.testing.memory_store import MemoryStore
from kuajie.workflows import learned
from kuajie.workflows.learned import Learned, Learner, relevance_of, relevance_tag, states_of
from kuajie.workflows.shape import Shaping

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOBODY = Histories.from_lists([[]], 13)


def catalog(first: int = 0) -> Catalog:
    """Twelve car parts, from some number on, and a course in front of them."""
    items = ["课", *sorted(f"件{number}" for number in range(first, first + 12))]
    told = {"domain": ["courses"] + ["car"] * 12, "item": items, "brand": [""] + ["甲", "乙"] * 6}
    return Catalog.of(pl.DataFrame(told), ("courses", "car"))


@dataclass
class Kept:
    """The file, in memory."""

    learned: Learned | None = None
    saved: int = 0

    def load(self) -> Learned | None:
        return self.learned

    def save(self, learned: Learned) -> None:
        self.learned, self.saved = learned, self.saved + 1


def shaping(*steps: dict, first: int = 0) -> Shaping:
    made = Shaping.of(RerankConfig.parse({"steps": list(steps)}), catalog(first), np.arange(13.0))
    assert made is not None
    return made


def ranked(name: str, minutes: int = 0) -> RankedList:
    items = [RankedItem(domain="car", item=f"件{number}", title="", score=20.0 - number) for number in range(12)]
    made = NOW + timedelta(minutes=minutes)
    who = Account(domain="courses", user="张三")
    return RankedList(
        list_id=name, account=who, target="car", model_version="v", created_at=made, items=tuple(items)
    )  # fmt: skip


def tell(
    store: MemoryStore, shown: RankedList, seen: Sequence[str], answered: Sequence[str], kind: str = "click"
) -> None:
    store.shown.save_lists([shown])
    store.shown.save_exposures(
        [
            Exposure(
                exposure_id=f"{shown.list_id}-{item}", list_id=shown.list_id, placement="", position=0,
                occurred_at=NOW, domain="car", item=item,
            )
            for item in seen
        ]
    )  # fmt: skip
    events = [
        Event(
            event_id=f"{shown.list_id}-{item}-{kind}", domain="car", user="x", item=item, kind=kind,  # type: ignore[arg-type]
            exposure_id=f"{shown.list_id}-{item}",
        )
        for item in answered
    ]  # fmt: skip
    store.events.append(events, NOW)


def settle(learner: Learner, made: Shaping, minutes: float) -> None:
    while learner.round(made.catalog, made.items, NOW + timedelta(minutes=minutes)):
        pass


def test_a_list_counts_once_when_it_has_settled() -> None:
    store, kept, made = MemoryStore(), Kept(), shaping({"kind": "thompson"})
    learner = Learner(ThompsonConfig(), 60, 1, store.shown, kept)
    for number in range(7):
        shown = made.shaped(ranked(f"l{number}", number), 4, NOBODY)
        items = [each.item for each in shown.items]
        tell(store, shown, items[:3], items[:1] if number % 2 else [])
        tell(store, shown, [], items[1:2], "dismiss")
        tell(store, ranked(f"other{number}", number), items, items)  # another step made it
        if number % 2:
            tell(store, shown, [], items[:1], "purchase")  # the same showing, answered twice
    settle(learner, made, 59)
    assert not learner.learned.answers
    assert kept.saved == 0
    settle(learner, made, 63)
    assert sum(shown for shown, _ in learner.learned.answers["car"].values()) == 9, "those of minutes 0, 1, 2"
    for _ in range(3):
        settle(learner, made, 200)
    counts = learner.learned.answers["car"]
    assert sum(shown for shown, _ in counts.values()) == 21
    assert sum(answered for _, answered in counts.values()) == 3
    assert kept.learned is learner.learned
    again = Learner(ThompsonConfig(), 60, 1, store.shown, kept)
    settle(again, made, 300)
    assert again.learned.answers["car"] == counts
    far = Learner(ThompsonConfig(), 60, 1, store.shown, Kept())
    settle(far, made, 60 * 24 + 63.5)
    assert sum(shown for shown, _ in far.learned.answers["car"].values()) == 9, "older lists are not looked for"


def test_many_lists_are_read_bundle_by_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "TOGETHER", 3)
    store, made = MemoryStore(), shaping({"kind": "thompson"})
    for number in range(10):
        shown = made.shaped(ranked(f"l{number}", minutes=number // 4), 2, NOBODY)
        tell(store, shown, [each.item for each in shown.items], [])
    learner = Learner(ThompsonConfig(), 60, 1, store.shown, Kept())
    settle(learner, made, 100)
    assert sum(shown for shown, _ in learner.learned.answers["car"].values()) == 20


def test_what_is_answered_comes_first_and_outlives_a_version() -> None:
    step = {"kind": "thompson", "weight": 2, "epsilon": 0.0}
    store, made = MemoryStore(), shaping(step)
    learner = Learner(ThompsonConfig.model_validate(step), 60, 1, store.shown, Kept())

    def first(now: Shaping) -> float:
        lists = [now.shaped(ranked(f"q{number}"), 4, NOBODY) for number in range(60)]
        return float(np.mean([each.items[0].item == "件5" for each in lists]))

    assert first(made) < 0.3
    for number in range(200):
        shown = made.shaped(ranked(f"l{number}"), 6, NOBODY)
        items = [each.item for each in shown.items]
        tell(store, shown, items, [item for item in items if item == "件5"])
    settle(learner, made, 61)
    made.teach(learner.learned)
    assert first(made) > 0.95
    last = made.shaped(ranked("q"), 4, NOBODY)
    assert last.items[0].propensity is not None
    assert last.items[0].propensity > 0.95
    assert last.tags == ("rerank:thompson",)
    newer = shaping(step, first=4)
    newer.inherit(made)
    assert first(newer) > 0.95, "numbered otherwise"
    known = states_of(learner.learned, ThompsonConfig(), newer.catalog)["car"]
    assert isinstance(known, Answers)
    place = newer.catalog.number("car", "件5")
    assert (known.shown[place], known.answered[place]) == learner.learned.answers["car"]["件5"]
    gone = [answer for item, answer in learner.learned.answers["car"].items() if item not in newer.catalog.ids["car"]]
    assert gone
    assert known.shown.sum() + sum(shown for shown, _ in gone) == 1_200


def test_what_was_learned_of_a_target_reaches_no_other_step() -> None:
    """The file still knows car parts, but now the step learns of courses alone and another one is the last for them."""
    thompson = {"kind": "thompson", "targets": ["courses"]}
    now = shaping({"kind": "fairness"}, thompson)
    known = Learned(answers={"car": {"件0": (3.0, 1.0)}, "courses": {"课": (2.0, 1.0)}})
    before = now.shaped(ranked("l"), 4, NOBODY)
    now.teach(known)
    assert now.shaped(ranked("l"), 4, NOBODY) == before
    assert before.tags == ("rerank:fairness",)
    assert list(states_of(known, ThompsonConfig.model_validate(thompson), now.catalog)) == ["courses"]
    assert list(states_of(known, ThompsonConfig(), now.catalog)) == ["courses", "car"]


def test_linucb_learns_what_it_saw() -> None:
    step = LinUCBConfig(features=("popularity",), epsilon=0.3)
    store, made = MemoryStore(), shaping({"kind": "linucb", "epsilon": 0.3})
    learner, wanted = Learner(step, 60, 1, store.shown, Kept()), Ridge.none(3)
    for number in range(30):
        shown = made.shaped(ranked(f"l{number}"), 5, NOBODY)
        assert len(shown.items) == 5
        items = [each.item for each in shown.items]
        answered = [item for item in items if int(item[1:]) > 6]
        tell(store, shown, items, answered)
        own = np.array([made.catalog.number("car", item) for item in items], np.int32)
        spread = (np.arange(13.0)[own] - 6) / np.arange(13.0).std()
        relevance = [(11 - int(item[1:])) / 11 for item in items]
        x = np.column_stack([np.ones(5), relevance, spread])
        wanted += Ridge.of(x, np.array([item in answered for item in items], float))
        assert shown.tags[0] == "rerank:linucb"
        np.testing.assert_allclose(relevance_of(shown), relevance, atol=1e-4)
    settle(learner, made, 61)
    state = states_of(learner.learned, step, made.catalog)["car"]
    assert isinstance(state, Ridge)
    np.testing.assert_allclose(state.products, wanted.products, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(state.rewards, wanted.rewards, rtol=1e-3, atol=1e-3)
    assert state.shown == 150
    made.teach(learner.learned)
    assert {each.item for each in made.shaped(ranked("q"), 3, NOBODY).items} <= {f"件{n}" for n in range(5, 12)}
    other = LinUCBConfig(features=("popularity", "domain_number"))
    assert states_of(learner.learned, other, made.catalog) == {}, "of other features"
    assert states_of(learner.learned, ThompsonConfig(), made.catalog) == {}


def test_x_of_candidates_is_x_of_what_was_seen() -> None:
    step = LinUCB(LinUCBConfig())
    facts = Items(numbers={"popularity": np.array([1.0, 2.0, 6.0])})
    x = step.x(np.array([[1.0, 0.5]]), np.array([[2, -1]], np.int32), facts)
    np.testing.assert_allclose(x, [[[1, 1, (6 - 3) / np.std([1, 2, 6])], [1, 0.5, 0]]])


@pytest.mark.parametrize("tag", ["relevance:1 0.5", "relevance:a b c", "relevance:", "relevance:1 2 0.5", "别的"])
def test_what_does_not_fit_the_list_is_not_learned(tag: str) -> None:
    three = RankedList(
        list_id="l", account=Account(domain="a", user="b"), target="car", model_version="v", created_at=NOW,
        items=ranked("l").items[:3], tags=("rerank:linucb", tag),
    )  # fmt: skip
    assert relevance_of(three) is None
    store, made = MemoryStore(), shaping({"kind": "linucb"})
    tell(store, three, ["件0"], [])
    learner = Learner(LinUCBConfig(), 60, 1, store.shown, Kept())
    settle(learner, made, 61)
    assert not learner.learned.ridges
    assert relevance_tag([1, 0.12345, 0]) == "relevance:1.0000 0.1235 0.0000"


def test_sums_are_kept_in_a_file_and_damage_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = LearnedFile.of(tmp_path)
    assert file.load() is None
    store, made = MemoryStore(), shaping({"kind": "linucb"})
    learner = Learner(LinUCBConfig(), 60, 1, store.shown, file)
    shown = made.shaped(ranked("l"), 5, NOBODY)
    tell(store, shown, [each.item for each in shown.items], [])
    settle(learner, made, 61)
    learner.learned.answers["车"] = {"件0": (3.0, 1.0)}
    file.save(learner.learned)
    assert file.load() == learner.learned
    good = file.place.read_text(encoding="utf-8")
    for bad in ("{", good.replace("[3.0,1.0]", "[1.0,3.0]"), good.replace('"format":1', '"format":2'),
                good.replace('"rewards":[0.0,', '"rewards":['), good.replace('"shown":5', '"shown":-5')):  # fmt: skip
        assert bad != good
        file.place.write_text(bad, encoding="utf-8")
        with pytest.raises(ArtifactError, match="learned again from the lists"):
            file.load()
    again = Learner(LinUCBConfig(), 60, 1, store.shown, file)
    assert "does not hold what exploration has learned" in caplog.text
    settle(again, made, 61)
    assert again.learned.ridges == learner.learned.ridges
    loaded = file.load()
    assert loaded is not None
    assert loaded.ridges == again.learned.ridges


def test_a_file_that_may_not_be_read_does_not_keep_the_service_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = LearnedFile.of(tmp_path)
    file.place.mkdir(parents=True)  # the disk refuses to read a folder, also to those who may read everything
    with pytest.raises(ResourceError):
        file.load()
    learner = Learner(ThompsonConfig(), 60, 1, MemoryStore().shown, file)
    assert learner.learned == Learned()
    assert str(file.place) in caplog.text
