"""The loop, on a network so small that its optimum is known."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kuajie.core.errors import ArtifactError, JobError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import FitOptions
from kuajie.core.side import Labels, SideInformation
from kuajie.core.space import ItemSpace
from kuajie.core.tracking import NoRun
from kuajie.models.deep.configs import TrainingConfig
from kuajie.models.deep.order_configs import SASRecConfig

torch = pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")

from kuajie.models.deep.checkpoints import Checkpoints, checkpoints_of  # noqa: E402 # needs torch
from kuajie.models.deep.training import Job, Player, chosen_device, mixed, reproducible, train  # noqa: E402

WANTED = torch.tensor([1.0, -2.0, 3.0])
CONFIG = TrainingConfig(epochs=8, learning_rate=0.1, patience=3)


class Notes(NoRun):
    def __init__(self) -> None:
        self.kept: list[tuple[int, dict[str, float]]] = []

    def metrics(self, values: object, step: int) -> None:
        self.kept.append((step, dict(values)))  # type: ignore[call-overload]


def job(metrics: list[float] | None = None, seed: int = 0, dropout: float = 0.0) -> Job:
    """A linear layer that is to become WANTED; validated by what `metrics` says of the epochs, one after the other."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Dropout(dropout), torch.nn.Linear(3, 1, bias=False))

    def loss(batch: np.ndarray) -> torch.Tensor:
        rows = torch.tensor(batch, dtype=torch.float32)
        return ((network(rows)[:, 0] - rows @ WANTED) ** 2).mean()

    def batches(rng: np.random.Generator) -> list[np.ndarray]:
        return [rng.normal(size=(16, 3)) for _ in range(20)]

    said = None if metrics is None else iter(metrics)
    players = [Player("train", list(network.parameters()), loss)]
    return Job("a line", network, players, batches, None if said is None else lambda: next(said))


def weights(done: Job) -> np.ndarray:
    return done.network[1].weight.detach().numpy().copy()


def run(
    what: Job, config: TrainingConfig = CONFIG, options: FitOptions | None = None, folder: Path | None = None
) -> int:
    checkpoints = None if folder is None else Checkpoints(folder)
    return len(train(what, config, options or FitOptions(), NoRun(), checkpoints))


def test_it_finds_the_optimum_without_validation() -> None:
    what = job()
    assert run(what) == 8
    np.testing.assert_allclose(weights(what)[0], WANTED, atol=0.01)


def test_it_stops_after_patience_and_keeps_the_best_epoch() -> None:
    what, short = job([0.1, 0.5, 0.4, 0.5, 0.3, 0.9]), job([0.1, 0.5])
    assert run(what) == 5  # epoch 2 is the best; 3, 4 and 5 bring no gain
    run(short, CONFIG.model_copy(update={"epochs": 2}))
    np.testing.assert_array_equal(weights(what), weights(short))


def test_a_network_that_no_epoch_makes_better_stays_as_it_was() -> None:
    what = job([0.4, 0.5, 0.3])
    what = Job(what.name, what.network, what.players, what.batches, what.validate, start=0.6)
    before = weights(what)
    assert run(what) == 3
    np.testing.assert_array_equal(weights(what), before)


def test_a_seed_is_a_run() -> None:
    first, second, other = job(dropout=0.5), job(dropout=0.5), job(dropout=0.5)
    run(first, options=FitOptions(seed=1))
    run(second, options=FitOptions(seed=1))
    run(other, options=FitOptions(seed=2))
    np.testing.assert_array_equal(weights(first), weights(second))
    assert (weights(first) != weights(other)).any()


def test_time_ends_it_within_an_epoch() -> None:
    what = job()
    epochs = run(what, CONFIG.model_copy(update={"epochs": 1_000_000}), FitOptions(seconds=0.2))
    assert 1 <= epochs < 10_000
    assert run(job(), options=FitOptions(seconds=0.0)) == 0


def test_an_epoch_that_time_cuts_is_no_checkpoint(tmp_path: Path) -> None:
    what = job([0.1, 0.2])

    def slow(rng: np.random.Generator) -> Iterator[np.ndarray]:
        for batch in what.batches(rng):
            yield batch
            time.sleep(0.02)

    limited = replace(what, batches=slow)
    assert run(limited, options=FitOptions(seconds=0.1), folder=tmp_path) == 1  # of 0.4 s
    assert not list(tmp_path.iterdir())


def test_what_is_trained_on_names_the_checkpoints(tmp_path: Path) -> None:
    options = FitOptions(checkpoints=tmp_path)
    histories = Histories.from_lists([[0, 1], [2]], 3, times=[[1.0, 2.0], [3.0]], order="joint")
    side = SideInformation(3, texts={"title": ("书", "车", "课")}, vectors={"image": np.eye(3, dtype=np.float32)})
    data = Interactions(ItemSpace(("书", "车"), (2, 1)), histories, side)
    later = replace(histories, times=np.array([1.0, 2.5, 3.0]))
    others = [
        data,
        replace(data, histories=later),
        replace(data, histories=replace(histories, order="domain")),
        replace(data, space=ItemSpace(("书", "店"), (2, 1))),
        replace(data, space=ItemSpace(("书", "车"), (1, 2))),
        replace(data, side=replace(side, texts={"title": ("书", "车", "新课")})),
        replace(data, side=replace(side, vectors={"image": np.ones((3, 3), np.float32)})),
        replace(data, side=replace(side, numbers={"price": np.ones(3)})),
        replace(data, side=replace(side, labels={"brand": Labels.of(["甲", "乙", "甲"])})),
        replace(data, side=None),
    ]
    folders = [checkpoints_of(SASRecConfig(), each, options).last.parent for each in others]
    assert len(set(folders)) == len(others)
    assert checkpoints_of(SASRecConfig(), data, options).last.parent == folders[0]


def test_a_loss_that_is_no_number_is_named() -> None:
    what = job()
    broken = Player("train", what.players[0].parameters, lambda batch: what.players[0].loss(batch) * float("nan"))
    with pytest.raises(
        JobError, match=r"the loss of a line became nan in epoch 1. Choose a smaller 'training.learning_"
    ):
        run(Job("a line", what.network, [broken], what.batches, None))


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    metrics = [0.1, 0.2, 0.3, 0.25, 0.4, 0.35, 0.3, 0.2]
    whole, first, second = (
        job(metrics, dropout=0.3),
        job(metrics[:3], dropout=0.3),
        job(metrics[3:], dropout=0.3, seed=9),
    )
    assert run(whole) == 8
    run(first, CONFIG.model_copy(update={"epochs": 3}), folder=tmp_path)
    assert run(second, folder=tmp_path) == 5
    np.testing.assert_array_equal(weights(whole), weights(second))
    again = job([], seed=7)
    assert run(again, folder=tmp_path) == 0  # it is over: the best epoch is read
    np.testing.assert_array_equal(weights(whole), weights(again))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    run(job([0.1] * 9), folder=tmp_path)
    (tmp_path / "last.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(ArtifactError, match=r"last\.safetensors cannot be read: .* Delete its folder and train again"):
        run(job([0.1] * 9), folder=tmp_path)


def test_players_move_their_own_parameters() -> None:
    """Two players with opposite aims at one point: each moves its own number alone."""
    network = torch.nn.ParameterDict({"a": torch.nn.Parameter(torch.zeros(1)), "b": torch.nn.Parameter(torch.ones(1))})
    network.train()
    players = [
        Player("low", [network["a"]], lambda _: ((network["a"] - network["b"].detach()) ** 2).sum()),
        Player("away", [network["b"]], lambda _: ((network["b"] - 5) ** 2 + 0 * network["a"]).sum()),
    ]
    notes = Notes()
    train(Job("a game", network, players, lambda _: [0] * 30, None), CONFIG, FitOptions(), notes)
    assert network["b"].item() == pytest.approx(5, abs=0.3)
    assert network["a"].item() == pytest.approx(5, abs=0.6)
    assert set(notes.kept[0][1]) == {"loss/low", "loss/away", "seconds"}


def test_progress_and_metrics_are_told() -> None:
    told, notes = [], Notes()
    options = FitOptions(progress=lambda stage, done, total: told.append((str(stage), done, total)))
    train(job([0.1, 0.2]), CONFIG.model_copy(update={"epochs": 2}), options, notes)
    assert told == [("train a line", 0, 2), ("train a line", 1, 2), ("train a line", 2, 2)]
    assert [(step, values["validation_ndcg@10"]) for step, values in notes.kept] == [(1, 0.1), (2, 0.2)]


def test_random_state_and_threads_are_given_back() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(4)
    wanted = torch.rand(1)
    torch.manual_seed(4)
    with reproducible(7, threads=1, device=torch.device("cpu")):
        torch.rand(5)
        assert torch.get_num_threads() == 1
    assert torch.rand(1) == wanted
    assert torch.get_num_threads() == threads


def test_only_the_chosen_device_s_random_state_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: asked.append(devices) or nullcontext())
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    for name in ("cpu", "cuda"):
        with reproducible(7, threads=1, device=torch.device(name)):
            pass
    assert asked == [[], [1]]


def test_bfloat16_where_it_is_asked_for() -> None:
    rows = torch.ones(2, 2)
    with mixed("bfloat16", torch.device("cpu")):
        assert (rows @ rows).dtype == torch.bfloat16
    with mixed("auto", torch.device("cpu")):
        assert (rows @ rows).dtype == torch.float32


def test_devices() -> None:
    assert chosen_device("cpu").type == "cpu"
    if torch.cuda.is_available():
        assert chosen_device("auto").type == chosen_device("cuda").type == "cuda"
        return
    assert chosen_device("auto").type == "cpu"
    with pytest.raises(UsageError, match="there is no CUDA device"):
        chosen_device("cuda")
