"""`auto` takes a ranker where validation says that it pays, and only there."""

import numpy as np
import pytest

from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.evaluation.protocols import Split, leave_one_out
from kuajie.models.blend import BlendConfig, Member, Mix
from kuajie.models.popularity import PopularityConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.choose import ChooseConfig, choose
from kuajie.workflows.two_stages import try_ranker

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
