import tomllib

import pytest

from kuajie.core.config import Config
from kuajie.core.errors import ConfigError, DataError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.space import ItemSpace
from kuajie.evaluation.tuning import Range, grid_search
from kuajie.models.als import ALSConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.trend import TrendConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.choose import ChooseConfig
from kuajie.workflows.families import families
from kuajie.workflows.tune import TuneResult, tune, validation_splits

OPTIONS = FitOptions(threads=1)


@pytest.fixture(scope="module")
def world() -> Interactions:
    return two_domain_interactions(n_people=600)[0]


def test_the_better_setting_wins(world: Interactions) -> None:
    result = tune(world, "itemknn", choices={"k": (1, 40)}, options=OPTIONS)
    values = {trial.config.k: trial.value for trial in result.tuning.trials}
    assert values[40] > values[1]
    assert result.settings["k"] == 40
    assert result.folds == 1


def test_its_lines_are_what_auto_starts_from(world: Interactions) -> None:
    result = tune(world, "itemknn", choices={"shrinkage": (3.0,)}, scope="target", target="b", options=OPTIONS)
    values = tomllib.loads(result.toml())["training"]
    config = ChooseConfig.parse(values)
    (family,) = [f for f in families(world.space, "joint", settings=config.settings) if f.name == "itemknn"]
    assert family.start == result.tuning.best.config
    assert "shrinkage" not in dict(family.moves)  # decided


def read_back(result: TuneResult, space: ItemSpace) -> Config:
    """What `auto` starts from after the lines went into kuajie.toml."""
    config = ChooseConfig.parse(tomllib.loads(result.toml())["training"])
    (family,) = [f for f in families(space, "joint", settings=config.settings) if f.name == result.family]
    return family.start


def result_of(world: Interactions, family: str, **values: object) -> TuneResult:
    """As if these had been found best."""
    (start,) = [f.start for f in families(world.space, "joint") if f.name == family]
    tuning = grid_search(start, {key: [value] for key, value in values.items()}, lambda _: 0.5)
    return TuneResult(family, tuning, start, 0.4, 10, 1)


@pytest.mark.parametrize(
    ("family", "values"),
    [
        ("itemknn", {"k": ItemKNNConfig().k, "shrinkage": ItemKNNConfig().shrinkage}),  # defaults, not the start
        ("als", {"iterations": ALSConfig().iterations}),
        ("als-prior", {"prior": False, "factors": 8}),
        ("sequence", {"trend": TrendConfig(half_life_days=4.0).model_dump(), "half_life_days": 1e-05}),
        ("popularity", {}),
    ],
)
def test_what_was_best_survives_the_file(world: Interactions, family: str, values: dict[str, object]) -> None:
    result = result_of(world, family, **values)
    assert result.unsayable == {}
    assert read_back(result, world.space) == result.tuning.best.config


def test_a_best_value_of_none_does_not_vanish(world: Interactions) -> None:
    result = result_of(world, "sequence", half_life_positions=None, steps=4)
    assert result.settings["half_life_positions"] is None
    assert result.unsayable == {"half_life_positions": None}
    assert "# half_life_positions = none" in result.toml().splitlines()
    assert read_back(result, world.space) == result.tuning.best.config.model_copy(
        update={"half_life_positions": result.start_config.half_life_positions}
    )


def test_small_data_is_cross_validated() -> None:
    small = two_domain_interactions(n_people=60)[0]
    assert len(validation_splits(small, 0, 1_000)) == 5
    assert tune(small, "itemknn", choices={"k": (10,)}, options=OPTIONS).folds == 5


def test_optuna_searches_ranges(world: Interactions) -> None:
    pytest.importorskip("optuna")
    result = tune(world, "itemknn", method="optuna", trials=3, choices={"k": Range(5, 40, whole=True)}, options=OPTIONS)
    assert len(result.tuning.trials) == 3


def test_mistakes_are_named(world: Interactions) -> None:
    with pytest.raises(UsageError, match="no family 'itemkn'"):
        tune(world, "itemkn", options=OPTIONS)
    with pytest.raises(UsageError, match="no domain 'c'"):
        tune(world, "itemknn", target="c", options=OPTIONS)
    with pytest.raises(UsageError, match="needs --method optuna"):
        tune(world, "itemknn", choices={"k": Range(1, 2)}, options=OPTIONS)
    with pytest.raises(ConfigError, match="'neighbours' is not a known key"):
        tune(world, "itemknn", choices={"neighbours": (1,)}, options=OPTIONS)
    with pytest.raises(ConfigError, match="names nobody"):
        families(world.space, "joint", settings={"nobody": {"k": 1}})
    lonely = Interactions(ItemSpace(("a",), (2,)), Histories.from_lists([[0], [1]] * 300, 2))
    with pytest.raises(DataError, match="nothing to validate on"):
        tune(lonely, "itemknn", choices={"k": (1,)}, options=OPTIONS)
