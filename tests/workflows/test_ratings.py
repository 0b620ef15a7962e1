"""Ratings: reading them, biases, and telling the test rows; mf where torch is installed."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kuajie.cli.main import app
from kuajie.core.errors import DataError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.space import ItemSpace
from kuajie.data.split_ratings import carve, open_ratings, rated_interactions
from kuajie.evaluation.ratings import Biases, tell
from kuajie.testing.splits import write_split_folder
from kuajie.workflows.ratings import benchmark_ratings


def rated_folder(folder: Path, n_people: int = 60, seed: int = 0) -> Path:
    """Ratings that are a mean, the item's and the person's bias in both domains, and noise."""
    rng = np.random.default_rng(seed)
    person, tables = rng.normal(size=n_people), {}
    for domain in ("书", "music"):
        item = rng.normal(size=12)
        train, test = [], []
        for user in range(n_people):
            chosen = rng.permutation(12)[:7]
            ratings = 3 + person[user] + item[chosen] + 0.1 * rng.normal(size=7)
            entries = [(user, int(i), float(r)) for i, r in zip(chosen, ratings, strict=True)]
            test.append(entries[0])
            train += entries[1:]
        for part, rows in (("train", train), ("test", test)):
            columns = zip(*rows, strict=True)
            tables[f"{domain}_{part}"] = dict(zip(("user", "item", "rating"), columns, strict=True))
    return write_split_folder(folder, tables)


def test_biases_tell_what_is_made_of_biases(tmp_path: Path) -> None:
    found = benchmark_ratings(rated_folder(tmp_path), ("mean", "biases", "biases:target"))
    for each in found.domains.values():
        rmse = {name: result["rmse"] for name, result in each["models"].items()}
        assert rmse["biases"] < 0.5 * rmse["mean"]
        assert rmse["biases"] < rmse["biases:target"]  # the person's bias is told by both domains
        low, high = each["models"]["biases"]["ci95"]["rmse"]
        assert low < rmse["biases"] < high


def test_ratings_are_read_as_they_stand(tmp_path: Path) -> None:
    split = open_ratings(rated_folder(tmp_path))
    rated = rated_interactions(split, split.train)
    lowest = split.bounds[0]
    assert rated.histories.weights.min() == pytest.approx(1)
    part = split.train["music"]
    mine = rated.only("music").histories.take([5])
    expected = {(int(i), round(float(r), 4)) for i, r in zip(part.items, part.ratings, strict=True)}
    got = {(int(i), round(float(w) + lowest - 1, 4)) for i, w in zip(mine.items, mine.weights, strict=True)}
    assert got <= expected
    kept, asked = carve(split, np.random.default_rng(0))
    assert sum(map(len, kept.values())) + sum(map(len, asked.values())) == len(rated.histories.items)
    assert len(asked["music"]) == 60


def test_the_formula_of_biases() -> None:
    space = ItemSpace(("a", "b"), (2, 1))
    rated = Interactions(space, Histories.from_lists([[0, 1], [0], [2]], 3, [[5, 3], [4], [2]]))
    biases = Biases.fit(rated, 1.0, 2.0)
    np.testing.assert_allclose(biases.means, [4, 2])
    np.testing.assert_allclose(biases.items, [(1 + 0) / 3, -1 / 2, 0], rtol=1e-9)
    told = biases(Histories.from_lists([[0], []], 3, [[5], []]), "b")
    np.testing.assert_allclose(told, [[2 + (5 - 4 - 1 / 3) / 3], [2]], rtol=1e-9)


def test_what_cannot_be_told_falls_back_and_is_counted() -> None:
    histories = Histories.from_lists([[0], [1]], 2)

    def silent(some: Histories, target: str) -> np.ndarray:
        return np.array([[np.nan, 9.0]] * some.n_rows)

    told, count = tell(silent, lambda some, _: np.full((some.n_rows, 2), 3.0), histories, "a", np.array([0, 1]), (1, 5))
    assert told.tolist() == [3, 5]
    assert count == 1


def test_matrix_factorisation_tells_ratings(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
    found = benchmark_ratings(rated_folder(tmp_path, 40), ("mean", "mf"), options=FitOptions(threads=1, seconds=2.0))
    for each in found.domains.values():
        assert each["models"]["mf"]["rmse"] < 0.8 * each["models"]["mean"]["rmse"]


def test_bad_ratings_are_named(tmp_path: Path) -> None:
    rows = {"user": [1, 2], "item": [1, 2], "rating": [3.0, None]}
    folder = write_split_folder(tmp_path / "x", {f"{d}_{p}": rows for d in "ab" for p in ("train", "test")})
    with pytest.raises(DataError, match="row 2: 'rating' must not be null"):
        open_ratings(folder)
    without = {"user": [1], "item": [1]}
    folder = write_split_folder(tmp_path / "y", {f"{d}_{p}": without for d in "ab" for p in ("train", "test")})
    with pytest.raises(DataError, match="'rating' is missing"):
        open_ratings(folder)
    with pytest.raises(UsageError, match="there is no model of ratings 'ease'"):
        benchmark_ratings(rated_folder(tmp_path / "z"), ("ease",))


def test_the_command_tells_ratings(tmp_path: Path) -> None:
    folder = rated_folder(tmp_path / "split")
    target = tmp_path / "out.json"
    run = CliRunner().invoke(
        app, ["benchmark", str(folder), "--ratings", "--models", "mean,biases", "--json", str(target), "--lang", "en"]
    )
    assert run.exit_code == 0, run.output
    assert "RMSE" in run.output
    values = json.loads(target.read_text(encoding="utf-8"))
    assert set(values["domains"]) == {"书", "music"}
    chinese = CliRunner().invoke(app, ["benchmark", str(folder), "--ratings", "--models", "biases", "--lang", "zh"])
    assert "评分" in chinese.output
