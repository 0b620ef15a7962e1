import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kuajie.core.errors import JobError
from kuajie.workflows.arena import CHOOSING_SECONDS
from kuajie.workflows.choose import ChooseConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two domains, two tastes; the last row of everybody is the test row."""
    path = tmp_path_factory.mktemp("split")
    rng = np.random.default_rng(0)
    for domain in ("书", "music"):
        rows = [(user, 2 * int(item) + user % 2) for user in range(60) for item in rng.choice(10, 5, replace=False)]
        frame = pl.DataFrame(rows, schema={"user": pl.Int32, "item": pl.Int32}, orient="row")
        test = frame.group_by("user", maintain_order=True).last()
        frame.join(test, on=["user", "item"], how="anti").write_parquet(path / f"{domain}_train.parquet")
        test.write_parquet(path / f"{domain}_test.parquet")
    return path


def test_results_are_printed_and_written(kuajie: Callable, folder: Path, tmp_path: Path) -> None:
    seen = kuajie("benchmark", folder, "--models", "popularity,itemknn", "--json", tmp_path / "out.json")
    assert seen.code == 0
    assert "itemknn" in seen.out
    assert "书" in seen.out
    assert "NDCG@10 against popularity, the best target-only model" in seen.out
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["domains"]["书"]["test_rows"] == 60
    model = written["domains"]["music"]["models"]["itemknn"]
    low, high = model["ci95"]["ndcg@10"]
    assert low <= model["ndcg@10"] <= high


def test_standard_output_carries_only_json(kuajie: Callable, folder: Path) -> None:
    seen = kuajie("benchmark", folder, "--models", "popularity", "--candidates", "sampled-99", "--json", "-")
    assert seen.data["candidates"] == "sampled-99"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--models", "itemnn"], 2, "there is no model 'itemnn'"),
        (["--models", "itemknn:targt"], 2, "targt"),
        (["--candidates", "some"], 2, "some"),
        (["--budget", "soon"], 2, "'soon' is no duration; write it as 90s, 30m or 1h30m"),
        (["--device", "tpu"], 2, "the device must be one of cpu, cuda, auto, got 'tpu'"),
        (["--seed", "-1"], 2, "--seed"),
        (["--json", "/dev/null/x.json", "--models", "popularity"], 1, "could not be written"),
    ],
)
def test_wrong_calls(kuajie: Callable, folder: Path, arguments: list[str], code: int, words: str) -> None:
    seen = kuajie("benchmark", folder, *arguments)
    assert seen.code == code
    assert words in seen.err


def test_a_budget_is_what_choosing_gets(kuajie: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def choose(*_: object, config: ChooseConfig, **__: object) -> None:
        seen.append(config.seconds)
        raise JobError("enough")

    monkeypatch.setattr("kuajie.workflows.choose.choose", choose)
    assert kuajie("benchmark", folder, "--models", "auto", "--budget", "1m5s").code == 1
    assert kuajie("benchmark", folder, "--models", "auto").code == 1
    assert seen == [65.0, CHOOSING_SECONDS]


def test_deep_models_are_named_among_the_others(kuajie: Callable, folder: Path) -> None:
    seen = kuajie("benchmark", folder, "--models", "popularity,nosuch")
    assert all(name in seen.err for name in ("sasrec", "gru4rec", "caser"))


def test_a_model_of_order_refuses_rows_without_one(kuajie: Callable, folder: Path) -> None:
    pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
    seen = kuajie("benchmark", folder, "--models", "sasrec")
    assert seen.code == 1
    assert "reads the order of events, and these have none. Choose a model of sets" in seen.err


def test_without_pytorch_a_deep_model_names_the_extra(
    kuajie: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    seen = kuajie("benchmark", folder, "--models", "popularity,sasrec")
    assert seen.code == 2
    assert "the model 'sasrec' needs torch, which is not installed. Run: pip install \"kuajie[deep]\"" in seen.err


def test_a_folder_that_is_no_split_says_what_one_is(kuajie: Callable, tmp_path: Path) -> None:
    for name in ("train", "test", "kg"):  # one domain alone, as some data sets have it
        (tmp_path / f"{name}.parquet").touch()
    seen = kuajie("benchmark", tmp_path)
    assert seen.code == 1
    assert "got no <domain>_train.parquet. Name its files so" in seen.err
