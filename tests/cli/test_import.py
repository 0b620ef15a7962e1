from collections.abc import Callable
from pathlib import Path

import pytest

TOML = """
[workspace]
name = "测试"

[domains.courses]
[[domains.courses.events]]
path = "courses.csv"
columns = { user = "uid", item = "course", occurred_at = "ts" }

[domains.car]
title = "汽车"
[[domains.car.events]]
path = "car.csv"
columns = { user = "uid", item = "sku", occurred_at = "ts" }
kind = "purchase"
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "kuajie.toml").write_text(TOML, encoding="utf-8")
    courses = [f"{user:03d},课{item},2026-01-0{1 + item}T00:00:00" for user in range(30) for item in range(3)]
    car = [f"{user:03d},🚗{user % 5},2026-01-05T00:00:0{user % 5}" for user in range(20)]
    (tmp_path / "courses.csv").write_text("\n".join(["uid,course,ts", *courses, courses[-1], ",课1,2026-01-01"]) + "\n")
    (tmp_path / "car.csv").write_text("\n".join(["uid,sku,ts", *car]) + "\n")
    return tmp_path


def test_the_account_adds_up(kuajie: Callable, workspace: Path) -> None:
    seen = kuajie("import", "-w", workspace, "--json")
    assert seen.code == 0
    source = seen.data["quality"]["sources"][0]
    assert source["read"] == 92
    assert (source["kept"], source["exact_duplicates"], sum(source["quarantined"].values())) == (90, 1, 1)
    assert seen.data["overlap"]["pairs"][0]["people"] == 20
    assert (workspace / "warehouse" / seen.data["snapshot"]["snapshot_id"]).is_dir()


@pytest.mark.parametrize(("language", "words"), [("en", "Data quality"), ("zh", "数据质量")])
def test_it_is_told_in_either_language(kuajie: Callable, workspace: Path, language: str, words: str) -> None:
    seen = kuajie("import", "-w", workspace, "--lang", language)
    assert words in seen.out
    assert "courses.csv" in seen.out
    assert "quarantine" in seen.out


def test_what_was_found_is_told_in_the_language_and_kept_in_english(kuajie: Callable, workspace: Path) -> None:
    (workspace / "car.csv").write_text("uid,sku,ts\n000,🚗1,2026-01-05\n")
    seen = kuajie("import", "-w", workspace, "--lang", "zh")
    assert "  1 行：user 缺失或不是文本" in seen.out
    assert "! car 只有一件物品：无法排名。请提供它的物品目录。" in seen.err
    assert "! courses 和 car 只有 1 人在两边都有行为" in seen.err
    plain = kuajie("import", "-w", workspace, "--lang", "zh", "--json").data
    assert plain["quality"]["sources"][0]["quarantined"] == {"user is missing or no text": 1}
    assert plain["quality"]["warnings"] == ["car has one item alone: nothing can be ranked in it. Bring its catalogue."]
    assert plain["overlap"]["warnings"][0].startswith("courses and car share only one person")
    file = workspace / "warehouse" / plain["quality"]["quarantine"]
    assert "user is missing or no text" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda folder: (folder / "car.csv").unlink(), 1, "car.csv"),
        (lambda folder: (folder / "car.csv").write_text("uid,other,ts\n1,2,\n"), None, "sku"),
        (lambda folder: (folder / "car.csv").write_text("uid,sku,ts\n"), 1, "car"),
        (lambda folder: (folder / "car.csv").write_text("uid,sku,ts\n1,2,2999-01-01\n"), 1, "car.csv"),
    ],
)
def test_bad_sources_fail_in_one_sentence(
    kuajie: Callable, workspace: Path, change: Callable[[Path], object], code: int | None, words: str
) -> None:
    change(workspace)
    seen = kuajie("import", "-w", workspace)
    assert seen.code == code or (code is None and seen.code in {1, 2})
    assert words in seen.err
    assert seen.out == ""
    assert not (workspace / "warehouse" / "latest").exists()
