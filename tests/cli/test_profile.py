"""`kuajie profile`: one person, segments, and wrong calls."""

import builtins
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import TOML, Outcome, write_planted

PROFILES = """
[profiles]
timezone = "Asia/Shanghai"
topics = 4
segments = [2, 6]
"""
USERS = """
[[domains.courses.users]]
path = "users.csv"
columns = { user = "uid", age_band = "age_band", hobby = "爱好" }
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without segments; to be copied."""
    folder = write_planted(tmp_path_factory.mktemp("画像"))
    (folder / "users.csv").write_text("uid,age_band,爱好\n0000,25-34,园艺\n0001,,\n0002,35-44,\n", encoding="utf-8")
    (folder / "kuajie.toml").write_text(TOML + USERS + PROFILES, encoding="utf-8")
    from kuajie.cli.main import run

    with pytest.raises(SystemExit) as end:
        run(["import", "--workspace", str(folder)])
    assert not end.value.code
    return folder


@pytest.fixture(scope="module")
def workspace(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of tests that do not mind when segments were found."""
    return Path(shutil.copytree(imported, tmp_path_factory.mktemp("共用") / "w"))


def fields(outcome: Outcome) -> dict[str, dict[str, object]]:
    return {field["name"]: field for field in outcome.data["fields"]}


def test_segments_are_found_when_they_are_needed_and_kept(
    kuajie: Callable[..., Outcome], imported: Path, tmp_path: Path
) -> None:
    workspace = shutil.copytree(imported, tmp_path / "w")
    first = kuajie("profile", "--segments", "-w", workspace, "--json")
    assert first.code == 0, first.err
    assert len(first.data["segments"]) == 4
    assert sum(each["size"] for each in first.data["segments"]) == first.data["people"] == 400
    assert kuajie("profile", "--segments", "-w", workspace, "--json").data["fitted_at"] == first.data["fitted_at"]
    again = kuajie("profile", "--fit", "-w", workspace, "--json").data
    assert again["fitted_at"] > first.data["fitted_at"]
    assert again["segments"] == first.data["segments"], "the same seed finds the same"


def test_people_of_one_taste_are_in_one_segment(kuajie: Callable[..., Outcome], workspace: Path) -> None:
    numbers = {}
    for person in range(8):
        found = fields(kuajie("profile", "--user", f"courses:{person:04d}", "-w", workspace, "--json"))
        numbers.setdefault(person % 4, set()).add(found["segment"]["details"]["number"])
        assert found["domain_mix"]["details"]["courses"] > 0
    assert all(len(each) == 1 for each in numbers.values())
    assert len(set.union(*numbers.values())) == 4


def test_a_person_is_told_in_both_languages(kuajie: Callable[..., Outcome], workspace: Path) -> None:
    english = kuajie("profile", "--user", "courses:0000", "-w", workspace, "--lang", "en")
    assert english.code == 0, english.err
    assert "life" not in english.out
    assert "sureness" in english.out
    assert "Unknown:" in english.out
    chinese = kuajie("profile", "--user", "courses:0000", "-w", workspace, "--lang", "zh")
    assert "可信度" in chinese.out
    assert "要看出季节性" in chinese.out


def test_sensitive_attributes_are_told_only_where_switched_on(
    kuajie: Callable[..., Outcome], workspace: Path, tmp_path: Path
) -> None:
    found = fields(kuajie("profile", "--user", "courses:0000", "-w", workspace, "--json"))
    assert found["hobby"]["value"] == "园艺"
    assert found["hobby"]["source"] == "declared"
    assert "age_band" not in found
    on = shutil.copytree(workspace, tmp_path / "on")
    (on / "kuajie.toml").write_text(TOML + USERS + PROFILES + 'sensitive = ["age"]\n', encoding="utf-8")
    assert fields(kuajie("profile", "--user", "courses:0000", "-w", on, "--json"))["age_band"]["value"] == "25-34"
    assert "hobby" not in fields(kuajie("profile", "--user", "courses:0002", "-w", on, "--json"))


def test_one_segment_is_told_by_number_and_by_name(kuajie: Callable[..., Outcome], workspace: Path) -> None:
    by_number = kuajie("profile", "--segment", "2", "-w", workspace, "--json", "--lang", "en").data
    by_name = kuajie("profile", "--segment", by_number["name"].upper(), "-w", workspace, "--json", "--lang", "en").data
    assert by_name == by_number
    assert by_number["interests"][0]["lift"]["low"] > 1
    text = kuajie("profile", "--segment", "2", "-w", workspace, "--lang", "en").out
    assert f"2. {by_number['name']}: {by_number['size']} people" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say one of"),
        (["--segments", "--segment", "1"], "say one of"),
        (["--user", "courses"], "written DOMAIN:ID"),
        (["--user", "courses:nobody"], "there is no user 'nobody'"),
        (["--user", "shoes:1"], "there is no domain 'shoes'"),
        (["--segment", "99"], "there is no segment '99'"),
    ],
)
def test_wrong_calls_are_explained(
    kuajie: Callable[..., Outcome], workspace: Path, arguments: list[str], said: str
) -> None:
    outcome = kuajie("profile", *arguments, "-w", workspace)
    assert outcome.code == 2
    assert said in outcome.err
    assert not outcome.out


def test_a_wrong_key_of_the_section_is_named(kuajie: Callable[..., Outcome], workspace: Path, tmp_path: Path) -> None:
    wrong = shutil.copytree(workspace, tmp_path / "wrong")
    (wrong / "kuajie.toml").write_text(TOML + USERS + PROFILES + "topicz = 3\n", encoding="utf-8")
    outcome = kuajie("profile", "--segments", "-w", wrong)
    assert outcome.code == 2
    assert "'profiles.topicz' is not a known key" in outcome.err


def test_without_a_snapshot_the_import_is_named(kuajie: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = kuajie("profile", "--segments", "-w", write_planted(tmp_path))
    assert outcome.code == 2
    assert "kuajie import" in outcome.err


def test_without_scikit_learn_the_extra_is_named(
    kuajie: Callable[..., Outcome], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object, **more: object) -> object:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    for name in [name for name in sys.modules if name.startswith("sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    outcome = kuajie("profile", "--fit", "-w", workspace)
    assert outcome.code == 2
    assert 'pip install "kuajie[ml]"' in outcome.err
