import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kuajie.bootstrap import model_store
from kuajie.core.records import ModelVersion
from kuajie.models.popularity import Popularity
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.workspace import Workspace


@pytest.fixture
def workspace(kuajie: Callable, tmp_path: Path) -> Path:
    assert kuajie("init", tmp_path / "工作区").code == 0
    return tmp_path / "工作区"


def test_a_new_workspace_can_be_read(workspace: Path) -> None:
    config = Workspace.open(workspace).config
    assert list(config.domains) == ["courses", "partner"]
    assert (workspace / "sources").is_dir()


def test_a_workspace_is_never_overwritten(kuajie: Callable, workspace: Path) -> None:
    (workspace / "kuajie.toml").write_text("mine")
    seen = kuajie("init", workspace)
    assert seen.code == 2
    assert "is a workspace already" in seen.err
    assert (workspace / "kuajie.toml").read_text() == "mine"


def test_init_speaks_chinese(kuajie: Callable, tmp_path: Path) -> None:
    assert "已建好" in kuajie("init", tmp_path / "w", "--lang", "zh").out
    kuajie("init", tmp_path / "v", "--lang", "en")
    texts = {name: (tmp_path / name / "kuajie.toml").read_text(encoding="utf-8") for name in "wv"}
    assert "路径相对于本文件" in texts["w"]
    assert "Paths are relative" in texts["v"]
    read = {name: tomllib.loads(text) for name, text in texts.items()}
    for values in read.values():
        values["workspace"].pop("name")
        for domain in values["domains"].values():
            assert domain.pop("title")
    assert read["w"] == read["v"]


def test_no_models_yet(kuajie: Callable, workspace: Path) -> None:
    assert "Run: kuajie train" in kuajie("models", "--workspace", workspace).out
    assert kuajie("models", "--workspace", workspace, "--json").data == {
        "serving": None,
        "served": [],
        "versions": [],
        "damaged": {},
        "pinned": [],
        "removed": {"models": [], "snapshots": []},
    }


def test_models_are_listed_and_chosen(kuajie: Callable, workspace: Path) -> None:
    world = two_domain_interactions()[0]
    store = model_store(Workspace.open(workspace))
    for day, name in ((1, "first"), (2, "second")):
        created = datetime(2026, 1, day, tzinfo=UTC)
        version = ModelVersion(model_version=name, snapshot_id="s", kind="popularity", created_at=created)
        store.save(Popularity().fit(world), world.space, version)
    assert kuajie("models", "-w", workspace, "--json").data["serving"] == "second"
    lines = kuajie("models", "-w", workspace, "--serve", "first").out.splitlines()
    assert next(line for line in lines if "first" in line).rstrip().endswith("*")
    wrong = kuajie("models", "-w", workspace, "--serve", "frist")
    assert wrong.code == 2
    assert "did you mean 'first'" in wrong.err
    (workspace / "models" / "second" / "manifest.json").unlink()
    broken = kuajie("models", "-w", workspace)
    assert "second" not in broken.out
    assert "manifest.json cannot be read" in broken.err


def test_outside_a_workspace(kuajie: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = kuajie("models")
    assert seen.code == 2
    assert "kuajie init DIR" in seen.err


def test_going_back_to_what_served_before(kuajie: Callable, workspace: Path) -> None:
    world = two_domain_interactions()[0]
    store = model_store(Workspace.open(workspace))

    def save(name: str) -> None:
        created = datetime(2026, 1, 1, tzinfo=UTC)
        version = ModelVersion(model_version=name, snapshot_id="s", kind="popularity", created_at=created)
        store.save(Popularity().fit(world), world.space, version)

    save("a")
    alone = kuajie("models", "rollback", "-w", workspace)
    assert alone.code == 2
    assert "no version to go back to" in alone.err
    for name in "bcd":
        save(name)
    assert store.served() == ["d", "c", "b"]
    assert kuajie("models", "rollback", "-w", workspace, "--json").data["serving"] == "c"
    assert kuajie("models", "rollback", "-w", workspace, "--json").data["served"] == ["d", "c", "b"]
    assert kuajie("models", "activate", "a", "-w", workspace, "--json").data["serving"] == "a"
    assert store.served() == ["a", "d", "c"]
    for wrong in (["activate"], ["rollback", "a"], ["delete", "a"]):
        assert kuajie("models", *wrong, "-w", workspace).code == 2
    assert kuajie("models", "activate", "e", "-w", workspace).code == 2
    assert store.serving() == "a"
