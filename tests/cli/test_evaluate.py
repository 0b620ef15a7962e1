import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "w")
    return tmp_path / "w"


def test_models_are_compared_and_the_report_is_written(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("evaluate", "-w", workspace, "--models", "itemknn,popularity", "--lang", "zh")
    assert seen.code == 0
    assert "推荐汽车" in seen.out
    page = (workspace / "reports" / "report.html").read_text(encoding="utf-8")
    assert "模型对比" in page
    assert "推荐示例" in page
    assert "种好的世界" in page


def test_joining_helps_where_the_answer_is_on_the_other_side(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("evaluate", "-w", workspace, "--models", "itemknn,itemknn:target", "--json")
    for domain in seen.data["domains"].values():
        models = domain["models"]
        assert models["itemknn"]["ndcg@10"] > models["itemknn:target"]["ndcg@10"]
        assert models["itemknn"]["slices"]["cold"]["test_rows"] > 0
    assert (workspace / "reports" / "evaluation.json").is_file()


def test_metrics_slices_and_lists_can_be_seen(kuajie: Callable, workspace: Path) -> None:
    asked = ["--metrics", "precision@5,map@10,auc", "--slices", "--candidates", "sampled-99"]
    seen = kuajie("evaluate", "-w", workspace, "--models", "itemknn,popularity", "--lang", "zh", *asked)
    assert seen.code == 0
    for words in ("Precision@5", "MAP@10", "AUC", "覆盖率", "基尼系数", "cold", "no_overlap", "head"):
        assert words in seen.out, words
    assert not [line for line in seen.out.splitlines() if line.startswith("模型") and "NDCG@10" in line]
    written = json.loads((workspace / "reports" / "evaluation.json").read_text(encoding="utf-8"))
    assert written["candidates"] == "sampled-99"
    for domain in written["domains"].values():
        for model in domain["models"].values():
            assert model["precision@10"] == pytest.approx(model["hr@10"] / 10)
            assert 0 < model["precision@5"] <= 0.2
            assert 0.4 < model["auc"] <= 1
            assert model["lists"]["people"] > 100
            assert 0 <= model["lists"]["diversity"] <= 1
    page = (workspace / "reports" / "report.html").read_text(encoding="utf-8")
    assert "推荐列表的特点" in page
    assert "只可与同样做法的结果比较" in page


@pytest.mark.parametrize(("lang", "against"), [("zh", "与最好的仅目标域模型"), ("en", "the best target-only model")])
def test_the_paired_test_is_shown(kuajie: Callable, workspace: Path, lang: str, against: str) -> None:
    seen = kuajie("evaluate", "-w", workspace, "--models", "itemknn,itemknn:target,popularity", "--lang", lang)
    page = (workspace / "reports" / "report.html").read_text(encoding="utf-8")
    written = json.loads((workspace / "reports" / "evaluation.json").read_text(encoding="utf-8"))
    for domain in written["domains"].values():
        found = domain["comparison"]
        for text in (seen.out, page):
            assert against in text
            assert f"{found['models']['itemknn']['difference']:+.4f}" in text
            assert f"{found['models']['itemknn']['low']:+.4f}" in text
    assert "< 0.001" in seen.out
    assert "&lt; 0.001" in page
    alone = kuajie("evaluate", "-w", workspace, "--models", "itemknn", "--lang", lang)
    assert against not in alone.out
    assert against not in (workspace / "reports" / "report.html").read_text(encoding="utf-8")


def test_twins_are_told(kuajie: Callable, workspace: Path) -> None:
    for domain in ("courses", "car"):
        with (workspace / f"{domain}.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{person:04d},同一件商品,2026-01-01T00:00:00+00:00\n" for person in range(100))
    assert kuajie("import", "-w", workspace).code == 0
    seen = kuajie("evaluate", "-w", workspace, "--models", "itemknn,popularity", "--lang", "zh")
    assert seen.code == 0, seen.err
    written = json.loads((workspace / "reports" / "evaluation.json").read_text(encoding="utf-8"))
    twins = written["twin_items"]
    assert twins >= 2
    page = (workspace / "reports" / "report.html").read_text(encoding="utf-8")
    for domain in written["domains"].values():
        model = domain["models"]["itemknn"]
        rest = model["slices"]["without_twins"]
        assert 0 < rest["test_rows"] < domain["test_rows"]
        line = f"itemknn 的 NDCG@10：含这些物品 {model['ndcg@10']:.4f}，不含 {rest['ndcg@10']:.4f}"
        for shown in (seen.out, page):
            assert f"{twins} 件物品在另一领域有孪生物品" in shown
            assert line in shown


def test_folds_ask_everybody(kuajie: Callable, workspace: Path) -> None:
    models = ["--models", "popularity,itemknn", "--json"]
    once = kuajie("evaluate", "-w", workspace, *models).data
    folded = kuajie("evaluate", "-w", workspace, *models, "--folds", "3").data
    assert (once["folds"], folded["folds"]) == (1, 3)
    for name, domain in folded["domains"].items():
        assert domain["test_rows"] == once["domains"][name]["test_rows"]
        assert domain["models"]["itemknn"]["ndcg@10"] > domain["models"]["popularity"]["ndcg@10"]
        assert domain["models"]["itemknn"]["lists"]["people"] == domain["test_rows"]
        assert domain["models"]["itemknn"]["slices"]["cold"]["test_rows"] > 0
    seen = kuajie("evaluate", "-w", workspace, "--models", "popularity", "--folds", "2", "--lang", "zh")
    assert "按折留出" in seen.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "itemnn"], "no model 'itemnn'"),
        (["--models", "auto:target"], "there is no 'auto:target'. Use auto."),
        (["--models", "auto:target", "--lang", "zh"], "没有“auto:target”。请直接用 auto。"),
        (["--since", "yesterday"], "--since"),
        (["--candidates", "some"], "some"),
        (["--metrics", "ndgc@10"], "metrics are hr@k"),
        (["--folds", "2", "--since", "2026-01-01"], "exclude each other"),
        (["--folds", "100000"], "the number of people"),
    ],
)
def test_wrong_calls(kuajie: Callable, workspace: Path, arguments: list[str], words: str) -> None:
    seen = kuajie("evaluate", "-w", workspace, *arguments)
    assert seen.code == 2
    assert words in seen.err


def test_a_moment_after_everything_leaves_nothing_to_ask(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("evaluate", "-w", workspace, "--since", "2030-01-01")
    assert seen.code == 1
    assert "leaves nothing to train or to ask" in seen.err
