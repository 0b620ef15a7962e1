import sys
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kuajie.core.errors import MissingExtraError, UsageError
from kuajie.core.tracking import UNTRACKED
from kuajie.models.deep.trackers import TRACKERS, flat, open_tracker

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARAMS: Mapping[str, object] = {"kind": "sasrec", "training": {"learning_rate": 0.001}, "note": "中文"}


def clock() -> datetime:
    return NOW


def record(text: str) -> None:
    with closing(open_tracker(text, clock).begin("sasrec", PARAMS)) as run:
        run.metrics({"loss/train": 3.0, "validation_ndcg@10": 0.25}, 1)
        run.metrics({"loss/train": 2.0, "validation_ndcg@10": 0.5}, 2)
        run.artefact(Path("best.safetensors"))


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="NOT TESTED on trackers: tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record(f"tensorboard:{tmp_path}")
    (folder,) = tmp_path.iterdir()
    events = EventAccumulator(str(folder)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("validation_ndcg@10")] == [(1, 0.25), (2, 0.5)]
    (note,) = events.Tensors("settings/note")
    assert note.tensor_proto.string_val[0].decode() == "中文"
    assert events.Tensors("artefact")[0].tensor_proto.string_val[0] == b"best.safetensors"
    assert events.Tensors("settings/training.learning_rate")[0].wall_time == NOW.timestamp()


def test_two_tensorboard_runs_of_one_moment_do_not_meet(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="NOT TESTED on trackers: tensorboard is not installed")
    tracker = open_tracker(f"tensorboard:{tmp_path}", clock)
    for _ in range(2):
        tracker.begin("sasrec", {}).close()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")  # of mlflow
def test_mlflow_keeps_runs_in_sqlite(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="NOT TESTED on trackers: mlflow-skinny is not installed")
    from mlflow.tracking import MlflowClient

    record(f"mlflow:{tmp_path}")
    record(f"mlflow:{tmp_path}")  # the experiment is there already
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("kuajie")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2
    assert runs[0].data.params == {"kind": "sasrec", "training.learning_rate": "0.001", "note": "中文"}
    history = client.get_metric_history(runs[0].info.run_id, "validation_ndcg_at_10")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.25), (2, 0.5)]
    assert runs[0].data.tags["artefact"] == "best.safetensors"
    assert runs[0].info.status == "FINISHED"


def test_wandb_writes_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="NOT TESTED on trackers: wandb is not installed")
    record(f"wandb:{tmp_path}")
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    until = time.monotonic() + 20
    while b"best.safetensors" not in file.read_bytes():  # its own process writes, a moment later
        assert time.monotonic() < until
        time.sleep(0.05)
    assert b"validation_ndcg@10" in file.read_bytes()


@pytest.mark.parametrize("text", ["", "tensorboard", "tensorboard:", "清单:runs", "runs"])
def test_a_wrong_tracker_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"one of tensorboard, wandb, mlflow, a colon and a folder"):
        open_tracker(text)


@pytest.mark.parametrize("kind", TRACKERS)
def test_a_missing_package_names_the_extra(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tensorboard", "wandb", "mlflow", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "kuajie\[trackers\]"'):
        open_tracker(f"{kind}:{tmp_path}")


def test_settings_are_flattened() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": ()}, "e": None}) == {"a.b.c": 1, "a.d": (), "e": None}


def test_no_tracker_keeps_nothing() -> None:
    run = UNTRACKED.begin("sasrec", PARAMS)
    run.metrics({"loss": 1.0}, 1)
    run.artefact(Path("x"))
    run.close()
