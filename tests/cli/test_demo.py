import re
from collections.abc import Callable
from pathlib import Path

import pytest

HAN = re.compile("[\u4e00-\u9fff]")


@pytest.mark.slow
def test_the_whole_main_job_runs_twice(kuajie: Callable, tmp_path: Path) -> None:
    for language, words in (("zh", "为汽车改装配件选定"), ("en", "Chosen for Car modification parts")):
        seen = kuajie("demo", tmp_path / "演示", "--seconds", 1, "--lang", language)
        assert seen.code == 0
        assert words in seen.out
        assert "car_parts" in seen.out
        page = (tmp_path / "演示" / "reports" / "report.html").read_text(encoding="utf-8")
        assert ("知识付费平台" in page) == (language == "zh")
        assert ("Knowledge platform" in page) == (language == "en")
        if language == "en":  # the whole job reads English, but for the folder's name
            assert not HAN.search((seen.out + page).replace("演示", ""))
    assert len(list((tmp_path / "演示" / "models").glob("*/manifest.json"))) == 2


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["auto-finance", "film", "car", "beauty", "all"])
def test_every_scenario_runs_through_the_main_job(kuajie: Callable, tmp_path: Path, scenario: str) -> None:
    seen = kuajie("demo", tmp_path / "demo", "--scenario", scenario, "--seconds", 1, "--lang", "en")
    assert seen.code == 0
    for part in ("kuajie import", "kuajie train", "kuajie evaluate", "kuajie recommend", "kuajie profile --segments"):
        assert part in seen.out
    assert "by way of" in seen.out, "paths of the knowledge graph as reasons"
    assert "mmr" in seen.out, "the curve of a re-ranker"


def test_a_world_is_written_as_a_workspace(kuajie: Callable, tmp_path: Path) -> None:
    seen = kuajie("init", tmp_path / "w", "--scenario", "car-parts")
    assert seen.code == 0
    assert "kuajie import" in seen.out
    assert (tmp_path / "w" / "kuajie.toml").is_file()
    assert kuajie("init", tmp_path / "w", "--scenario", "film").code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "carparts"], "did you mean 'car-parts'"),
        (["--scenario", "film", "--size", "tiny"], "there are small, seed, large"),
    ],
)
def test_a_mistyped_world_is_answered_with_the_right_one(
    kuajie: Callable, tmp_path: Path, arguments: list[str], words: str
) -> None:
    seen = kuajie("init", tmp_path / "w", *arguments)
    assert seen.code == 2
    assert words in seen.err
    assert not (tmp_path / "w").exists()
