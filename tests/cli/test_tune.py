from collections.abc import Callable
from pathlib import Path

import pytest

from kuajie.core.errors import UsageError
from kuajie.evaluation.tuning import Range
from kuajie.workflows.tune import parse_setting


def test_the_best_of_a_grid_comes_first(kuajie: Callable, trained: Path) -> None:
    seen = kuajie("tune", "itemknn", "-w", trained, "--try", "k=1,20", "--try", "similarity=cosine,jaccard", "--json")
    trials = seen.data["trials"]
    assert len(trials) == 4
    assert trials[0]["config"] == seen.data["best"]
    assert seen.data["best"]["k"] == 20
    assert [t["ndcg@10"] for t in trials] == sorted((t["ndcg@10"] for t in trials), reverse=True)


def test_a_range_is_searched_with_optuna(kuajie: Callable, trained: Path) -> None:
    arguments = ("itemknn:target", "--target", "car", "--try", "shrinkage=0..20", "--trials", 3, "-w", trained)
    seen = kuajie("tune", *arguments)
    assert seen.code == 0
    assert "shrinkage" in seen.out
    assert len(seen.out.splitlines()) == 5
    assert seen.err == ""


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("k=50,100", ("k", [50, 100])),
        ("power=0.5", ("power", [0.5])),
        ("binary=true,false", ("binary", [True, False])),
        ("similarity=jaccard", ("similarity", ["jaccard"])),
        ("k=10..400", ("k", Range(10, 400, whole=True))),
        ("alpha=0.3..0.7", ("alpha", Range(0.3, 0.7))),
        ("l2=1e-2..1e3:log", ("l2", Range(0.01, 1000.0, log=True))),
    ],
)
def test_settings_are_read(text: str, parsed: tuple) -> None:
    assert parse_setting(text) == parsed


@pytest.mark.parametrize("text", ["k", "k=", "=3", "k=a..b", "k=9..1", "l2=0..1:log"])
def test_settings_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_setting(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["itemknn", "--try", "shrinkge=1"], "did you mean 'shrinkage'"),
        (["auto", "--try", "k=1"], "tunes itself"),
        (["itemknn", "--try", "k=0"], "'k'"),
        (["itemknn", "--try", "k=1", "--target", "cars"], "did you mean 'car'"),
        (["itemknn"], "--try"),
    ],
)
def test_wrong_calls(kuajie: Callable, trained: Path, arguments: list[str], words: str) -> None:
    seen = kuajie("tune", *arguments, "-w", trained)
    assert seen.code == 2
    assert words in seen.err
