import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(("target", "prefix"), [("car", "🚗"), ("courses", "课")])
def test_what_fits_comes_first_with_what_carried_it(kuajie: Callable, trained: Path, target: str, prefix: str) -> None:
    for user in range(40, 60):
        events = (trained / f"{target}.csv").read_text(encoding="utf-8")
        if events.count(f"\n{user:04d},") == 5:
            continue  # knows everything that fits
        seen = kuajie("recommend", "-w", trained, "--user", f"courses:{user:04d}", "--target", target, "--json")
        best = seen.data["items"][0]
        assert int(best["item"].removeprefix(prefix)) % 4 == user % 4
        assert best["reasons"]
        assert all(int(reason["item"][1:]) % 4 == user % 4 for reason in best["reasons"] if reason["item"])
        assert 0.3 < sum(reason["share"] for reason in best["reasons"]) <= 1.001


def test_what_was_used_before_comes_back_where_it_is_asked_for(kuajie: Callable, trained: Path) -> None:
    used = {
        row.split(",")[1] for row in (trained / "car.csv").read_text(encoding="utf-8").splitlines() if "0007," in row
    }
    call = ("recommend", "-w", trained, "--user", "car:0007", "--target", "car", "--json")
    plain, again = ({each["item"] for each in kuajie(*call, *more).data["items"]} for more in ((), ("--repeats",)))
    assert used
    assert not plain & used
    assert used <= again, "they fit best"


@pytest.mark.parametrize(("language", "words"), [("en", "Because of “🚗"), ("zh", "因为您用过“🚗")])
def test_reasons_speak_the_language(kuajie: Callable, trained: Path, language: str, words: str) -> None:
    seen = kuajie("recommend", "-w", trained, "--user", "courses:0003", "--target", "car", "--lang", language)
    assert words in seen.out


def test_what_was_trained_is_told(kuajie: Callable, trained: Path) -> None:
    seen = kuajie("models", "-w", trained, "--json")
    version = seen.data["versions"][0]
    assert version["model_version"] == seen.data["serving"]
    assert set(version["metrics"]) == {"courses", "car"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--user", "course:0003", "--target", "car"], "did you mean 'courses'"),
        (["--user", "courses:0003", "--target", "cra"], "did you mean 'car'"),
        (["--user", "courses:3", "--target", "car"], "no user '3'"),
        (["--user", "0003", "--target", "car"], "DOMAIN:ID"),
        (["--user", "courses:", "--target", "car"], "DOMAIN:ID"),
        (["--user", "courses:0003", "--target", "car", "-k", "0"], "-k"),
        (["--user", "courses:0003", "--target", "car", "--model", "none"], "no model version 'none'"),
        (["--user", "courses:0003"], "--target"),
    ],
)
def test_wrong_calls(kuajie: Callable, trained: Path, arguments: list[str], words: str) -> None:
    seen = kuajie("recommend", "-w", trained, *arguments)
    assert seen.code == 2
    assert words in seen.err
    assert seen.out == ""


@pytest.mark.slow
def test_a_deep_model_is_trained_and_serves(kuajie: Callable, trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
    shutil.copytree(trained, tmp_path / "w")
    toml = (tmp_path / "w" / "kuajie.toml").read_text(encoding="utf-8").replace('"itemknn"', '"sasrec"')
    toml += "[training.settings.sasrec]\ndim = 16\nblocks = 1\ntraining = { epochs = 4, learning_rate = 0.02 }\n"
    (tmp_path / "w" / "kuajie.toml").write_text(toml, encoding="utf-8")
    done = kuajie("train", "-w", tmp_path / "w", "--budget", "30s", "--json")
    assert done.code == 0
    for choice in done.data["chosen"].values():
        assert any(member["kind"] == "sasrec" for member in choice["members"].values())
    events = (trained / "car.csv").read_text(encoding="utf-8")
    user = next(user for user in range(400) if events.count(f"\n{user:04d},") < 5)  # something that fits is left
    seen = kuajie("recommend", "-w", tmp_path / "w", "--user", f"courses:{user:04d}", "--target", "car", "--json")
    best = seen.data["items"][0]
    assert int(best["item"].removeprefix("🚗")) % 4 == user % 4
    assert best["reasons"]


def test_trainings_are_written_down(kuajie: Callable, trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="NOT TESTED on trackers: tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shutil.copytree(trained, tmp_path / "w")
    runs = tmp_path / "runs"
    assert kuajie("train", "-w", tmp_path / "w", "--budget", "8s", "--tracker", f"tensorboard:{runs}").code == 0
    (run,) = runs.iterdir()
    events = EventAccumulator(str(run)).Reload()
    assert events.Scalars("validation_ndcg@10/car")[0].value > 0.3
    assert events.Tensors("settings/seconds")[0].tensor_proto.string_val == [b"8.0"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--budget", "long"], "'long' is no duration"),
        (["--tracker", "tensorboard"], "must be one of tensorboard, wandb, mlflow, a colon and a folder"),
        (["--device", "gpu"], "the device must be one of cpu, cuda, auto"),
    ],
)
def test_wrong_ways_to_train(kuajie: Callable, trained: Path, arguments: list[str], words: str) -> None:
    seen = kuajie("train", "-w", trained, *arguments)
    assert seen.code == 2
    assert words in seen.err


def test_without_import_or_model_the_next_command_is_named(kuajie: Callable, trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "kuajie.toml", tmp_path)
    assert "kuajie import" in kuajie("train", "-w", tmp_path).err
    assert "kuajie train" in kuajie("recommend", "-w", tmp_path, "--user", "courses:1", "--target", "car").err


def test_a_snapshot_that_has_gone_is_named(kuajie: Callable, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "models", tmp_path / "models")
    shutil.copy(trained / "kuajie.toml", tmp_path)
    seen = kuajie("recommend", "-w", tmp_path, "--user", "courses:0003", "--target", "car")
    assert seen.code == 1
    assert "Run: kuajie train" in seen.err


def test_a_damaged_model_is_refused(kuajie: Callable, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    arrays = next((folder / "models").glob("*/arrays.safetensors"))
    content = bytearray(arrays.read_bytes())
    content[-1] ^= 1
    arrays.write_bytes(content)
    seen = kuajie("recommend", "-w", folder, "--user", "courses:0003", "--target", "car")
    assert seen.code == 1
    assert "is damaged" in seen.err
