"""kuajie from Python, as the guide shows it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kuajie

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"
TOML = """
[training]
seconds = 5
kinds = ["popularity", "itemknn"]

[domains.courses]
[[domains.courses.events]]
path = "courses.csv"

[domains.parts]
[[domains.parts.events]]
path = "parts.csv"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny world: person p likes topic p % 3, item i of either domain has topic i % 3."""
    rng, root = np.random.default_rng(0), tmp_path / "my-workspace"
    root.mkdir()
    for domain, prefix in (("courses", "课"), ("parts", "🚗")):
        rows = ["user,item"]
        for person in range(90):
            own = np.arange(person % 3, 24, 3)
            rows += [f"{person},{prefix}{item}" for item in rng.choice(own, 4, replace=False)]
        (root / f"{domain}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (root / "kuajie.toml").write_text(TOML, encoding="utf-8")
    return root


def test_the_example_of_the_guide_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = GUIDE.read_text(encoding="utf-8").partition("## From Python")[2]
    found = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert found is not None
    monkeypatch.chdir(folder.parent)
    names: dict[str, object] = {}
    exec(found[1], names)
    assert len(names["ranked"].items) == 5  # type: ignore[attr-defined]
    printed = capsys.readouterr().out.splitlines()
    assert 0 < float(printed[0]) <= 1
    assert all("🚗" in line for line in printed[1:])
    workspace = kuajie.Workspace.open("my-workspace")
    with pytest.raises(kuajie.KuajieError, match="no domain 'part'"):
        kuajie.recommend(workspace, "courses:42", "part")
    tuned = kuajie.tune(workspace, "itemknn", {"k": (1, 20)}, target="parts")
    assert len(tuned.tuning.trials) == 2
    ranked = kuajie.recommend(workspace, "courses:42", "parts", 2, language="zh")
    assert any("因为" in why.text or "大家" in why.text for item in ranked.items for why in item.reasons)


def test_topics_that_rise_are_named(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["user,item,occurred_at"]
    for week in range(12):
        share = 0.1 * 1.2**week
        for number in range(120):
            item = rng.choice(2) if rng.random() < share / (1 + share) else 2 + rng.choice(4)
            rows.append(
                f"u{rng.integers(40)},课{item},2025-0{1 + week // 4}-{1 + 7 * (week % 4):02}T{number % 24:02}:00:00Z"
            )
    (folder / "courses.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    items = [f"课{item},{'涡轮' if item < 2 else '保养'}" for item in range(6)]
    (folder / "items.csv").write_text("item,category\n" + "\n".join(items) + "\n", encoding="utf-8")
    toml = TOML.replace(
        'path = "courses.csv"\n', 'path = "courses.csv"\n[[domains.courses.items]]\npath = "items.csv"\n'
    )
    (folder / "kuajie.toml").write_text(toml, encoding="utf-8")
    workspace = kuajie.Workspace.open(folder)
    kuajie.import_data(workspace)
    assert [each.name for each in kuajie.rising(workspace, "courses", weeks=10) if each.rises] == ["涡轮"]


def test_importing_loads_nothing_and_everything_named_is_there() -> None:
    code = "import kuajie, sys; assert not {'numpy', 'polars', 'kuajie.api'} & set(sys.modules); kuajie.train"
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in kuajie.__all__:
        assert getattr(kuajie, name) is not None
        assert name in dir(kuajie)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kuajie.nothing  # noqa: B018
