"""What is kept: what serves, what can be gone back to, what is pinned, the newest, and their snapshots."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kuajie.core.errors import UsageError
from kuajie.core.records import ModelVersion
from kuajie.models.popularity import Popularity
from kuajie.storage.models import ModelFolder
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.prune import prune

START = datetime(2026, 1, 1, tzinfo=UTC)
WORLD = two_domain_interactions()[0]
MODEL = Popularity().fit(WORLD)


class Kept:
    """Models and snapshots of a workspace."""

    def __init__(self, root: Path) -> None:
        self.models, self.warehouse = ModelFolder(root / "models"), root / "warehouse"

    def add(self, number: int, *, serve: bool = True, snapshot: int | None = None) -> None:
        name = number if snapshot is None else snapshot
        folder = self.warehouse / f"{name:016x}"
        if not folder.exists():
            folder.mkdir(parents=True)
            manifest = {"as_of": (START + timedelta(days=name)).isoformat(), "format": 2}
            (folder / "manifest.json").write_text(json.dumps(manifest))
            (self.warehouse / "latest").write_text(f"{folder.name}\n")
        version = ModelVersion(
            model_version=f"v{number}",
            snapshot_id=folder.name,
            kind="popularity",
            created_at=START + timedelta(days=number),
        )
        self.models.save(MODEL, WORLD.space, version, serve=serve)

    @property
    def versions(self) -> list[str]:
        return [version.model_version for version in self.models.versions()]

    @property
    def snapshots(self) -> list[int]:
        return sorted(int(path.name, 16) for path in self.warehouse.iterdir() if path.is_dir())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "工作区")


def test_the_last_three_stay_with_their_snapshots(kept: Kept) -> None:
    for number in range(6):
        kept.add(number)
    pruned = prune(kept.models, kept.warehouse)
    assert pruned.models == ("v0", "v1", "v2")
    assert kept.versions == ["v3", "v4", "v5"]
    assert kept.snapshots == [3, 4, 5]
    assert len(pruned.snapshots) == 3
    assert prune(kept.models, kept.warehouse).models == ()
    assert not [path for path in kept.models.folder.iterdir() if path.name.startswith(".")]


def test_what_serves_after_a_rollback_and_what_is_pinned_stay(kept: Kept) -> None:
    for number in range(4):
        kept.add(number)
    kept.models.pin("v0")
    kept.models.serve("v1")
    for number in range(4, 9):
        kept.add(number, serve=False)
    assert kept.models.served() == ["v1", "v3", "v2"]
    prune(kept.models, kept.warehouse)
    assert kept.versions == ["v0", "v1", "v2", "v3", "v6", "v7", "v8"]
    assert kept.snapshots == [0, 1, 2, 3, 6, 7, 8]
    assert kept.models.load().version.model_version == "v1"
    kept.models.pin("v0", keep=False)
    prune(kept.models, kept.warehouse, kept=1)
    assert kept.versions == ["v1", "v2", "v3", "v8"]


def test_a_snapshot_that_a_model_names_or_that_is_the_newest_stays(kept: Kept) -> None:
    kept.add(0)
    for number in range(1, 5):
        kept.add(number, snapshot=0)
    kept.add(9, serve=False)
    (kept.warehouse / "latest").write_text(f"{9:016x}\n")
    for path in (kept.warehouse / ".new-abc", kept.warehouse / "quarantine", kept.warehouse / "f00"):
        path.mkdir()
    prune(kept.models, kept.warehouse, kept=1)
    assert (kept.warehouse / f"{0:016x}").is_dir(), "models were trained on it"
    assert all((kept.warehouse / name).is_dir() for name in (".new-abc", "quarantine", "f00", f"{9:016x}"))


def test_a_damaged_version_stays_and_disturbs_nothing(kept: Kept) -> None:
    for number in range(6):
        kept.add(number)
    (kept.models.folder / "v0" / "manifest.json").write_text("{")
    assert prune(kept.models, kept.warehouse).models == ("v1", "v2")
    assert (kept.models.folder / "v0").is_dir()


def test_removing_is_refused_for_what_serves_or_is_pinned(kept: Kept) -> None:
    for number in range(3):
        kept.add(number)
    kept.models.pin("v0")
    for name in ("v0", "v2"):
        with pytest.raises(UsageError, match="serves or is pinned"):
            kept.models.remove(name)
    with pytest.raises(UsageError, match="no model version 'v7'"):
        kept.models.remove("v7")
    with pytest.raises(UsageError, match="no model version"):
        kept.models.pin("../v0")
    (kept.models.folder / ".v9.gone").mkdir()
    kept.models.remove("v1")
    assert kept.versions == ["v0", "v2"]
    assert not (kept.models.folder / ".v9.gone").exists()
