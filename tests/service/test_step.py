"""A step after new events: the same blend as a fit on everything, with less work."""

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kuajie.api import import_data, newest_dataset, refit
from kuajie.bootstrap import model_store
from kuajie.core.clock import system_clock
from kuajie.core.recommender import FitOptions
from kuajie.models.als import ALSConfig
from kuajie.models.blend import Blend, BlendConfig, Member, Mix
from kuajie.models.ease import EASEConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.ridge import RidgeConfig
from kuajie.workflows.refit import fit_again
from kuajie.workflows.step import Earlier, Step
from kuajie.workflows.workspace import Workspace

from .conftest import Running, _run, with_sqlite

OPTIONS = FitOptions(threads=1)
EXACT = {"knn": 1.0, "knn-own": 0.5, "ease": 1.0, "ridge": 1.0, "pop": 0.1}


def blend(**more: float) -> BlendConfig:
    members = (
        Member(name="knn", model=ItemKNNConfig()),
        Member(name="knn-own", model=ItemKNNConfig(), scope="target"),
        Member(name="ease", model=EASEConfig()),
        Member(name="ridge", model=RidgeConfig(), scope="source"),
        Member(name="pop", model=PopularityConfig(), scope="target"),
        Member(name="als", model=ALSConfig(factors=8)),
    )
    mixes = tuple(Mix(target=target, weights={**EXACT, **more}) for target in ("courses", "car"))
    return BlendConfig(members=members, mixes=mixes)


def stepped(running: Running, config: BlendConfig) -> tuple[Any, Any, list[str]]:
    """The model after a step, that of a fit on everything, and how the members were made."""
    workspace = running.service.workspace
    models, first = model_store(workspace), newest_dataset(workspace)
    step = Step(first.catalog)
    old = fit_again(first, models, config, OPTIONS, step, based_on="", chosen_at=system_clock())
    assert set(step.how) <= {"summed", "anew"}
    for number in range(12):
        running.event(number, f"{number:04d}", f"课{(number * 7) % 20}")
        running.event(f"n{number}", "新人", f"课{number}")
    new_item = {"domain": "courses", "item": "000新", "title": "排在最前"}
    assert running.ask("PUT", "/v1/items", {"items": [new_item]}).json()["accepted"] == 1
    running.event("new", "新人", "000新")
    import_data(workspace)
    second = newest_dataset(workspace)
    assert second.space.n_items == first.space.n_items + 1
    earlier = Earlier(models.load(old.model_version).model, first, models.sums(old.model_version))
    after = Step(second.catalog, earlier)
    made = fit_again(second, models, config, OPTIONS, after, based_on=old.model_version, chosen_at=system_clock())
    wanted = Blend(config).fit(second.interactions(), OPTIONS)
    histories = second.interactions().histories.take(np.arange(60))
    got = models.load(made.model_version).model
    scores = [
        np.concatenate([model.score(histories, target) for target in ("courses", "car")], axis=1)
        for model in (got, wanted)
    ]
    return scores[0], scores[1], after.how


@pytest.fixture
def live(workspace: Workspace) -> Iterator[Running]:
    """Over SQLite, which an import reads."""
    yield from _run(with_sqlite(workspace))


def test_members_that_follow_from_sums_are_exact(live: Running) -> None:
    got, wanted, how = stepped(live, blend())
    assert sorted(how) == ["anew"] * 2 + ["updated"] * 5  # popularity of both; knn of three kinds, ease, ridge
    np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=1e-4 * np.nanmax(np.abs(wanted)))


def test_members_that_are_learned_go_on(fast: Running) -> None:
    # a store in memory is not imported: only what the files say
    workspace = fast.service.workspace
    models, dataset, config = model_store(workspace), newest_dataset(workspace), blend(als=1.0)
    first = fit_again(dataset, models, config, OPTIONS, Step(dataset.catalog), based_on="", chosen_at=system_clock())
    result = refit(workspace)
    assert result.version.based_on == first.model_version
    assert sorted(result.how) == ["anew"] * 2 + ["updated"] * 5 + ["warm"]
    histories = dataset.interactions().histories.take(np.arange(80))
    for target in ("courses", "car"):
        before, after = (
            models.load(name).model.score(histories, target)
            for name in (first.model_version, result.version.model_version)
        )
        alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(before, after, strict=True)]
        assert min(alike) > 0.98


def test_without_the_snapshot_before_everything_is_fitted_anew(fast: Running) -> None:
    workspace = fast.service.workspace
    models = model_store(workspace)
    refit(workspace)
    before = models.load().version
    config = workspace.root / "car.csv"
    config.write_text(config.read_text(encoding="utf-8") + "车7,🚗0,2026-01-01T00:00:00+00:00\n", encoding="utf-8")
    import_data(workspace, store=False)
    shutil.rmtree(workspace.warehouse / before.snapshot_id)
    result = refit(workspace)
    assert set(result.how) <= {"summed", "anew"}
    assert result.version.snapshot_id != before.snapshot_id
