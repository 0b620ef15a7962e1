import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kuajie.cli.main import run
from kuajie.testing.planted import two_domain_interactions


@dataclass(frozen=True)
class Outcome:
    """What a person saw."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def kuajie(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a command in this process and returns its exit code and output."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = 0
        try:
            run([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Outcome(code, out, err)

    return call


TOML = """
[workspace]
name = "种好的世界"

[training]
seconds = 20
kinds = ["popularity", "itemknn"]

[domains.courses]
title = "课程"
[[domains.courses.events]]
path = "courses.csv"
columns = { user = "uid", item = "item", occurred_at = "ts" }

[domains.car]
title = "汽车"
[[domains.car.events]]
path = "car.csv"
columns = { user = "uid", item = "item", occurred_at = "ts" }
kind = "purchase"
"""


def write_planted(folder: Path) -> Path:
    """The planted world as a workspace: person p likes topic p % 4, item i of either domain has topic i % 4."""
    interactions = two_domain_interactions()[0]
    histories, size = interactions.histories, interactions.space.sizes[0]
    lines: dict[str, list[str]] = {"courses": ["uid,item,ts"], "car": ["uid,item,ts"]}
    assert histories.times is not None
    for person, item, time in zip(histories.rows(), histories.items, histories.times, strict=True):
        domain, prefix = ("courses", "课") if item < size else ("car", "🚗")
        lines[domain].append(f"{person:04d},{prefix}{item % size},{datetime.fromtimestamp(time, UTC).isoformat()}")
    for domain, rows in lines.items():
        (folder / f"{domain}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "kuajie.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with a trained model; tests must not change it, and the last one of them fails where one did."""
    folder = write_planted(tmp_path_factory.mktemp("训练好"))
    for command in ("import", "train"):
        with pytest.raises(SystemExit) as end:
            run([command, "--workspace", str(folder)])
        assert not end.value.code
    before = files_of(folder)
    yield folder
    assert files_of(folder) == before, "a test has changed what all of them share"


def files_of(folder: Path) -> dict[str, str]:
    """What every file of a workspace holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
