"""`kuajie trends`: what rises is named, in both languages, and wrong calls are said in a sentence."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

TOML = """
[domains.courses]
title = "课程"
title_en = "Courses"
[[domains.courses.events]]
path = "courses.csv"
[[domains.courses.items]]
path = "items.csv"

[domains.car]
title = "汽车"
[[domains.car.events]]
path = "car.csv"
"""


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve weeks in which the share of 涡轮 grows by a fifth a week; 保养 and 音响 share the rest."""
    folder, rng = tmp_path_factory.mktemp("趋势"), np.random.default_rng(0)
    begun, rows = datetime(2025, 1, 1, tzinfo=UTC), []
    for week in range(12):
        share = 0.1 * 1.2**week
        for _ in range(150):
            item = rng.choice(2) if rng.random() < share / (1 + share) else 2 + rng.choice(4)
            at = begun + timedelta(weeks=week, hours=int(rng.integers(168)))
            rows.append(f"u{rng.integers(40)},课{item},{at.isoformat()}")
    (folder / "courses.csv").write_text("\n".join(["user,item,occurred_at", *rows]) + "\n", encoding="utf-8")
    (folder / "car.csv").write_text("\n".join(["user,item,occurred_at", *rows[:50]]) + "\n", encoding="utf-8")
    labels = ["涡轮", "涡轮", "保养", "保养", "音响", "音响"]
    items = [f"课{item},{label}" for item, label in enumerate(labels)]
    (folder / "items.csv").write_text("\n".join(["item,category", *items]) + "\n", encoding="utf-8")
    (folder / "kuajie.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.fixture
def imported(kuajie: Callable, growing: Path) -> Path:
    if not (growing / "warehouse").exists():
        assert kuajie("import", "-w", growing).code == 0
    return growing


def test_machines_read_every_label_and_which_rise(kuajie: Callable, imported: Path) -> None:
    seen = kuajie("trends", "-w", imported, "--json", "--weeks", 10).data
    assert (seen["field"], seen["weeks"], list(seen["domains"])) == ("category", 10, ["courses", "car"])
    found = {each["label"]: each for each in seen["domains"]["courses"]}
    assert {label for label, each in found.items() if each["rises"]} == {"涡轮"}
    assert found.keys() == {"涡轮", "保养", "音响"}
    low, high = found["涡轮"]["ci95"]
    assert 1 < low < found["涡轮"]["weekly_factor"] < high
    assert seen["domains"]["car"] == [], "its items have no category"


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Courses: 1 of 3 rise", "weekly factor"]), ("zh", ["课程：3 个标签中有 1 个上升", "每周倍数"])],
)
def test_people_read_what_rises(kuajie: Callable, imported: Path, language: str, words: list[str]) -> None:
    seen = kuajie("trends", "-w", imported, "--lang", language, "--domain", "courses")
    assert seen.code == 0
    assert all(word in seen.out for word in [*words, "涡轮"])
    assert "保养" not in seen.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--weeks", "3"], 2, "at least 4 weeks, got 3"),
        (["--domain", "cra"], 2, "no domain 'cra'"),
        (["--field", "没有"], 1, "have no labels '没有'"),
        (["extra"], 2, "extra"),
    ],
)
def test_wrong_calls(kuajie: Callable, imported: Path, arguments: list[str], code: int, words: str) -> None:
    seen = kuajie("trends", "-w", imported, "--lang", "en", *arguments)
    assert (seen.code, seen.out) == (code, "")
    assert words in seen.err


def test_without_an_import_it_says_so(kuajie: Callable, tmp_path: Path) -> None:
    (tmp_path / "kuajie.toml").write_text(TOML, encoding="utf-8")
    seen = kuajie("trends", "-w", tmp_path)
    assert seen.code == 2
    assert "kuajie import" in seen.err
