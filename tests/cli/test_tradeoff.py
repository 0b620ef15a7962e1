"""`kuajie tradeoff` and the curves in the report."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kuajie.testing.splits import write_split_folder


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "w")
    return tmp_path / "w"


def test_curves_of_the_workspace(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("tradeoff", "-w", workspace, "--rerank", "discount,epsilon", "--json")
    assert seen.code == 0
    for domain in seen.data["domains"].values():
        assert list(domain["rerankers"]) == ["discount", "epsilon"]
        points = domain["rerankers"]["discount"]["points"]
        assert points[-1]["popularity"] < points[0]["popularity"]
    said = kuajie("tradeoff", "-w", workspace, "--rerank", "discount", "--lang", "zh")
    assert "重排汽车" in said.out
    assert "平均流行度" in said.out


def test_curves_are_in_the_report(kuajie: Callable, workspace: Path) -> None:
    asked = ["--models", "itemknn", "--rerank", "discount,xquad"]
    seen = kuajie("evaluate", "-w", workspace, *asked, "--lang", "zh")
    assert seen.code == 0
    page = (workspace / "reports" / "report.html").read_text(encoding="utf-8")
    assert "重排改变了什么，代价如何" in page
    assert page.count("<polyline") >= 4
    plain = kuajie("evaluate", "-w", workspace, "--models", "itemknn", "--json")
    assert "tradeoff" not in plain.data
    assert "重排改变了什么" not in (workspace / "reports" / "report.html").read_text(encoding="utf-8")


def test_curves_of_a_split_folder(kuajie: Callable, tmp_path: Path) -> None:
    tables = {}
    for domain in "ab":
        rows = [(person, (person + step) % 9, step) for person in range(30) for step in range(4)]
        for name, chosen in (("train", [0, 1]), ("valid", [2]), ("test", [3])):
            kept = [row for row in rows if row[2] in chosen]
            tables[f"{domain}_{name}"] = {
                key: [row[place] for row in kept] for place, key in enumerate(("user", "item", "position"))
            }
    folder = write_split_folder(tmp_path / "分割", tables)
    seen = kuajie("tradeoff", folder, "--rerank", "discount,calibration", "--factor", "2", "--lang", "en")
    assert seen.code == 0
    assert "mean popularity" in seen.out
    assert "calibration: nothing is known of the items" in seen.err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--rerank", "magic"], "there is no re-ranker 'magic'"),
        (["--rerank", "rules"], "'rules' has no strength"),
        (["--model", "nobody"], "there is no model 'nobody'"),
    ],
)
def test_bad_calls(kuajie: Callable, workspace: Path, asked: list[str], said: str) -> None:
    seen = kuajie("tradeoff", "-w", workspace, *asked, "--lang", "en")
    assert seen.code == 2
    assert said in seen.err
