"""Curves: strength 0 is the model itself, each metric moves the right way, and choices are of validation rows."""

from pathlib import Path

import numpy as np
import pytest

from kuajie.core.errors import DataError, UsageError
from kuajie.testing.planted import two_domain_interactions
from kuajie.testing.splits import write_split_folder
from kuajie.workflows.benchmark import benchmark
from kuajie.workflows.tradeoff import GOALS, Goal, Point, TradeoffResult, best_strength, tradeoff_of_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four topics in two domains, the last two of each person and domain held out; five brands."""
    interactions = two_domain_interactions(300, items_per_topic=10)[0]
    space, histories = interactions.space, interactions.histories
    tables: dict[str, dict[str, list[int]]] = {}
    for person in range(interactions.n_people):
        row = histories.items[histories.indptr[person] : histories.indptr[person + 1]]
        for domain in space.domains:
            part = space.slice(domain)
            own = row[(row >= part.start) & (row < part.stop)] - part.start
            for place, item in enumerate(own.tolist()):
                kind = {len(own) - 1: "test", len(own) - 2: "valid"}.get(place, "train")
                table = tables.setdefault(f"{domain}_{kind}", {"user": [], "item": [], "position": []})
                for name, value in (("user", person), ("item", item), ("position", place)):
                    table[name].append(value)
    size = space.sizes[0]
    words = [f"主题{item % 4} 货架{item % 7} 品牌{item % 5}" for item in range(size)] * 2
    names = ["a"] * size + ["b"] * size
    tables["items"] = {"item": list(range(size)) * 2, "domain": names, "category": words}  # type: ignore[dict-item]
    return write_split_folder(tmp_path_factory.mktemp("分割"), tables)


@pytest.fixture(scope="module")
def result(folder: Path) -> TradeoffResult:
    return tradeoff_of_folder(folder, factor=3)


def test_strength_0_is_the_model_as_the_benchmark_measures_it(folder: Path, result: TradeoffResult) -> None:
    measured = benchmark(folder, ["itemknn"]).to_json()["domains"]
    for domain, curves in result.curves.items():
        for curve in curves:
            assert curve.points[0].strength == 0
            # the benchmark takes ties by chance, lists take the lower number
            assert curve.before.ndcg == pytest.approx(measured[domain]["models"]["itemknn"]["ndcg@10"], abs=0.03)


@pytest.mark.parametrize("kind", GOALS)
def test_more_strength_moves_the_metric_its_way(result: TradeoffResult, kind: str) -> None:
    for curves in result.curves.values():
        curve = next(curve for curve in curves if curve.kind == kind)
        first, last = (curve.points[place].metrics[curve.goal.metric] for place in (0, -1))
        if kind in {"fairness", "epsilon"}:  # every brand and item of this small world is shown in any case
            assert last >= first - 1e-12
        else:
            assert last > first if curve.goal.higher else last < first


def test_the_chosen_strength_costs_little_on_validation_rows(result: TradeoffResult) -> None:
    for curves in result.curves.values():
        for curve in curves:
            by_strength = {point.strength: point for point in curve.points}
            assert by_strength[curve.strength].ndcg >= 0.98 * curve.points[0].ndcg
            low, high = curve.loss
            assert low <= curve.after.ndcg - curve.before.ndcg <= high


def test_the_best_allowed_strength_is_chosen() -> None:
    points = [Point(s, n, {"m": m}) for s, n, m in ((0, 0.5, 1), (0.1, 0.495, 2), (0.2, 0.493, 2), (0.3, 0.4, 9))]
    assert best_strength(points, Goal("m", "m", True, {}), 0.02) == 0.1
    assert best_strength(points, Goal("m", "m", False, {}), 0.02) == 0
    assert best_strength(points, Goal("m", "m", True, {}), 0.5) == 0.3


def test_nothing_that_could_be_read_is_said(tmp_path: Path, folder: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in folder.iterdir():
        if not file.name.startswith("items"):
            (bare / file.name).write_bytes(file.read_bytes())
    result = tradeoff_of_folder(bare, kinds=["calibration", "discount"], factor=2)
    assert list(result.skipped) == ["calibration"]
    assert [curve.kind for curve in result.curves["a"]] == ["discount"]
    values = result.to_json()
    assert values["domains"]["a"]["rerankers"]["discount"]["points"][0]["strength"] == 0
    assert values["skipped"]["calibration"] == "nothing is known of the items that it could read"


def test_bad_calls(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no re-ranker 'magic'"):
        tradeoff_of_folder(folder, kinds=["magic"])
    with pytest.raises(UsageError, match="'rules' has no strength"):
        tradeoff_of_folder(folder, kinds=["rules"])
    rows = {"user": [0, 1], "item": [1, 2]}
    small = write_split_folder(tmp_path / "small", {f"{d}_{p}": rows for d in "ab" for p in ("train", "test")})
    with pytest.raises(DataError, match="both validation and test rows"):
        tradeoff_of_folder(small)


def test_a_seed_is_a_result(folder: Path) -> None:
    first, second = (tradeoff_of_folder(folder, kinds=["epsilon"], most_rows=50, seed=4).to_json() for _ in range(2))
    assert first["domains"] == second["domains"]
    assert first["domains"]["a"]["test_rows"] == 50
    assert np.isfinite(first["domains"]["a"]["rerankers"]["epsilon"]["test"]["before"]["ndcg@10"])


def test_lists_of_all_domains_follow_the_history_s_mix(folder: Path) -> None:
    result = tradeoff_of_folder(folder, kinds=["calibration", "mmr"], factor=3, mixed=True)
    assert list(result.curves) == ["*"]
    assert result.rows["*"] == (600, 600)
    calibration, _ = result.curves["*"]
    first, last = calibration.points[0], calibration.points[-1]
    assert calibration.goal.metric == "domain_miscalibration"
    assert last.metrics["domain_miscalibration"] < 0.6 * first.metrics["domain_miscalibration"]
    with pytest.raises(UsageError, match="does not see all domains"):
        tradeoff_of_folder(folder, model="itemknn:target", mixed=True)
