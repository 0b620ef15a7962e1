"""Adapters of `core.tracking`: TensorBoard, Weights & Biases (offline) and MLflow (an SQLite store) in a folder.

Chosen by `KIND:FOLDER`, such as `tensorboard:runs`. Each keeps settings, metrics by epoch, and the paths of files; none
sends anything over the network.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kuajie.core.clock import Clock, system_clock
from kuajie.core.errors import MissingExtraError, UsageError
from kuajie.core.texts import Text
from kuajie.core.tracking import Run, Tracker

if TYPE_CHECKING:
    import wandb
    from mlflow.tracking import MlflowClient
    from tensorboard.compat.proto.summary_pb2 import Summary


def open_tracker(text: str, clock: Clock = system_clock) -> Tracker:
    """The tracker of `KIND:FOLDER`.

    Args:
        text: such as "mlflow:runs"; a relative folder is one of the current folder.
        clock: names runs and stamps metrics where the package does not.

    Raises:
        UsageError: no such kind, or no folder.
        MissingExtraError: its package is not installed.
    """
    kind, _, folder = text.partition(":")
    if kind not in TRACKERS or not folder:
        raise UsageError(
            "the tracker '{text}' must be one of {known}, a colon and a folder, such as tensorboard:runs",
            text=text,
            known=", ".join(TRACKERS),
        )
    return TRACKERS[kind](Path(folder), clock)


class TensorBoard:
    """Event files that `tensorboard --logdir FOLDER` shows."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise missing("tensorboard") from None
        self.folder, self.clock, self.count = folder, clock, 0

    def begin(self, name: str, params: Mapping[str, object]) -> Run:
        """A folder of its own for each run."""
        self.count += 1
        stamp = self.clock().strftime("%Y%m%dT%H%M%S%f")
        return _TensorBoardRun(self.folder / f"{name}-{stamp}-{self.count}", params, self.clock)


class _TensorBoardRun:
    def __init__(self, folder: Path, params: Mapping[str, object], clock: Clock) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.clock = clock
        folder.mkdir(parents=True, exist_ok=True)
        self.writer = EventFileWriter(str(folder))
        self._write([_text(f"settings/{name}", str(value)) for name, value in flat(params).items()], 0)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._write([Summary.Value(tag=name, simple_value=value) for name, value in values.items()], step)

    def artefact(self, path: Path) -> None:
        self._write([_text("artefact", str(path))], 0)

    def close(self) -> None:
        self.writer.close()

    def _write(self, values: "list[Summary.Value]", step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        now = self.clock().timestamp()
        self.writer.add_event(Event(wall_time=now, step=step, summary=Summary(value=values)))


def _text(tag: str, text: str) -> "Summary.Value":
    """A text as TensorBoard's text page reads it."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()], tensor_shape=shape)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


class WeightsAndBiases:
    """Runs in `FOLDER/wandb`, offline; `wandb sync` uploads them for whoever wants that."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        try:
            import wandb  # noqa: F401
        except ImportError:
            raise missing("wandb") from None
        self.folder = folder

    def begin(self, name: str, params: Mapping[str, object]) -> Run:
        """A run; several may be open."""
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True)
        how = {"mode": "offline", "reinit": "create_new", "settings": settings}
        return _WandbRun(wandb.init(project="kuajie", name=name, dir=str(self.folder), config=dict(params), **how))


class _WandbRun:
    def __init__(self, run: "wandb.Run") -> None:
        self.run = run

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self.run.log(dict(values), step=step)

    def artefact(self, path: Path) -> None:
        self.run.summary["artefact"] = str(path)

    def close(self) -> None:
        self.run.finish()


class MLflow:
    """Runs of the experiment "kuajie" in `FOLDER/mlflow.db`."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        try:
            from mlflow.tracking import MlflowClient
        except ImportError:
            raise missing("mlflow-skinny") from None
        folder.mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(tracking_uri=f"sqlite:///{(folder / 'mlflow.db').resolve()}")
        found = self.client.get_experiment_by_name("kuajie")
        place = (folder / "artefacts").resolve().as_uri()
        self.experiment = found.experiment_id if found else self.client.create_experiment("kuajie", place)

    def begin(self, name: str, params: Mapping[str, object]) -> Run:
        """A run with its settings as parameters."""
        run = self.client.create_run(self.experiment, run_name=name)
        for key, value in flat(params).items():
            self.client.log_param(run.info.run_id, key, value)
        return _MLflowRun(self.client, run.info.run_id)


class _MLflowRun:
    def __init__(self, client: "MlflowClient", run: str) -> None:
        self.client, self.run = client, run

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.client.log_metric(self.run, name.replace("@", "_at_"), value, step=step)

    def artefact(self, path: Path) -> None:
        self.client.set_tag(self.run, "artefact", str(path))

    def close(self) -> None:
        self.client.set_terminated(self.run)


def flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested settings under dotted names."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def missing(package: str) -> MissingExtraError:
    """The sentence about a tracker's package."""
    return MissingExtraError(Text("the tracker"), package, "trackers")


TRACKERS: dict[str, Any] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases, "mlflow": MLflow}
