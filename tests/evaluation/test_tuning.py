import sys

import pytest

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError, JobError, MissingExtraError, ResourceError, UsageError
from kuajie.evaluation.tuning import Range, changed, grid, grid_search, optuna_search


class Inner(Config):
    half_life: float | None = None


class Settings(Config):
    neighbours: int = 10
    name: str = "均值"
    inner: Inner = Inner()


def objective(config: Settings) -> float:
    return -((config.neighbours - 30) ** 2) - (config.inner.half_life or 0)


def test_the_grid_holds_every_combination() -> None:
    configs = list(grid(Settings(), {"neighbours": [1, 2], "inner.half_life": [None, 3.0]}))
    assert [(c.neighbours, c.inner.half_life) for c in configs] == [(1, None), (1, 3.0), (2, None), (2, 3.0)]
    assert list(grid(Settings(), {})) == [Settings()]


def test_unknown_keys_and_wrong_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="'neighbors' is not a known key"):
        changed(Settings(), {"neighbors": 3})
    with pytest.raises(ConfigError, match="neighbours"):
        changed(Settings(), {"neighbours": "many"})
    with pytest.raises(UsageError, match="low <= high"):
        Range(0, 1, log=True)


def test_grid_search_finds_the_highest_value_and_says_how_far_it_is() -> None:
    said = []
    found = grid_search(Settings(), {"neighbours": [10, 30, 50]}, objective, progress=lambda *told: said.append(told))
    assert found.best.config.neighbours == 30
    assert found.complete
    assert said == [("tuning", 1, 3), ("tuning", 2, 3), ("tuning", 3, 3)]


def test_what_does_not_fit_is_skipped_and_named() -> None:
    def heavy(config: Settings) -> float:
        if config.neighbours > 20:
            raise ResourceError("30 neighbours need 9 GB, there are 8")
        return 1.0

    found = grid_search(Settings(), {"neighbours": [10, 30]}, heavy)
    assert found.skipped == ("30 neighbours need 9 GB, there are 8",)
    assert len(found.trials) == 1


def test_the_budget_stops_new_trials() -> None:
    clock = iter(range(100))
    found = grid_search(
        Settings(), {"neighbours": [1, 2, 3, 4]}, objective, budget_seconds=5, timer=lambda: float(next(clock))
    )
    assert not found.complete
    assert 0 < len(found.trials) < 4
    assert "of 4 configs" in found.skipped[0]
    with pytest.raises(JobError, match="no config could be tried"):
        _ = grid_search(Settings(), {}, objective, budget_seconds=0).best


def test_optuna_beats_its_first_guess_and_repeats_itself() -> None:
    space = {"neighbours": Range(1, 100, whole=True), "inner.half_life": [None, 5.0], "name": ["均值", "和"]}
    first, again = (optuna_search(Settings(), space, objective, trials=30, seed=3) for _ in range(2))
    assert abs(first.best.config.neighbours - 30) <= 5
    assert [trial.config for trial in first.trials] == [trial.config for trial in again.trials]


def test_optuna_takes_logarithmic_ranges_and_skips_what_does_not_fit() -> None:
    def heavy(config: Settings) -> float:
        if config.neighbours > 50:
            raise ResourceError("too many")
        return float(config.neighbours)

    found = optuna_search(Settings(), {"neighbours": Range(1, 1_000, log=True, whole=True)}, heavy, trials=15)
    assert len(found.trials) + len(found.skipped) == 15
    assert found.trials


def test_without_optuna_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kuajie\[ml\]"'):
        optuna_search(Settings(), {}, objective)
