import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from kuajie.cli.screen import Screen
from kuajie.cli.settings import parse_setting
from kuajie.cli.tune import show_tuning
from kuajie.core.errors import UsageError
from kuajie.evaluation.tuning import Range, grid_search
from kuajie.models.sequence import SequenceConfig
from kuajie.workflows.tune import TuneResult


def test_the_best_of_a_grid_comes_first(kuajie: Callable, trained: Path) -> None:
    seen = kuajie("tune", "itemknn", "-w", trained, "--set", "k=1,20", "--set", "similarity=cosine,jaccard", "--json")
    trials = seen.data["trials"]
    assert len(trials) == 4
    assert trials[0]["settings"] == seen.data["settings"]
    assert seen.data["settings"]["k"] == 20
    assert [t["ndcg@10"] for t in trials] == sorted((t["ndcg@10"] for t in trials), reverse=True)


def test_a_range_is_searched_with_optuna_and_gives_lines_for_the_file(kuajie: Callable, trained: Path) -> None:
    arguments = ("itemknn", "--target", "car", "--method", "optuna", "--set", "shrinkage=1:20", "--trials", 2)
    seen = kuajie("tune", *arguments, "-w", trained)
    assert seen.code == 0
    assert seen.err == ""
    lines = tomllib.loads(seen.out[seen.out.index("[training") :])
    assert 1 <= lines["training"]["settings"]["itemknn"]["shrinkage"] <= 20


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("k=50,100", ("k", [50, 100])),
        ("power=0.5", ("power", [0.5])),
        ("binary=true,false", ("binary", [True, False])),
        ("similarity=jaccard", ("similarity", ["jaccard"])),
        ("k=10:400", ("k", Range(10, 400, whole=True))),
        ("alpha=0.3:0.7", ("alpha", Range(0.3, 0.7))),
        ("l2=1e-2:1e3:log", ("l2", Range(0.01, 1000.0, log=True))),
    ],
)
def test_settings_are_read(text: str, parsed: tuple) -> None:
    assert parse_setting(text) == parsed


@pytest.mark.parametrize("text", ["k", "k=", "=3", "k=a:b", "k=9:1", "l2=0:1:log", "k=1:2:3", "k=1:2:log:log"])
def test_settings_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_setting(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["itemknn", "--set", "shrinkge=1"], "shrinkge"),
        (["itemnn", "--set", "k=1"], "no family 'itemnn'"),
        (["itemknn", "--set", "k=0"], "'k'"),
        (["itemknn", "--set", "k=1", "--target", "cars"], "no domain 'cars'"),
        (["itemknn", "--set", "k=1:5"], "--method optuna"),
        (["itemknn", "--scope", "all"], "--scope"),
    ],
)
def test_wrong_calls(kuajie: Callable, trained: Path, arguments: list[str], words: str) -> None:
    seen = kuajie("tune", *arguments, "-w", trained)
    assert seen.code == 2
    assert words in seen.err


def test_none_that_was_best_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    start = SequenceConfig()
    tuning = grid_search(start, {"half_life_positions": [None]}, lambda _: 0.5)
    show_tuning(Screen("zh"), TuneResult("sequence", tuning, start, 0.4, 10, 1))
    seen = capsys.readouterr()
    assert "half_life_positions：最好的取值是“无”" in seen.err
    assert "# half_life_positions = none" in seen.out
