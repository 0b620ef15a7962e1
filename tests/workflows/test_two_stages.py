"""`auto` takes a ranker where validation says that it pays, and only there."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.evaluation.protocols import Split, leave_one_out
from kuajie.models.blend import BlendConfig, Member, Mix
from kuajie.models.popularity import Popularity, PopularityConfig
from kuajie.models.ranker import Ranker, RankerConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.refit import blend_of_version, note_of
from kuajie.workflows.two_stages import answer_milliseconds, over, try_ranker

pytest.importorskip("lightgbm", reason="the extra ml is not installed")
OPTIONS = FitOptions(threads=1)
BLEND = BlendConfig(
    members=(Member(name="popular", model=PopularityConfig(), scope="target"),),
    mixes=tuple(Mix(target=target, weights={"popular": 1.0}) for target in ("课程", "b")),
)


def split_of(described: bool, seed: int = 0, n_people: int = 900) -> Split:
    """People use one category of each domain, which the catalogue may say; popularity knows nothing of it."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(80) % 4
    rows = []
    for person in range(n_people):
        chosen = [d * 40 + rng.choice(np.flatnonzero(kinds[:40] == person % 4), 4, replace=False) for d in (0, 1)]
        rows.append(rng.permutation(np.concatenate(chosen)).tolist())
    times = [(1.7e9 + 86_400 * (np.arange(8) + rng.random())).tolist() for _ in rows]
    histories = Histories.from_lists(rows, 80, times=times, at=[t[-1] + 1 for t in times], order="joint")
    labels = {"category": Labels.of([f"类{kind}" if described else "同类" for kind in kinds])}
    data = Interactions(ItemSpace(("课程", "b"), (40, 40)), histories, SideInformation(80, labels=labels))
    return leave_one_out(data, np.random.default_rng(1))


def test_it_is_taken_where_it_pays() -> None:
    split = split_of(described=True)
    config, gains, skipped = try_ranker(BLEND, split.train, split.tasks, OPTIONS, 10, 60.0)
    assert config is not None
    assert set(config.targets) == {"课程", "b"}
    assert all(gain.low > 0.05 for gain in gains.values())
    assert not skipped


def test_it_stays_out_where_it_does_not() -> None:
    split = split_of(described=False)
    config, gains, _ = try_ranker(BLEND, split.train, split.tasks, OPTIONS, 10, 60.0)
    assert set(gains) == {"课程", "b"}
    paying = [target for target, gain in gains.items() if gain.pays]
    assert paying == list(() if config is None else config.targets)
    assert all(abs(gain.gain) < 0.1 for gain in gains.values())


def test_it_is_not_taken_where_answers_would_be_too_slow() -> None:
    split = split_of(described=True, n_people=300)
    config, gains, skipped = try_ranker(BLEND, split.train, split.tasks, OPTIONS, 10, 60.0, milliseconds=1e-6)
    assert config is None
    assert not gains
    assert [str(each).split(", of")[1] for each in skipped] == [" 1e-06 that 'rerank_milliseconds' allows"] * 2
    assert all(isinstance(each.values["took"], float) and each.values["took"] > 0.01 for each in skipped)


def test_answers_are_timed_at_one_moment() -> None:
    split = split_of(described=True, n_people=60)
    asked = []

    class Watched(Popularity):
        def score(self, histories: Histories, target: str) -> np.ndarray:
            assert histories.at is not None
            asked.append(histories.at.tolist())
            return super().score(histories, target)

    model = Watched(PopularityConfig()).fit(split.train)
    histories = split.tasks["b"].histories
    assert len(answer_milliseconds(model, histories, "b", people=4, explain=False)) == 4
    assert asked == [[histories.at.max()]] * 5
    assert len(answer_milliseconds(model, histories.take([0, 1]), "b")) == 2


def test_it_is_not_tried_without_the_time_for_it() -> None:
    split = split_of(described=True, n_people=100)
    config, gains, skipped = try_ranker(BLEND, split.train, split.tasks, OPTIONS, 10, 0.001)
    assert config is None
    assert not gains
    assert "s more than are left" in str(skipped[0])


@pytest.mark.parametrize(
    ("seconds", "rerank", "tried"), [(200.0, "auto", True), (200.0, "never", False), (5.0, "auto", False)]
)
def test_auto_tries_it_where_time_is_granted(seconds: float, rerank: str, tried: bool) -> None:
    data = two_domain_interactions(n_people=300)[0]
    split = leave_one_out(data, np.random.default_rng(0))
    config = ChooseConfig(seconds=seconds, people=300, rows=100, tuning_rows=50, kinds=("itemknn",), rerank=rerank)
    choice = choose(split.train, split.tasks, OPTIONS, config=config)
    assert bool(choice.gains) == tried
    assert choice.config == (choice.ranker or choice.blend)
    if tried:
        assert choice.summary("b")["ranker"]["used"] == choice.gains["b"].pays


def test_what_was_not_tried_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    split = split_of(described=True, n_people=100)
    clock = iter([0.0, 1.0, 99.0])
    monkeypatch.setattr("kuajie.workflows.two_stages.time.monotonic", lambda: next(clock, 99.0))
    _, gains, skipped = try_ranker(BLEND, split.train, split.tasks, OPTIONS, 10, 60.0)
    assert len(gains) == 1
    assert [str(each) for each in skipped] == [
        f"ranker: not tried for {list(split.tasks)[1]}, the time of choosing was over"
    ]


def test_no_blend_is_fitted_where_lightgbm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    split = split_of(described=True, n_people=100)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    monkeypatch.setattr("kuajie.workflows.two_stages.build", lambda _: pytest.fail("nothing is built"))
    config, gains, skipped = try_ranker(BLEND, split.train, split.tasks, OPTIONS, 10, 60.0)
    assert (config, gains) == (None, {})
    assert "kuajie[ml]" in str(skipped[0])


def test_the_loop_finds_the_blend_below_a_ranker_and_says_what_is_left_out() -> None:
    ranker, space = Ranker(over(BLEND)), ItemSpace(("课程", "b"), (40, 40))
    assert blend_of_version(SimpleNamespace(model=ranker), space) == BLEND
    assert blend_of_version(SimpleNamespace(model=ranker), ItemSpace(("别的",), (3,))) is None
    assert blend_of_version(SimpleNamespace(model=Ranker(RankerConfig())), space) is None
    assert "second stage" in str(note_of(ranker))
    assert note_of(Popularity(PopularityConfig())) is None
