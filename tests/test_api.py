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


def test_importing_loads_nothing_and_everything_named_is_there() -> None:
    code = "import kuajie, sys; assert not {'numpy', 'polars', 'kuajie.api'} & set(sys.modules); kuajie.train"
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in kuajie.__all__:
        assert getattr(kuajie, name) is not None
        assert name in dir(kuajie)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kuajie.nothing  # noqa: B018
