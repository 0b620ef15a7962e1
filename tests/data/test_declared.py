"""What accounts declare in tables of users goes into the snapshot, and what the service was told is newer."""

from pathlib import Path

from kuajie.core.records import Account
from kuajie.data.config import DataConfig
from kuajie.data.dataset import JointDataset
from kuajie.data.snapshot import latest_snapshot
from kuajie.workflows.ingest import ingest

EVENTS = "user,item\n007,a\n张三,b\n"


def imported(folder: Path, *users: dict[str, object]) -> JointDataset:
    (folder / "events.csv").write_text(EVENTS, encoding="utf-8")
    domain = {"events": [{"path": "events.csv"}], "users": list(users)}
    ingest(DataConfig.parse({"domains": {"courses": domain}}), folder)
    return JointDataset.open(latest_snapshot(folder / "warehouse").path)


def of(dataset: JointDataset, user: str) -> dict[str, str]:
    account = Account(domain="courses", user=user)
    return dataset.declared([account]).get(account, {})


def test_named_columns_become_attributes_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("uid,城市,age,note\n007,上海,30,secret\n张三,,,\n新人,北京,,x\n", encoding="utf-8")
    dataset = imported(tmp_path, {"path": "u.csv", "columns": {"user": "uid", "城市": "城市", "age": "age"}})
    assert of(dataset, "007") == {"城市": "上海", "age": "30"}
    assert of(dataset, "张三") == {}
    assert of(dataset, "新人") == {"城市": "北京"}
    assert of(dataset, "nobody") == {}


def test_of_several_sources_the_last_that_says_something_counts(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("user,city\n007,上海\n张三,北京\n", encoding="utf-8")
    (tmp_path / "v.csv").write_text("user,city\n007,广州\n张三,\n", encoding="utf-8")
    columns = {"user": "user", "city": "city"}
    dataset = imported(tmp_path, {"path": "u.csv", "columns": columns}, {"path": "v.csv", "columns": columns})
    assert of(dataset, "007") == {"city": "广州"}
    assert of(dataset, "张三") == {"city": "北京"}


def test_nothing_declared_is_no_file(tmp_path: Path) -> None:
    dataset = imported(tmp_path)
    assert "declared.parquet" not in dataset.snapshot.manifest.files
    assert of(dataset, "007") == {}
