"""Ready-made vectors of items: read from every kind of file, checked, stored, and given to models."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kuajie.core.errors import ConfigError, DataError
from kuajie.data.config import DataConfig
from kuajie.data.dataset import JointDataset
from kuajie.workflows.ingest import ingest

NOW = datetime(2025, 1, 1, tzinfo=UTC)
EVENTS = "user,item,kind,occurred_at\nu,甲,view,2024-01-02T00:00:00Z\nu,b,view,2024-01-03T00:00:00Z\n"
GOOD = {"甲": [0.5, -1.0, 2], "b": [1.0, 0.0, 0.25], "c": None}


def write_items(folder: Path, kind: str, rows: dict[str, object]) -> str:
    path = folder / f"items.{kind}"
    if kind == "parquet":
        pl.DataFrame({"item": list(rows), "picture": list(rows.values())}, strict=False).write_parquet(path)
    elif kind == "csv":
        texts = ["" if value is None else json.dumps(value) for value in rows.values()]
        pl.DataFrame({"item": list(rows), "picture": texts}).write_csv(path)
    else:
        lines = [json.dumps({"item": item, "picture": value}, ensure_ascii=False) for item, value in rows.items()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path.name


def config_of(folder: Path, items: str, **more: object) -> DataConfig:
    (folder / "events.csv").write_text(EVENTS, encoding="utf-8")
    source = {"path": items, "vectors": {"image": "picture"}}
    domains = {
        "courses": {"events": [{"path": "events.csv"}], "items": [source]},
        "parts": {"events": [{"path": "events.csv"}]},
    }
    return DataConfig.parse({"domains": domains, **more})


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_vectors_reach_the_side_information(kind: str, tmp_path: Path) -> None:
    result = ingest(config_of(tmp_path, write_items(tmp_path, kind, GOOD)), tmp_path, clock=lambda: NOW)
    dataset = JointDataset.open(result.folder)
    side = dataset.interactions().side
    assert side is not None
    assert side.vectors["image"].shape == (5, 3)
    assert side.vectors["image"].dtype == np.float32
    np.testing.assert_array_equal(side.vectors["image"][dataset.catalog.number("courses", "甲")], [0.5, -1.0, 2.0])
    assert np.isnan(side.vectors["image"][dataset.catalog.number("courses", "c")]).all()
    assert np.isnan(side.vectors["image"][dataset.catalog.number("parts", "b")]).all()
    assert "picture" not in side.labels


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ([1.0, 2.0], "is not of length 3"),
        ("rubbish", "is no list of finite numbers"),
        ([1.0, "x", 2.0], "is no list of finite numbers"),
        ([1.0, True, 2.0], "is no list of finite numbers"),
        ([], "is no list of finite numbers"),
        ([1e30, 0.0, 0.0], "is no list of finite numbers"),
        ({"a": 1}, "is no list of finite numbers"),
    ],
)
def test_bad_vectors_go_to_the_quarantine(bad: object, reason: str, tmp_path: Path) -> None:
    items = write_items(tmp_path, "jsonl", GOOD | {"bad": bad})
    result = ingest(config_of(tmp_path, items, cleaning={"max_quarantined": 0.5}), tmp_path, clock=lambda: NOW)
    kept = JointDataset.open(result.folder).catalog.ids["courses"].all
    assert "bad" not in kept
    quarantined = (tmp_path / "warehouse" / result.account.quarantine).read_text(encoding="utf-8")
    assert reason in quarantined


def test_what_is_not_finite_goes_to_the_quarantine(tmp_path: Path) -> None:
    items = write_items(tmp_path, "parquet", GOOD | {"bad": [math.nan, 1.0, 1.0]})
    result = ingest(config_of(tmp_path, items, cleaning={"max_quarantined": 0.5}), tmp_path, clock=lambda: NOW)
    assert "bad" not in JointDataset.open(result.folder).catalog.ids["courses"].all


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item,title\n甲,x\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column 'picture'"):
        ingest(config_of(tmp_path, "items.csv"), tmp_path, clock=lambda: NOW)


def test_only_items_have_vectors(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS, encoding="utf-8")
    source = {"path": "events.csv", "vectors": {"image": "picture"}}
    config = DataConfig.parse({"domains": {"a": {"events": [source]}}})
    with pytest.raises(ConfigError, match="only items have vectors"):
        ingest(config, tmp_path, clock=lambda: NOW)
