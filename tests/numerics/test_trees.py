import numpy as np
import pytest

from kuajie.core.errors import ArtifactError
from kuajie.core.recommender import FitOptions
from kuajie.models.ranker_trees import Boosting, Groups, grow, trees_of
from kuajie.numerics.trees import Trees

lightgbm = pytest.importorskip("lightgbm", reason="the extra ml is not installed")


def groups(n_groups: int = 60, size: int = 20, seed: int = 0) -> Groups:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_groups * size, 4)).astype(np.float32)
    rows[:, 3] = 1.0  # a feature of one value
    rows[rng.random(rows.shape) < 0.15] = np.nan
    best = np.nan_to_num(rows[:, 0], nan=0.4) + 0.5 * rng.normal(size=len(rows))
    relevant = np.zeros(len(rows), bool)
    relevant[np.arange(n_groups) * size + best.reshape(n_groups, size).argmax(axis=1)] = True
    return Groups(rows, relevant, np.full(n_groups, size))


@pytest.mark.parametrize("objective", ["lambdarank", "regression"])
@pytest.mark.parametrize("known", [True, False])
def test_sums_equal_those_of_lightgbm_to_the_last_bit(objective: str, known: bool) -> None:
    data = groups()
    rows = np.nan_to_num(data.rows, nan=0.0) if known else data.rows
    train = lightgbm.Dataset(rows, data.relevant.astype(int), group=data.sizes)
    settings = {"objective": objective, "verbosity": -1, "min_data_in_leaf": 5, "num_threads": 1}
    booster = lightgbm.train(settings, train, 40)
    asked = np.concatenate([rows, data.rows, np.array([[np.nan] * 4, [np.inf] * 4, [-np.inf] * 4, [0.0] * 4])]).astype(
        np.float32
    )
    got = trees_of(booster.model_to_string(), 4).predict(asked, threads=2)
    np.testing.assert_array_equal(got, booster.predict(asked, raw_score=True, num_threads=1))
    assert len(np.unique(got)) > 10


def test_trees_without_a_split_are_leaves() -> None:
    data = groups(n_groups=5)
    trees = grow(data, data, Boosting(rounds=3, least_rows=10_000), FitOptions(threads=1))
    assert len(np.unique(trees.predict(data.rows))) == 1


def test_growing_puts_what_was_used_first() -> None:
    train, other = groups(200, seed=1), groups(60, seed=2)
    trees = grow(train, groups(60, seed=3), Boosting(rounds=40, least_rows=10), FitOptions(threads=1))
    best = trees.predict(other.rows).reshape(60, 20).argmax(axis=1)
    hits = other.relevant.reshape(60, 20)[np.arange(60), best].mean()
    assert hits > 0.3  # by chance: 0.05


def test_the_arrays_hold_all_of_it() -> None:
    data = groups()
    trees = grow(data, data, Boosting(rounds=5, least_rows=10), FitOptions(threads=1))
    again = Trees.from_arrays(trees.arrays(), 4)
    np.testing.assert_array_equal(again.predict(data.rows), trees.predict(data.rows))
    assert all(np.isfinite(array).all() for array in trees.arrays().values())


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("left", 0, 0),
        ("left", 0, 10_000),
        ("right", 0, ~10_000),
        ("features", 0, 4),
        ("unknown", 0, 3),
        ("roots", 0, 99_999),
    ],
)
def test_trees_that_are_none_are_refused(name: str, place: int, value: int) -> None:
    data = groups()
    arrays = grow(data, data, Boosting(rounds=5, least_rows=10), FitOptions(threads=1)).arrays()
    broken = arrays[name].copy()
    broken[place] = value
    with pytest.raises(ArtifactError, match="not trees"):
        Trees.from_arrays(arrays | {name: broken}, 4)
    with pytest.raises(ArtifactError):
        Trees.from_arrays({key: array for key, array in arrays.items() if key != name}, 4)
