"""A workspace of one company alone: nothing to transfer, but everything works."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

TOML = """
[training]
seconds = 5
kinds = ["popularity", "itemknn"]

[domains.courses]
title = "课程"
[[domains.courses.events]]
path = "courses.csv"
"""


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = [f"{person},课{item}" for person in range(80) for item in rng.choice(np.arange(person % 3, 30, 3), 5, False)]
    (tmp_path / "courses.csv").write_text("\n".join(["user,item", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "kuajie.toml").write_text(TOML, encoding="utf-8")
    return tmp_path


def test_the_whole_way(kuajie: Callable, alone: Path) -> None:
    imported = kuajie("import", "-w", alone, "--lang", "zh")
    assert imported.code == 0
    assert "共同用户" not in imported.out
    trained = kuajie("train", "-w", alone)
    assert trained.code == 0, trained.err
    models = "auto,itemknn,itemknn:target,popularity"
    seen = kuajie("evaluate", "-w", alone, "--models", models, "--json")
    assert seen.code == 0, seen.err
    assert seen.data["twin_items"] == 0
    measured = seen.data["domains"]["courses"]["models"]
    assert measured["itemknn"]["ndcg@10"] > measured["popularity"]["ndcg@10"]
    shown = kuajie("evaluate", "-w", alone, "--models", "itemknn,popularity", "--lang", "zh")
    assert shown.code == 0, shown.err
    page = (alone / "reports" / "report.html").read_text(encoding="utf-8")
    assert "模型对比" in page
    for text in ("孪生", "共同用户"):
        assert text not in shown.out + page
    listed = kuajie("recommend", "-w", alone, "--user", "courses:7", "--target", "courses", "-k", "3", "--json")
    assert [item["item"].startswith("课") for item in listed.data["items"]] == [True] * 3
    folded = kuajie("evaluate", "-w", alone, "--models", "popularity", "--folds", "2", "--json")
    assert folded.code == 0, folded.err
