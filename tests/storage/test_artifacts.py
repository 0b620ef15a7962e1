import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kuajie.core.errors import ArtifactError, ResourceError, UsageError
from kuajie.core.histories import Interactions
from kuajie.core.recommender import Arrays
from kuajie.core.records import ModelVersion
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.models.popularity import Popularity
from kuajie.storage import artifacts, tensors
from kuajie.storage.artifacts import ARRAYS, MANIFEST, load_model, read_manifest, save_model
from kuajie.testing.planted import two_domain_interactions

VERSION = ModelVersion(
    model_version="v1",
    snapshot_id="s1",
    kind="popularity",
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
    metrics={"课程": {"ndcg@10": 0.25, "auc": float("nan")}},
)


@pytest.fixture(scope="module")
def world() -> Interactions:
    return two_domain_interactions()[0]


@pytest.fixture
def saved(world: Interactions, tmp_path: Path) -> Path:
    return save_model(Popularity().fit(world), world.space, tmp_path / "models" / "v1", VERSION)


class Tampered(Popularity):
    """Popularity that hands out other arrays than it learned."""

    def arrays(self) -> Arrays:
        return super().arrays() | self.other


def save_with(world: Interactions, folder: Path, **other: np.ndarray) -> Path:
    model = Tampered().fit(world)
    model.other = other
    return save_model(model, world.space, folder, VERSION)


def reseal(folder: Path, **changes: object) -> None:
    """Change the manifest the way somebody would who knows the format."""
    sealed = json.loads((folder / MANIFEST).read_text())
    text = json.dumps(sealed["manifest"] | changes).encode()
    seal = artifacts.hashlib.sha256(text).hexdigest()
    (folder / MANIFEST).write_bytes(b'{"sha256": "' + seal.encode() + b'", "manifest": ' + text + b"}")


def test_a_saved_model_scores_as_before(world: Interactions, saved: Path) -> None:
    stored = load_model(saved)
    histories = world.histories.take([0, 1])
    for domain in world.space.domains:
        np.testing.assert_array_equal(
            stored.model.score(histories, domain), Popularity().fit(world).score(histories, domain)
        )
    assert stored.space == world.space
    assert stored.version.snapshot_id == "s1"
    assert stored.version.metrics == {"课程": {"ndcg@10": 0.25}}


def test_only_the_folder_is_left_beside(saved: Path) -> None:
    assert [path.name for path in saved.parent.iterdir()] == ["v1"]
    assert sorted(path.name for path in saved.iterdir()) == [ARRAYS, MANIFEST]


def test_arrays_are_mapped_not_read(saved: Path) -> None:
    array = tensors.map_tensors(saved / ARRAYS)["popularity"]
    assert not array.flags.writeable
    assert not array.flags.owndata


@pytest.mark.parametrize("name", [ARRAYS, MANIFEST])
def test_every_flipped_byte_is_found(saved: Path, name: str) -> None:
    path = saved / name
    good = path.read_bytes()
    for place in range(0, len(good), 7):
        for bits in (0x01, 0x20, 0xFF):
            path.write_bytes(good[:place] + bytes([good[place] ^ bits]) + good[place + 1 :])
            with pytest.raises(ArtifactError):
                load_model(saved)
    path.write_bytes(good)
    load_model(saved)


@pytest.mark.parametrize("name", [ARRAYS, MANIFEST])
def test_every_truncation_is_found(saved: Path, name: str) -> None:
    path = saved / name
    good = path.read_bytes()
    for length in {*range(0, len(good), 13), 1, 8, 9, len(good) - 2}:
        path.write_bytes(good[:length])
        with pytest.raises(ArtifactError, match=name):
            load_model(saved)


@pytest.mark.parametrize("name", [ARRAYS, MANIFEST])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} cannot be read"):
        load_model(saved)


def test_a_swapped_array_file_is_found(world: Interactions, saved: Path, tmp_path: Path) -> None:
    other = save_with(world, tmp_path / "other", popularity=np.zeros(40, np.float32))
    shutil.copy(other / ARRAYS, saved / ARRAYS)
    with pytest.raises(ArtifactError, match="SHA-256"):
        load_model(saved)


def test_another_format_says_what_to_do(saved: Path) -> None:
    reseal(saved, format=99)
    with pytest.raises(ArtifactError, match=r"format 99.*Install the kuajie that wrote it, or train again"):
        load_model(saved)


def test_an_unknown_key_in_the_manifest_is_refused(saved: Path) -> None:
    reseal(saved, surprise=1)
    with pytest.raises(ArtifactError, match="surprise"):
        read_manifest(saved)


def test_shapes_that_differ_from_the_manifest_are_refused(saved: Path) -> None:
    reseal(saved, arrays={"popularity": {"shape": [40], "dtype": "float32"}})
    with pytest.raises(ArtifactError, match="support"):
        load_model(saved)


@pytest.mark.parametrize("shape", [(3,), (41,), (40, 2), (0,)])
def test_arrays_that_do_not_make_a_model_are_refused(world: Interactions, tmp_path: Path, shape: tuple[int]) -> None:
    folder = save_with(world, tmp_path / "v1", popularity=np.ones(shape, np.float32))
    with pytest.raises(ArtifactError, match="popularity"):
        load_model(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_not_saved(world: Interactions, tmp_path: Path, value: float) -> None:
    with pytest.raises(ArtifactError, match="'support' that are not finite"):
        save_with(world, tmp_path / "v1", support=np.array([1.0, value]))
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_finite_are_not_read(
    world: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "first_not_finite", lambda arrays: None)
        folder = save_with(world, tmp_path / "v1", support=np.full(40, np.nan))
    with pytest.raises(ArtifactError, match="'support' has values that are not finite"):
        load_model(folder)


@pytest.mark.parametrize("place", [-1, 40, 2**31 - 1])
def test_indices_outside_the_catalogue_are_refused(world: Interactions, tmp_path: Path, place: int) -> None:
    class Wild(ItemKNN):
        def arrays(self) -> Arrays:
            arrays = super().arrays()
            indices = arrays["indices"].copy()
            indices[7] = place
            return arrays | {"indices": indices}

    version = msgspec.structs.replace(VERSION, kind="itemknn")
    folder = save_model(Wild(ItemKNNConfig(k=3)).fit(world), world.space, tmp_path / "v1", version)
    with pytest.raises(ArtifactError, match="do not make a 'itemknn' model"):
        load_model(folder)


def test_objects_are_never_stored(world: Interactions, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="plain numbers"):
        save_with(world, tmp_path / "v1", support=np.array([object()]))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(world: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, arrays: Arrays) -> str:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts, "write_tensors", refuse)
    with pytest.raises(ResourceError, match=r"v1 could not be written: No space left on device\. Nothing was changed"):
        save_model(Popularity().fit(world), world.space, tmp_path / "v1", VERSION)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_model_is_not_overwritten(world: Interactions, saved: Path) -> None:
    before = (saved / MANIFEST).read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        save_model(Popularity().fit(world), world.space, saved, VERSION)
    assert (saved / MANIFEST).read_bytes() == before


def test_the_manifest_can_be_read_by_a_person(saved: Path) -> None:
    text = (saved / MANIFEST).read_text()
    assert "课程" in text
    assert len(text.splitlines()) > 20
    assert msgspec.json.decode(text)["manifest"]["config"]["kind"] == "popularity"


def test_a_ranker_is_stored_without_pickle_and_checked(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm", reason="the extra ml is not installed")
    from kuajie.models.ranker import Generator, Ranker, RankerConfig

    data = two_domain_interactions()[0]
    generators = (Generator(name="knn", model=ItemKNNConfig()),)
    ranker = Ranker(RankerConfig(generators=generators, rounds=5, least_rows=20)).fit(data)
    folder = save_model(ranker, data.space, tmp_path / "ranker", msgspec.structs.replace(VERSION, kind="ranker"))
    again = load_model(folder).model
    rows = data.histories.take(np.arange(5))
    np.testing.assert_array_equal(again.score(rows, "b"), ranker.score(rows, "b"))
    assert {path.name for path in folder.iterdir()} == {"arrays.safetensors", "manifest.json"}
