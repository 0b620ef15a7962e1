"""The one training loop of all deep models.

    epoch: for each batch, for each player: forward, loss, backward, clipped step (AdamW; Loshchilov and Hutter 2019)
    after it: validate; keep the best epoch; stop after `patience` validations without a gain, or when time is up

A player is a loss and the parameters that it moves: one for most models, two for a generator and its adversary.
Everything random follows from the seed and the number of the epoch, so that a run that goes on from a checkpoint is the
run that was never interrupted.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

from kuajie.core.errors import JobError, UsageError
from kuajie.core.recommender import Device, FitOptions
from kuajie.core.texts import Text
from kuajie.core.tracking import Run
from kuajie.models.deep.checkpoints import Checkpoints, Stand
from kuajie.models.deep.configs import TrainingConfig

Batch = Any
"""Whatever a model's batches are made of and its loss reads; what is made of arrays, the loss brings to the device."""
Batches = Callable[[np.random.Generator], Iterable[Batch]]
"""An epoch of batches."""


@dataclass(frozen=True, eq=False)
class Player:
    """A loss, and the parameters that are moved to lower it."""

    name: str
    parameters: Sequence[nn.Parameter]
    loss: Callable[[Batch], torch.Tensor]


@dataclass(frozen=True)
class Epoch:
    """How one epoch went.

    Attributes:
        number: from 1.
        losses: mean of each player's loss.
        metric: of the validation; None without one.
        seconds: of training and validating.
        name: of the metric.
    """

    number: int
    losses: dict[str, float]
    metric: float | None
    seconds: float
    name: str = "ndcg@10"

    def values(self) -> dict[str, float]:
        """What a tracker keeps."""
        found = {f"loss/{name}": loss for name, loss in self.losses.items()} | {"seconds": self.seconds}
        return found if self.metric is None else found | {f"validation_{self.name}": self.metric}


@dataclass(frozen=True, eq=False)
class Job:
    """What is trained.

    Attributes:
        name: for people.
        players: losses and what they move.
        batches: makes an epoch of them.
        validate: the metric of the network as it stands; None: it is not judged.
        metric: name of what `validate` says; larger is better.
        start: the metric that the network comes with, which it must beat; None: any epoch is better than none.
    """

    name: str
    network: nn.Module
    players: Sequence[Player]
    batches: Batches
    validate: Callable[[], float] | None
    metric: str = "ndcg@10"
    start: float | None = None


def train(
    job: Job, config: TrainingConfig, options: FitOptions, run: Run, checkpoints: Checkpoints | None = None
) -> list[Epoch]:
    """Train a network in place; it ends as it was after its best epoch.

    Args:
        job: the network is on its device already.
        config: of the loop.
        options: seed, limit of time, progress.
        run: told each epoch's numbers.
        checkpoints: where the best and the latest epoch are written, and read where a run was interrupted.

    Returns:
        the epochs of this call.

    Raises:
        JobError: a loss is not finite.
    """
    moved = {"lr": config.learning_rate, "weight_decay": config.weight_decay, "fused": True}  # one pass over a table
    optimizers = [torch.optim.AdamW(player.parameters, **moved) for player in job.players]
    stand = Stand(job.network, job.start)
    if checkpoints is not None:
        checkpoints.resume(stand, optimizers)
    begun, epochs, stage = time.monotonic(), list[Epoch](), Text("train {model}", model=job.name)

    def over() -> bool:
        return options.seconds is not None and time.monotonic() - begun >= options.seconds

    while stand.epoch < config.epochs and stand.waited < config.patience and not over():
        options.progress(stage, stand.epoch, config.epochs)
        epoch = _epoch(job, optimizers, stand.epoch + 1, config, options, over)
        epochs.append(epoch)
        stand.see(epoch.metric)
        run.metrics(epoch.values(), epoch.number)
        if checkpoints is not None:
            checkpoints.write(stand, optimizers)
    options.progress(stage, config.epochs, config.epochs)
    stand.restore()
    return epochs


def _epoch(
    job: Job,
    optimizers: Sequence[torch.optim.Optimizer],
    number: int,
    config: TrainingConfig,
    options: FitOptions,
    over: Callable[[], bool],
) -> Epoch:
    """One pass over the batches, and the validation; ends early when time is up."""
    begun = time.monotonic()
    torch.manual_seed(options.seed * 1_000_003 + number)
    rng = np.random.default_rng([options.seed, number])
    sums, steps = dict.fromkeys((player.name for player in job.players), 0.0), 0
    job.network.train()
    for batch in job.batches(rng):
        for player, optimizer in zip(job.players, optimizers, strict=True):
            sums[player.name] += _step(job, player, optimizer, batch, number, config)
        steps += 1
        if over():
            break
    job.network.eval()
    metric = None if job.validate is None else job.validate()
    losses = {name: total / max(steps, 1) for name, total in sums.items()}
    return Epoch(number, losses, metric, time.monotonic() - begun, job.metric)


def _step(
    job: Job,
    player: Player,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    number: int,
    config: TrainingConfig,
) -> float:
    """Move a player's parameters once; returns its loss."""
    optimizer.zero_grad(set_to_none=True)
    with mixed(config.precision, device_of(job.network)):
        loss = player.loss(batch)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise JobError(
            "the loss of {model} became {value} in epoch {epoch}. Choose a smaller 'training.learning_rate' "
            "(it is {rate:g}) or a smaller 'training.clip', and train again.",
            model=job.name,
            value=value,
            epoch=number,
            rate=config.learning_rate,
        )
    loss.backward()
    if config.clip is not None:
        nn.utils.clip_grad_norm_(player.parameters, config.clip)
    optimizer.step()
    return value


def device_of(network: nn.Module) -> torch.device:
    """Where a network lies."""
    return next(chain(network.parameters(), network.buffers())).device


def chosen_device(device: Device) -> torch.device:
    """The device of an option.

    Raises:
        UsageError: there is no CUDA device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device that PyTorch can use. Choose the device 'cpu' or 'auto'.")
    return torch.device(device)


def mixed(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Compute in bfloat16, which has the range of float32 and so needs no scaling of losses, where it is wanted."""
    native = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if precision == "bfloat16" or (precision == "auto" and native):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def reproducible(seed: int, threads: int) -> Iterator[None]:
    """PyTorch's random state and threads for a while; both are afterwards what they were before."""
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(max(1, threads))
        try:
            yield
        finally:
            torch.set_num_threads(before)
