from datetime import UTC, datetime
from pathlib import Path

import pytest

from kuajie.core.errors import ArtifactError, UsageError
from kuajie.core.records import ModelVersion
from kuajie.models.popularity import Popularity
from kuajie.storage import artifacts
from kuajie.storage.models import ModelFolder
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.ports import ModelStore


def version(name: str, day: int) -> ModelVersion:
    created = datetime(2026, 1, day, tzinfo=UTC)
    return ModelVersion(model_version=name, snapshot_id="s", kind="popularity", created_at=created)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    world = two_domain_interactions()[0]
    store = ModelFolder(tmp_path / "models")
    store.save(Popularity().fit(world), world.space, version("zebra", 1))
    store.save(Popularity().fit(world), world.space, version("ant", 2))
    return store


def test_versions_are_listed_oldest_first(store: ModelStore) -> None:
    assert [v.model_version for v in store.versions()] == ["zebra", "ant"]


def test_the_newest_serves_until_another_is_chosen(store: ModelStore) -> None:
    assert store.load().version.model_version == "ant"
    store.serve("zebra")
    assert store.load().version.model_version == "zebra"


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    store = ModelFolder(tmp_path / "models")
    assert store.versions() == []
    with pytest.raises(UsageError, match="Run: kuajie train"):
        store.load()


@pytest.mark.parametrize("name", ["zebr", "../zebra", "serving", "ant/"])
def test_a_wrong_name_is_answered_with_the_right_ones(store: ModelStore, name: str) -> None:
    with pytest.raises(UsageError, match=f"no model version '{name}'.*(zebra|ant)"):
        store.load(name)


def test_a_failed_save_leaves_the_old_one_serving(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts, "write_tensors", refuse)
    world = two_domain_interactions()[0]
    with pytest.raises(Exception, match="No space left"):
        store.save(Popularity().fit(world), world.space, version("new", 3))
    assert store.serving() == "ant"
    assert len(store.versions()) == 2


def test_a_damaged_version_is_reported_and_does_not_hide_the_others(store: ModelFolder) -> None:
    (store.folder / "ant" / "manifest.json").write_text("{")
    assert [v.model_version for v in store.versions()] == ["zebra"]
    assert list(store.damaged()) == ["ant"]
    with pytest.raises(ArtifactError):
        store.serve("ant")
