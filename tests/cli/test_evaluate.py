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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "itemnn"], "no model 'itemnn'"),
        (["--since", "yesterday"], "--since"),
        (["--candidates", "some"], "some"),
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
