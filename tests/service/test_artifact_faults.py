"""Every way in which a model on disk can be wrong, met by a running service: refused, and the old one goes on."""

import hashlib
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from kuajie.service.calls import Service
from kuajie.storage.artifacts import ARRAYS, MANIFEST
from kuajie.storage.models import SERVING
from kuajie.storage.tensors import map_tensors, write_tensors

from .conftest import Running


@dataclass
class Damaged:
    """A running service, and a copy of the model that serves, to be damaged under ever new names."""

    running: Running
    whole: dict[str, bytes]
    before: Any
    number: int = 0

    @classmethod
    def of(cls, running: Running) -> "Damaged":
        before = running.recommend("0007")
        folder = running.service.workspace.models / before["model_version"]
        return cls(running, {path.name: path.read_bytes() for path in folder.iterdir()}, before)

    @property
    def service(self) -> Service:
        return self.running.service

    def write(self, files: dict[str, bytes]) -> Path:
        """A version of these files; the pointer names it."""
        models = self.service.workspace.models
        shutil.rmtree(models / f"坏{self.number}", ignore_errors=True)
        self.number += 1
        folder = models / f"坏{self.number}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (models / SERVING).write_text(folder.name + "\n", encoding="utf-8")
        return folder

    def refused(self, what: str) -> None:
        """The pointer's version does not serve, somebody says why, and the answers are those of before."""
        assert not self.service.deployment.look(), what
        said = self.service.deployment.refused
        assert said is not None, what
        assert str(said.reason), what
        assert said.model_version == f"坏{self.number}"
        ranked = self.running.recommend("0007")
        assert ranked["model_version"] == self.before["model_version"], what
        assert ranked["items"] == self.before["items"], what
        assert not ranked["degraded"]

    def file(self, name: str, content: bytes, what: str) -> None:
        assert content != self.whole[name], what
        self.write({**self.whole, name: content})
        self.refused(what)

    def sealed(self, change: Callable[[dict[str, Any]], None], files: dict[str, bytes] | None = None) -> None:
        """With a manifest that says something else and is whole, as a faulty writer would make it."""
        files = {**self.whole, **(files or {})}
        manifest = msgspec.json.decode(files[MANIFEST])["manifest"]
        change(manifest)
        text = msgspec.json.encode(manifest)
        seal = hashlib.sha256(text).hexdigest().encode()
        self.write({**files, MANIFEST: b'{"sha256": "' + seal + b'",\n"manifest": ' + text + b"}\n"})

    def rewritten(self, change: Callable[[dict[str, Any]], None], tmp_path: Path, *, told: bool = True) -> None:
        """With other arrays, and a manifest that fits them."""
        source = tmp_path / "whole.safetensors"
        source.write_bytes(self.whole[ARRAYS])
        arrays = {name: np.array(array) for name, array in map_tensors(source).items()}
        change(arrays)
        digest = write_tensors(tmp_path / ARRAYS, arrays)

        def describe(manifest: dict[str, Any]) -> None:
            manifest["files"][ARRAYS] = digest
            if told:
                manifest["arrays"] = {
                    name: {"shape": list(array.shape), "dtype": array.dtype.name} for name, array in arrays.items()
                }

        self.sealed(describe, {ARRAYS: (tmp_path / ARRAYS).read_bytes()})


@pytest.fixture
def damaged(fast: Running) -> Damaged:
    fast.service.stopped.set()  # the watcher must not look in between
    return Damaged.of(fast)


def truncate(damaged: Damaged, points: int) -> None:
    rng = random.Random(1)
    for name, content in damaged.whole.items():
        most = len(content.rstrip())  # without the last line feed it is as whole as with it
        ends = {0, 1, 7, 8, 9, most - 1, most // 2}
        while len(ends) < points // 2:
            ends.add(rng.randrange(most))
        for end in sorted(ends)[: points // 2]:
            damaged.file(name, content[:end], f"{name} cut at {end} of {len(content)}")


def flip(damaged: Damaged, bits: int) -> None:
    rng = random.Random(2)
    for name, content in damaged.whole.items():
        for _ in range(bits // 2):
            place, bit = rng.randrange(len(content)), rng.randrange(8)
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            damaged.file(name, bytes(changed), f"bit {bit} of byte {place} of {name}")


def test_truncated_and_flipped(damaged: Damaged) -> None:
    truncate(damaged, 20)
    flip(damaged, 100)


@pytest.mark.slow
def test_truncated_at_200_points_and_1000_flipped_bits(damaged: Damaged) -> None:
    truncate(damaged, 200)
    flip(damaged, 1_000)


def floats(arrays: dict[str, Any]) -> np.ndarray:
    return next(array for array in arrays.values() if array.dtype.kind == "f")


def set_value(value: float) -> Callable[[dict[str, Any]], None]:
    def change(arrays: dict[str, Any]) -> None:
        floats(arrays).reshape(-1)[-1] = value

    return change


def shorter(arrays: dict[str, Any]) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            arrays[name] = array[:-1]


def other_type(arrays: dict[str, Any]) -> None:
    for name, array in arrays.items():
        arrays[name] = array.astype(np.int64) if array.dtype.kind == "f" else array


HARMLESS = {"huge", "another type"}
"""Numbers like any other: such a model may serve, and must not break."""
SAME_SHAPE = {"NaN", "infinite", "minus infinite", "huge"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("NaN", set_value(np.nan)),
        ("infinite", set_value(np.inf)),
        ("minus infinite", set_value(-np.inf)),
        ("huge", set_value(3e38)),
        ("shorter", shorter),
        ("another type", other_type),
        ("nothing", dict.clear),
        ("one array less", lambda arrays: arrays.pop(next(iter(arrays)))),
    ],
)
def test_arrays_that_are_wrong_but_rightly_sealed(
    damaged: Damaged, tmp_path: Path, name: str, change: Callable[[dict[str, Any]], None]
) -> None:
    if name not in SAME_SHAPE:
        damaged.rewritten(change, tmp_path, told=False)
        damaged.refused(f"{name}, and the manifest says otherwise")
    damaged.rewritten(change, tmp_path)
    if name not in HARMLESS:
        damaged.refused(name)
        return
    damaged.service.deployment.look()
    assert damaged.running.recommend("0007")["items"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 99),
        ("format", "1"),
        ("format", None),
        ("kuajie", 1),
        ("domains", ["courses"]),
        ("domains", ["car", "courses"]),
        ("sizes", [1, 1]),
        ("sizes", [-1, -1]),
        ("sizes", [2**40, 2**40]),
        ("arrays", {}),
        ("files", {}),
        ("files", {"../../kuajie.toml": "0"}),
        ("config", {}),
        ("config", {"kind": "没有"}),
    ],
)
def test_a_manifest_that_says_something_else(damaged: Damaged, key: str, value: Any) -> None:
    damaged.sealed(lambda manifest: manifest.__setitem__(key, value))
    damaged.refused(f"{key} = {value!r}")


@pytest.mark.parametrize(
    ("key", "value"),
    [("kind", "没有"), ("kind", "popularity"), ("snapshot_id", "没有"), ("snapshot_id", "../models"), ("kind", 1)],
)
def test_a_version_that_is_of_something_else(damaged: Damaged, key: str, value: Any) -> None:
    damaged.sealed(lambda manifest: manifest["version"].__setitem__(key, value))
    damaged.refused(f"version.{key} = {value!r}")


def test_files_that_are_missing_swapped_or_no_files(damaged: Damaged, tmp_path: Path) -> None:
    for name in damaged.whole:
        damaged.write({other: content for other, content in damaged.whole.items() if other != name})
        damaged.refused(f"{name} is missing")
        folder = damaged.write({other: content for other, content in damaged.whole.items() if other != name})
        (folder / name).mkdir()
        damaged.refused(f"{name} is a folder")
        folder = damaged.write({other: content for other, content in damaged.whole.items() if other != name})
        (folder / name).symlink_to(tmp_path / "nowhere")
        damaged.refused(f"{name} leads nowhere")
    damaged.write({ARRAYS: damaged.whole[MANIFEST], MANIFEST: damaged.whole[ARRAYS]})
    damaged.refused("the files are swapped")
    damaged.rewritten(set_value(0.25), tmp_path)
    other = (damaged.service.workspace.models / f"坏{damaged.number}" / ARRAYS).read_bytes()
    damaged.file(ARRAYS, other, "the arrays of another model")


def test_a_pointer_that_is_rubbish(damaged: Damaged) -> None:
    pointer = damaged.service.workspace.models / SERVING
    for content in (b"", b"\n", b"\x00", b"\xff\xfe", b"..", b"/", b"../warehouse", b"a" * 100_000, "没有".encode()):
        pointer.write_bytes(content)
        assert not damaged.service.deployment.look(), content[:20]
        assert damaged.running.recommend("0007")["items"] == damaged.before["items"]
    pointer.unlink()
    pointer.mkdir()
    assert not damaged.service.deployment.look()
    pointer.rmdir()
    assert not damaged.service.deployment.look()
    assert damaged.running.recommend("0007")["items"] == damaged.before["items"]


def test_a_snapshot_that_is_damaged(damaged: Damaged) -> None:
    """The model is whole, what it was trained on is not."""
    service = damaged.service
    folder = service.workspace.warehouse / service.deployment.now.dataset.snapshot.manifest.snapshot_id
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for changed in (content[: len(content) // 2], b"", content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]):
            copy = path.with_name("copy")
            copy.write_bytes(changed)
            copy.replace(path)
            damaged.write(damaged.whole)
            damaged.refused(f"{path.name} of the snapshot")
        copy.write_bytes(content)
        copy.replace(path)
